"""What a journal says of a build, and what the lock knows better."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.builds import begin, end, fail, finish, new_build, running
from zwizard.engine import status
from zwizard.engine.builds import Build
from zwizard.jobs import events, journal


@pytest.fixture
def build(tmp_path: Path) -> Build:
    return new_build("web", tmp_path)


def states(build: Build) -> list[str]:
    return [step.state for step in status.of(build).steps]


def test_a_build_that_was_never_started_is_stopped(build: Build) -> None:
    now = status.of(build)
    assert (now.state, now.steps, now.step) == ("stopped", (), None)


def test_a_build_at_work_runs_in_a_step(build: Build) -> None:
    begin(build)
    finish(build, "bootstrap")
    journal.append(build.journal, events.StepStarted(step="packages", log=""))
    with running(build):
        now = status.of(build)
    assert now.state == "running"
    assert now.step is not None
    assert (now.step.number, now.step.name, now.step.state) == (2, "packages", "running")
    assert now.steps[0].state == "done"
    assert now.steps[2].state == "waiting"


def test_a_process_that_died_is_not_running_whatever_the_journal_says(build: Build) -> None:
    begin(build)
    journal.append(build.journal, events.StepStarted(step="bootstrap", log=""))
    now = status.of(build)
    assert now.state == "stopped"
    assert now.step is not None
    assert now.step.state == "stopped"


def test_a_build_that_has_only_the_lock_yet_is_running(build: Build) -> None:
    with running(build):
        assert status.of(build).state == "running"


def test_a_failure_tells_what_where_and_why(build: Build) -> None:
    begin(build)
    finish(build, "bootstrap")
    fail(build, "packages", cause="There is no package htp", command="in_tree apt-get")
    now = status.of(build)
    assert now.state == "failed"
    assert now.step is not None
    assert now.step.name == "packages"
    assert now.error.startswith("packages: exit status 100")
    assert now.cause == "There is no package htp"
    assert now.command == "in_tree apt-get"
    assert states(build)[:3] == ["done", "failed", "waiting"]


def test_a_cancelled_build_stopped_in_its_step(build: Build) -> None:
    begin(build)
    journal.append(build.journal, events.StepStarted(step="bootstrap", log=""))
    journal.append(build.journal, events.BuildCancelled())
    assert status.of(build).state == "stopped"
    assert states(build)[0] == "stopped"


def test_an_interrupted_build_says_what_ended_it(build: Build) -> None:
    begin(build)
    journal.append(build.journal, events.StepStarted(step="bootstrap", log=""))
    journal.append(build.journal, events.BuildInterrupted(error="killed", hint="Resume it"))
    now = status.of(build)
    assert (now.state, now.error, now.hint) == ("stopped", "killed", "Resume it")


@pytest.mark.parametrize(("ready", "state"), [(True, "ready"), (False, "not-ready")])
def test_a_finished_build_has_its_archive(build: Build, ready: bool, state: str) -> None:
    archive = end(build, ready=ready)
    now = status.of(build)
    assert (now.state, now.archive, now.bytes) == (state, str(archive), 7)
    assert now.step is None
    assert now.blocks == (0 if ready else 2)


def test_a_new_run_forgets_the_failure_of_the_last(build: Build) -> None:
    begin(build)
    fail(build, "bootstrap", cause="The disk is full")
    begin(build)
    journal.append(
        build.journal, events.StepCached(step="bootstrap", seconds=21.0, bytes=9, age=60)
    )
    now = status.of(build)
    assert now.error == events.BuildInterrupted().error  # nothing runs it here
    assert now.cause == ""
    assert now.steps[0].state == "cached"
    assert now.steps[0].seconds == 21.0


def test_an_event_of_a_later_version_is_passed_over(build: Build) -> None:
    begin(build)
    with build.journal.open("a") as file:
        file.write('{"event": "weather", "at": 1, "sunny": true}\n')
    journal.append(build.journal, events.StepStarted(step="no such step", log=""))
    assert status.of(build).state == "stopped"


@pytest.mark.parametrize(
    "line",
    [
        '{"event": "build-started"}',
        '{"event": "step-finished", "at": 1}',
        '{"event": "build-started", "at": 1, "steps": 3}',
        '{"event": "build-finished", "at": "noon"}',
        '{"event": "step-started", "at": 5}',
        '{"event": "step-progress", "at": 5, "step": "bootstrap", "written": "much"}',
        '{"event": "build-started", "at": 1, "steps": [3]}',
        '{"event": "build-started", "at": 1, "steps": [{}]}',
    ],
)
def test_a_line_that_is_json_but_no_event_of_ours_breaks_nothing(build: Build, line: str) -> None:
    begin(build)
    with build.journal.open("a") as file:
        file.write(line + "\n")
    fail(build, "bootstrap")
    assert status.of(build).state == "failed"


def test_the_summary_is_plain_data_for_other_programs(build: Build, tmp_path: Path) -> None:
    begin(build)
    finish(build, "bootstrap")
    fail(build, "packages")
    now = status.of(build)
    assert status.summary(build, now) == {
        "build": "web",
        "state": "failed",
        "target": "vm",
        "distro": "debian",
        "suite": "bookworm",
        "step": "packages",
        "steps_done": 1,
        "steps": 7,
        "changed": now.at,
        "archive": "",
        "archive_exists": False,
        "bytes": 0,
        "sha256": "",
        "directory": str(build.directory),
        "error": "packages: exit status 100: in_tree apt-get",
    }


def test_a_moved_archive_is_reported(build: Build) -> None:
    end(build).unlink()
    build.recipe_file.write_text("of another version")
    summary = status.summary(build, status.of(build))
    assert summary["archive_exists"] is False
    assert summary["target"] == ""


def test_a_finished_build_that_starts_again_is_running_before_its_first_event(
    build: Build,
) -> None:
    end(build).write_text("something else")
    assert status.of(build).state == "changed"
    with running(build):
        assert status.of(build).state == "running"
        begin(build)
        assert status.of(build).state == "running"
