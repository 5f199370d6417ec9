"""The commands resume, list, show, log, cancel and rm."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.builds import begin, end, fail, finish, new_build, running
from tests.support.command import Run, in_a_terminal, refused
from zwizard.engine import builds
from zwizard.engine.builds import Build
from zwizard.util.hashing import sha256_of


def test_without_a_terminal_resume_asks_for_the_name_of_a_build(run: Run) -> None:
    refused(run("resume"), "needs a terminal; name the BUILD: zwizard list shows them")


@pytest.mark.parametrize("command", ["show", "log", "cancel", "rm", "resume"])
def test_an_unknown_build_is_an_error_that_lists_the_builds(
    run: Run, build: Build, command: str
) -> None:
    refused(run(command, "wbe"), "there is no build 'wbe'", "Builds: web.")


@pytest.mark.slow
def test_a_glyph_that_the_terminal_cannot_encode_is_replaced(build: Build) -> None:
    begin(build)
    done = subprocess.run(
        [sys.executable, "-m", "zwizard", "show", "web"],
        env=os.environ | {"PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"? bootstrap" in done.stdout


def test_an_empty_list_says_how_to_start(run: Run) -> None:
    assert run("list") == (0, "no builds yet; `zwizard` starts one\n", "")
    assert run("list", "--json") == (0, '{\n "schema": 1,\n "builds": []\n}\n', "")


def test_the_list_shows_state_and_step_of_each_build(run: Run, tmp_path: Path) -> None:
    done, failed, cut = (new_build(name, tmp_path) for name in ("done", "failed", "cut"))
    end(done)
    begin(failed)
    finish(failed, "bootstrap")
    fail(failed, "packages")
    begin(cut)
    new_build("fresh", tmp_path)
    code, out, _ = run("list")
    assert code == 0
    lines = {line[15:].split()[0]: line for line in out.splitlines()}
    assert lines["done"].startswith("✓ ready")
    assert "7 Bytes" in lines["done"]
    assert lines["failed"].startswith("✗ failed")
    assert "2/7 packages" in lines["failed"]
    assert lines["cut"].startswith("■ stopped")
    assert lines["fresh"].startswith("■ stopped")
    assert all("vm · Debian bookworm" in line for line in lines.values())


def test_the_list_as_json_has_one_record_per_build(run: Run, build: Build) -> None:
    archive = end(build)
    code, out, _ = run("list", "--json")
    (record,) = json.loads(out)["builds"]
    assert code == 0
    assert record["build"] == "web"
    assert record["state"] == "ready"
    assert (record["steps"], record["steps_done"]) == (7, 7)
    assert record["archive"] == str(archive)
    assert record["archive_exists"] is True
    assert record["sha256"] == sha256_of(archive)


def test_show_prints_the_steps_and_the_archive(run: Run, build: Build) -> None:
    archive = end(build)
    code, out, _ = run("show", "web")
    assert code == 0
    assert out.startswith("web: vm · Debian bookworm, ready\n")
    assert out.count("✓") == 7
    assert f"archive    {archive}\n" in out
    assert f"sha256     {sha256_of(archive)}\n" in out
    assert f"build      {build.directory}\n" in out


def test_show_prints_the_cause_of_a_failure(run: Run, build: Build) -> None:
    begin(build)
    fail(build, "bootstrap", cause="The disk is full: free some space")
    _, out, _ = run("show", "web")
    assert "✗ bootstrap" in out
    assert "bootstrap: exit status 100" in out
    assert "The disk is full" in out


def test_a_build_as_json_has_its_steps(run: Run, build: Build) -> None:
    begin(build)
    finish(build, "bootstrap", seconds=21.5, size=999)
    code, out, _ = run("show", "web", "--json")
    result = json.loads(out)
    assert code == 0
    assert result["state"] == "stopped"
    assert result["step_states"][0] == {
        "name": "bootstrap",
        "state": "done",
        "seconds": 21.5,
        "bytes": 999,
    }
    assert [step["state"] for step in result["step_states"][1:]] == ["waiting"] * 6


def cut(file: Path) -> None:
    file.write_text('name = "web"\n')  # TOML still, and the recipe of another build


def directory(file: Path) -> None:
    file.unlink()
    file.mkdir()


def link(file: Path) -> None:
    file.rename(file.with_name("elsewhere")).chmod(0o600)
    file.symlink_to("elsewhere")


def recoded(file: Path) -> None:
    file.write_bytes(file.read_text().encode("utf-16"))


@pytest.mark.parametrize("damage", [cut, directory, link, recoded])
def test_a_build_with_a_damaged_recipe_is_listed_and_shown_and_not_built(
    run: Run, build: Build, damage: Callable[[Path], None]
) -> None:
    damage(build.recipe_file)
    what, remedy = f"{build.recipe_file} is damaged: ", "zwizard rm web"
    assert "an unreadable recipe" in run("list")[1]
    shown = run("show", "web")[1]
    assert what in shown
    assert remedy in shown
    assert json.loads(run("list", "--json")[1])["builds"][0]["target"] == ""
    refused(run("resume", "web"), what, remedy)
    assert run("rm", "web", "--yes")[0] == 0
    assert builds.everything() == []


@pytest.mark.parametrize("name", ["journal.jsonl", "job.log", "lock"])
@pytest.mark.parametrize("put", [Path.mkdir, lambda path: path.symlink_to("nowhere")])
def test_what_stands_in_the_place_of_a_file_of_a_build_is_named(
    run: Run, build: Build, name: str, put: Callable[[Path], None]
) -> None:
    put(build.directory / name)
    assert "web" in run("list")[1]
    refused(run("resume", "web"), f"{build.directory / name} is damaged: ", "Move it away")


def write_log(build: Build, number: int, step: str, data: bytes) -> None:
    log = build.step_log(number, step)
    log.parent.mkdir(exist_ok=True)
    log.write_bytes(data)


HOSTILE = b"one\n\x1b]0;owned\x07two\x1b[2J\x1b[31m\nprogress 1%\rprogress 100%\n\xff\xfe[red]\tx"


def test_a_log_is_printed_without_escapes_and_without_losing_lines(run: Run, build: Build) -> None:
    write_log(build, 1, "bootstrap", HOSTILE)
    assert run("log", "web", "bootstrap") == (
        0,
        "one\ntwo\nprogress 100%\n\ufffd\ufffd[red] x\n",
        "",
    )


def test_the_whole_log_has_every_step_in_order(run: Run, build: Build) -> None:
    write_log(build, 2, "packages", b"second\n")
    write_log(build, 1, "bootstrap", b"first\n")
    assert run("log", "web")[1] == "== 01-bootstrap\nfirst\n== 02-packages\nsecond\n"


def test_a_step_without_a_log_is_an_error_that_lists_the_logs(run: Run, build: Build) -> None:
    refused(run("log", "web", "pack"), "web has no log of a step 'pack'", "It has: none yet.")
    write_log(build, 1, "bootstrap", b"")
    refused(run("log", "web", "pack"), "no log of a step", "It has: bootstrap.")


def test_escapes_in_the_journal_do_not_reach_the_terminal(run: Run, build: Build) -> None:
    begin(build)
    fail(build, "bootstrap", error="bad \x1b[2J\x1b]0;owned\x07thing")
    out = run("show", "web")[1]
    assert "bad thing" in out
    assert "\x1b" not in out


def test_only_a_running_build_is_cancelled(run: Run, build: Build) -> None:
    assert run("cancel", "web") == (0, "web is not running\n", "")
    with running(build):
        assert run("cancel", "web") == (0, "web is stopping\n", "")
        assert build.cancel_request.exists()


def test_rm_deletes_the_build_and_keeps_the_archive(run: Run, build: Build) -> None:
    archive = end(build)
    assert run("rm", "web", "--yes") == (0, "", "")
    assert archive.exists()
    assert not build.directory.exists()


def test_without_a_terminal_rm_needs_yes(run: Run, build: Build) -> None:
    refused(run("rm", "web"), "needs a terminal")
    assert build.directory.exists()


def test_a_running_build_is_not_deleted(run: Run, build: Build) -> None:
    with running(build):
        refused(run("rm", "web", "--yes"), "web is running", "zwizard cancel web")
    assert build.directory.exists()


@pytest.mark.slow
def test_rm_asks_and_respects_the_answer(build: Build, tmp_path: Path) -> None:
    code, output = in_a_terminal([("[y/N]", "n\r")], "rm", "web", cwd=tmp_path)
    assert code == 130
    assert "Delete web (the archive is kept)?" in output
    assert build.directory.exists()
    assert in_a_terminal([("[y/N]", "y\r")], "rm", "web", cwd=tmp_path)[0] == 0
    assert not build.directory.exists()


@pytest.mark.parametrize(
    ("state", "advice"),
    [("changed", "zwizard check {}"), ("missing", "zwizard resume web")],
)
def test_a_build_whose_archive_is_another_or_gone_is_not_called_ready(
    run: Run, build: Build, state: str, advice: str
) -> None:
    archive = end(build)
    archive.unlink() if state == "missing" else archive.write_bytes(b"of another")
    assert run("list")[1].startswith(f"! {state} ")
    (record,) = json.loads(run("list", "--json")[1])["builds"]
    assert (record["state"], record["tested"]) == (state, False)
    out = run("show", "web")[1]
    assert out.startswith(f"web: vm · Debian bookworm, {state}\n")
    assert advice.format(archive) in out


def test_a_changed_archive_is_checked_again_by_a_command(run: Run, build: Build) -> None:
    archive = end(build)
    archive.write_bytes(gzip.compress(bytes(10240)))  # an empty tar
    code, out, _ = run("check", archive)
    assert code == 3
    assert "Not ready" in out
    assert run("list")[1].startswith("! not ready")
    assert sha256_of(archive) in run("show", "web")[1]
