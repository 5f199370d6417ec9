"""A build in the foreground and the list of unfinished builds, driven by real keys."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path

import pytest
from prompt_toolkit.input import PipeInput

from tests.plain.keys import (
    CTRL_C,
    DOWN,
    ENTER,
    LEAVE,
    UP,
    Capture,
    answers,
    press,
    save_full_draft,
)
from tests.support.builds import begin, end, fail, finish, new_build, running
from zwizard.console import build_progress
from zwizard.engine import builds
from zwizard.engine.builds import Build
from zwizard.host import tools
from zwizard.plain import wizard
from zwizard.plain.build import pick
from zwizard.recipe.fields import Source
from zwizard.recipe.model import Recipe
from zwizard.util.errors import UsageError

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="by another right it may ask")


needs_mmdebstrap = pytest.mark.skipif(
    not tools.find("mmdebstrap"), reason="mmdebstrap is not here"
)


def failing(tmp_path: Path) -> Recipe:
    """What a real runner fails to build: its mirror is an empty directory."""
    (tmp_path / "mirror").mkdir()
    return Recipe(name="web", source=Source(mirror=f"file://{tmp_path}/mirror"))


RESUME, CHANGE_IT, SHELL, REPORT = ("1" + ENTER, "2" + ENTER, "3" + ENTER, "4" + ENTER)


@needs_mmdebstrap
@pytest.mark.slow
def test_a_failed_build_offers_resume_report_and_change(
    keyboard: PipeInput, capsys: Capture, here: Path, tmp_path: Path
) -> None:
    save_full_draft(failing(tmp_path))
    press(keyboard, ENTER, ENTER, RESUME, REPORT, CHANGE_IT + "x" + ENTER, LEAVE)
    assert wizard.new(None) == 1
    output = capsys.readouterr().out
    assert "Ctrl-C stops the build; finished steps are kept." in output
    assert output.count("● bootstrap") == 2  # it was tried again
    assert output.count("Likely cause: The mirror has no ") == 2
    (report,) = here.glob("web-report-*.tar.gz")
    assert f"saved to {report}" in output
    assert answers()["source.mirror"] == f"file://{tmp_path}/mirrorx"
    assert output.count("== Review: web,") == 2  # and back to it
    assert not builds.find("web").running()
    assert "\x1b" not in output


@needs_mmdebstrap
@needs_root
@pytest.mark.slow
def test_a_failed_step_offers_a_shell_in_its_root_file_system(
    keyboard: PipeInput, capfd: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = tmp_path / "typed"
    typed.write_text('echo "root: $ROOT"\n')
    save_full_draft(failing(tmp_path))
    press(keyboard, ENTER, ENTER, SHELL, UP + ENTER, LEAVE)
    before = os.dup(0)
    with typed.open() as file:
        os.dup2(file.fileno(), 0)
    try:
        assert wizard.new(None) == 1
    finally:
        os.dup2(before, 0)
        os.close(before)
    output = capfd.readouterr().out
    assert "(exit, Ctrl-D)" in output
    assert "/tree/root\n" in output.partition("root: ")[2]


@needs_mmdebstrap
@pytest.mark.slow
def test_a_resumed_build_that_fails_leads_to_its_answers(
    keyboard: PipeInput, capsys: Capture, here: Path, tmp_path: Path
) -> None:
    build = new_build("web", here, failing(tmp_path))
    press(keyboard, CHANGE_IT + "x" + ENTER, LEAVE)
    assert wizard.resume(build) == 0
    output = capsys.readouterr().out
    assert "✗ bootstrap" in output
    assert answers()["source.mirror"] == f"file://{tmp_path}/mirrorx"


@pytest.mark.parametrize("keys", [UP + ENTER, ""], ids=["leave", "line dead"])
def test_quitting_after_a_failure_changes_nothing(
    keyboard: PipeInput, here: Path, monkeypatch: pytest.MonkeyPatch, keys: str
) -> None:
    build = new_build("web", here)
    begin(build)
    fail(build, "bootstrap")
    monkeypatch.setattr(build_progress, "run", lambda *_, **__: 1)
    press(keyboard, keys)
    assert wizard.resume(build) == 1


def unfinished(here: Path) -> None:
    """A failed build, a stopped one, and one that is ready."""
    failed = new_build("failed-one", here)
    begin(failed)
    finish(failed, "bootstrap")
    finish(failed, "packages")
    fail(failed, "initramfs")
    begin(new_build("stopped-one", here))
    end(new_build("ready-one", here))


def test_the_list_shows_unfinished_builds_with_step_and_age(
    screen: tuple[PipeInput, io.StringIO], here: Path
) -> None:
    keyboard, sent = screen
    unfinished(here)
    press(keyboard, DOWN, ENTER)
    assert pick() == "failed-one"
    shown = sent.getvalue()
    assert re.search(r"failed-one  failed  3/7 initramfs  (now|\S+ seconds? ago)", shown)
    assert re.search(r"stopped-one  stopped  (now|\S+ seconds? ago)", shown)
    assert "Cancel" in shown
    assert "ready-one" not in shown


def test_a_running_build_can_be_chosen(keyboard: PipeInput, here: Path) -> None:
    build = new_build("web", here)
    begin(build)
    press(keyboard, ENTER)
    with running(build):
        assert pick() == "web"


@pytest.mark.parametrize("keys", [UP + ENTER, CTRL_C, ""], ids=["cancel", "ctrl-c", "line dead"])
def test_choosing_no_build_is_an_interruption(keyboard: PipeInput, here: Path, keys: str) -> None:
    unfinished(here)
    press(keyboard, keys)
    with pytest.raises(KeyboardInterrupt):
        pick()


def test_without_unfinished_builds_the_list_is_an_error(keyboard: PipeInput, here: Path) -> None:
    with pytest.raises(UsageError, match="there are no builds yet"):
        pick()
    end(new_build("web", here))
    with pytest.raises(UsageError, match="every build is finished"):
        pick()


@pytest.mark.slow
def test_more_than_nine_builds_can_be_listed(keyboard: PipeInput, here: Path) -> None:
    for number in range(12):
        begin(new_build(f"web{number}", here))
    press(keyboard, UP * 2 + ENTER)
    assert pick() == "web0"


@pytest.mark.slow
def test_a_file_of_others_is_replaced_only_after_a_yes(
    keyboard: PipeInput, capsys: Capture, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []

    def build(build: Build, **_: object) -> int:
        started.append(build.id)
        return 0

    monkeypatch.setattr(build_progress, "run", build)
    save_full_draft(Recipe(name="web"))
    (here / "web.tar.gz").write_text("precious")
    press(keyboard, ENTER, ENTER, "2" + ENTER, ENTER, "1" + ENTER)
    assert wizard.new(None) == 0
    output = " ".join(capsys.readouterr().out.split())
    assert "web.tar.gz there was not written by zwizard." in output.partition("What next")[0]
    assert output.count("== Review: web") == 2  # the first answer started nothing
    assert started == ["web"]


@pytest.mark.slow
@needs_mmdebstrap
def test_a_ready_build_ends_with_what_can_be_done_next(
    keyboard: PipeInput, capsys: Capture, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_progress, "run", lambda *_, **__: 0)
    save_full_draft()
    press(keyboard, ENTER, ENTER)
    assert wizard.new(None) == 0
    output = capsys.readouterr().out
    for command in ("boot", "upload", "deploy"):
        assert f"  zwizard {command} {here}/" in output
