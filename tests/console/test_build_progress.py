"""Following a build: whoever looks on, and whenever they come, is told how it ends."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.builds import begin, end, fail, finish, new_build, running
from zwizard.console import build_progress
from zwizard.engine.builds import Build
from zwizard.engine.debug_shell import by_hand
from zwizard.jobs import events, journal
from zwizard.recipe.fields import Source
from zwizard.recipe.model import Recipe


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """A build that another test machine, slow enough to start it in earnest, could not finish."""
    return new_build("web", tmp_path, Recipe(source=Source(mirror="file:///nowhere")))


_follower_waits = threading.Event()


@pytest.fixture(autouse=True)
def sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set `_follower_waits` when the follower sleeps for the first time, and let it sleep less."""
    pause = time.sleep
    _follower_waits.clear()

    def noticed(seconds: float) -> None:
        _follower_waits.set()
        pause(min(seconds, 0.01))

    monkeypatch.setattr(time, "sleep", noticed)


def meanwhile(
    build: Build, what: Callable[[], object], since: int | None = None
) -> threading.Thread:
    """Be the job in another thread: hold the lock, do ``what`` once followed, let go."""
    held = threading.Event()

    def run() -> None:
        with running(build, since):
            held.set()
            assert _follower_waits.wait(30)
            what()

    thread = threading.Thread(target=run)
    thread.start()
    assert held.wait(30)
    return thread


Capture = pytest.CaptureFixture[str]


def test_a_late_follower_sees_the_run_from_its_start(build: Build, capsys: Capture) -> None:
    begin(build)
    fail(build, "bootstrap", tail="an old error")
    since = build.journal.stat().st_size
    begin(build)
    finish(build, "bootstrap", seconds=72)
    runner = meanwhile(build, lambda: fail(build, "packages", tail="E: no\x1b[2J such"), since)
    assert build_progress.run(build, as_json=False) == 1
    runner.join()
    output = capsys.readouterr().out
    assert "an old error" not in output
    assert "✓ bootstrap   1 min 12 s   4.0 KiB\n" in output
    assert "✗ packages\n    E: no such\n" in output


def test_who_comes_before_the_runner_has_said_anything_waits_for_it(
    build: Build, capsys: Capture
) -> None:
    runner = meanwhile(build, lambda: end(build))
    assert build_progress.run(build, as_json=False) == 0
    runner.join()
    assert "✓ ready: web.tar.gz, 7 Bytes" in capsys.readouterr().out


def test_the_last_run_is_not_taken_for_the_one_that_is_beginning(
    build: Build, capsys: Capture
) -> None:
    begin(build)
    fail(build, "bootstrap")
    runner = meanwhile(build, lambda: end(build, ready=False))
    assert build_progress.run(build, as_json=False) == 3
    runner.join()
    assert "not ready: 2 errors" in capsys.readouterr().out


def test_a_build_that_is_not_ready_lists_its_errors(build: Build, capsys: Capture) -> None:
    """Nobody has to run another command to learn why."""
    fix = {"fix": "Say another."}
    more = [{"rule": f"rule-{n}", "evidence": "x" * 9999, "fix": ""} for n in range(9)]
    blocking = [{"rule": "entrypoint", "evidence": "/a\x1b[2J is not there", **fix}, *more]
    runner = meanwhile(build, lambda: end(build, ready=False, blocking=blocking))
    assert build_progress.run(build, as_json=False) == 3
    runner.join()
    output = capsys.readouterr().out
    assert "✗ not ready: 10 errors (web.tar.gz, 7 Bytes)\n    entrypoint: /a" in output
    assert "is not there\n        do: Say another.\n    rule-0: xxx" in output
    assert f"rule-3: {'x' * 299}…\n  all findings: zwizard check {build.archive()}\n" in output
    assert "rule-4" not in output
    assert "\x1b" not in output


def test_a_build_that_is_ready_names_its_warnings(build: Build, capsys: Capture) -> None:
    warnings = [{"rule": "fstab", "evidence": "UUID=1 /a\x1b[2J", "fix": "Add nofail."}]
    runner = meanwhile(build, lambda: end(build, warnings=warnings))
    assert build_progress.run(build, as_json=False) == 0
    runner.join()
    output = capsys.readouterr().out
    assert "✓ ready: web.tar.gz, 7 Bytes\n    warning: fstab: UUID=1 /a" in output
    assert "\n        do: Add nofail.\n" in output
    assert "\x1b" not in output


def test_one_rule_blocks_alone(build: Build, capsys: Capture) -> None:
    blocking = [{"rule": "entrypoint", "evidence": "/a is not there", "fix": ""}]
    runner = meanwhile(build, lambda: end(build, ready=False, blocking=blocking))
    assert build_progress.run(build, as_json=False) == 3
    runner.join()
    assert "not ready: 1 error (web" in capsys.readouterr().out


def test_who_comes_as_the_runner_leaves_gets_a_run_of_their_own(
    tmp_path: Path, capsys: Capture
) -> None:
    """By the real runner, which finds that the archive's place is a file."""
    (tmp_path / "file").write_text("")
    build = new_build("web", tmp_path / "file")
    begin(build)
    fail(build, "bootstrap", error="the old failure")
    runner = meanwhile(build, lambda: None, since=0)
    assert build_progress.run(build, as_json=False) == 1
    runner.join()
    output = capsys.readouterr().out
    assert "the old failure" not in output
    assert "is not a directory" in output
    assert not build.running()


def test_a_killed_build_process_is_reported_with_a_hint(build: Build, capsys: Capture) -> None:
    begin(build)
    runner = meanwhile(build, lambda: None)
    assert build_progress.run(build, as_json=False) == 1
    runner.join()
    assert capsys.readouterr().out.splitlines()[-4:-1] == [
        f"✗ {events.BuildInterrupted().error}",
        events.BuildInterrupted().hint,
        "Resume:  zwizard resume web",
    ]


@pytest.mark.slow
def test_who_stops_it_while_the_runner_comes_up_stops_it(
    build: Build, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """By the real runner, before its worker has begun."""
    pause = time.sleep
    pressed: list[bool] = []

    def interrupted(seconds: float) -> None:
        if not pressed:
            pressed.append(True)
            os.kill(os.getpid(), signal.SIGINT)
        pause(seconds)

    monkeypatch.setattr("zwizard.jobs.supervisor.time.sleep", interrupted)
    assert build_progress.run(build, as_json=False) == 130
    assert pressed
    assert [type(event) for event in build.events()] == [events.BuildCancelled]
    assert "died" not in capsys.readouterr().out
    assert not build.running()


def test_a_cancelled_build_ends_with_130(build: Build, capsys: Capture) -> None:
    begin(build)
    runner = meanwhile(build, lambda: journal.append(build.journal, events.BuildCancelled()))
    assert build_progress.run(build, as_json=False) == 130
    runner.join()
    assert "finished steps are kept" in capsys.readouterr().out


@pytest.mark.slow
def test_a_failure_ends_with_what_to_do_as_commands_to_paste(
    build: Build, capsys: Capture
) -> None:
    command = "in_tree apt-get install 'htpo'"
    begin(build)
    runner = meanwhile(build, lambda: fail(build, "packages", command=command), since=0)
    assert build_progress.run(build, as_json=False) == 1
    runner.join()
    lines = capsys.readouterr().out.splitlines()
    assert "Resume:  zwizard resume web" in lines
    assert f"By hand: {by_hand(build, 'packages', command)}" in lines
    assert "Shell:   zwizard shell web packages" in lines
    assert "Report:  zwizard bundle web" in lines


def narrated(
    build: Build, monkeypatch: pytest.MonkeyPatch, **usual: float
) -> tuple[build_progress.Narrator, list[str]]:
    """A narrator of a build that is in its second step at a time of 1000, and its lines."""
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    narrator = build_progress.Narrator(build, usual)
    begin(build)
    finish(build, "bootstrap")
    journal.append(build.journal, events.StepStarted(step="packages", log=""))
    lines = [line for event in journal.replay(build.journal) for line in narrator.lines(event)]
    return narrator, lines


def test_a_step_says_where_it_stands_and_what_it_usually_takes(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, lines = narrated(build, monkeypatch, packages=38)
    assert "● packages   step 2 of 7, usually 38 s" in lines


@pytest.mark.slow
def test_a_long_step_shows_a_sign_of_life_now_and_then_and_never_writes_over_it(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    narrator, _ = narrated(build, monkeypatch)
    log = build.step_log(2, "packages")
    log.write_bytes(b"Setting up a\nSetting up b\x1b[2J [55%]\n")
    os.utime(log, (1000, 1000))
    journal.append(build.journal, events.StepProgress(step="packages", written=65_011_712))
    assert narrator.lines(journal.replay(build.journal)[-1]) == []
    lines: list[str] = []
    for now in range(1000, 1101, 5):
        monkeypatch.setattr(time, "time", lambda at=now: float(at))
        lines += narrator.idle()
    assert lines == [
        f"  packages  {took}, 62.0 MiB written, no output for {took}: Setting up b [55%]"
        for took in ("15 s", "45 s", "1 min 15 s")
    ]


def test_as_json_each_event_is_one_line_and_the_last_is_the_verdict(
    build: Build, capsys: Capture
) -> None:
    runner = meanwhile(build, lambda: end(build))
    assert build_progress.run(build, as_json=True) == 0
    runner.join()
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["event"] for event in printed][:2] == ["build-started", "step-started"]
    last = printed[-1]
    assert last["event"] == "build-finished"
    assert (last["build"], last["ready"]) == ("web", True)
    assert last["artefact"] == str(build.archive())
    assert len(last["sha256"]) == 64


def test_a_wait_and_a_damaged_layer_are_named(build: Build) -> None:
    narrator = build_progress.Narrator(build, {})
    waiting = events.StepWaiting(step="bootstrap", holder="api")
    assert narrator.lines(waiting)[0].endswith("Waiting for api, which is making the same layer.")
    waiting = events.StepWaiting(step="bootstrap")
    assert narrator.lines(waiting)[0].endswith("uses the layer to be replaced.")
    damaged = events.LayerDamaged(step="bootstrap", evidence="./etc is missing")
    assert narrator.lines(damaged)[0].endswith("damaged and made again: ./etc is missing")
