"""The draft, the review and its actions, driven by real keys."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from prompt_toolkit.input import PipeInput

from tests.plain.keys import (
    BACK_BY_WORD,
    CLEAR,
    CTRL_C,
    CTRL_D,
    DOWN,
    ENTER,
    LEAVE,
    UP,
    Capture,
    answers,
    press,
    save_draft,
    save_full_draft,
)
from zwizard.engine import builds
from zwizard.host import tools
from zwizard.plain import wizard
from zwizard.recipe.fields import Checklist, Output, Source, System
from zwizard.recipe.model import Recipe
from zwizard.util.errors import UsageError
from zwizard.wizard import questions


@pytest.mark.parametrize("key", [CTRL_C, CTRL_D, ""], ids=["ctrl-c", "ctrl-d", "line dead"])
def test_the_draft_is_saved_however_the_wizard_ends(
    keyboard: PipeInput, capsys: Capture, key: str
) -> None:
    press(keyboard, ENTER, CLEAR + key)
    assert wizard.new(None) == 130
    assert answers() == {"target": "vm"}
    assert "The draft is saved: `zwizard new --plain` continues" in capsys.readouterr().out


def test_a_draft_continues_at_the_first_unanswered_question(
    keyboard: PipeInput, capsys: Capture
) -> None:
    save_draft(target="vm", name="web", source__kind="distro")
    press(keyboard, ENTER, CTRL_C)
    assert wizard.new(None) == 130
    output = capsys.readouterr().out
    assert "== Source (2 of 5)" in output
    assert "== Target (1 of 5)" not in output
    assert answers()["name"] == "web"


def test_a_draft_can_be_discarded(keyboard: PipeInput, capsys: Capture) -> None:
    save_draft(target="vm", name="web")
    press(keyboard, "2" + ENTER, CTRL_C)
    assert wizard.new(None) == 130
    assert "== Target (1 of 5)" in capsys.readouterr().out
    assert answers() == {}


def test_a_recipe_fills_the_draft_and_keeps_keys_without_a_question(
    keyboard: PipeInput, here: Path
) -> None:
    recipe = Recipe(
        name="web",
        system=System(run=("cat <<'END'\none\n\ntwo\nEND", "true")),
        checklist=Checklist(waive=("setuid-files",)),
    )
    (here / "web.toml").write_text(recipe.to_toml())
    press(keyboard, LEAVE)
    assert wizard.new(here / "web.toml") == 0
    assert questions.to_recipe(answers()) == recipe


def test_a_recipes_relative_output_stays_relative_to_the_recipe(
    keyboard: PipeInput, tmp_path: Path
) -> None:
    file = tmp_path / "recipes" / "web.toml"
    file.parent.mkdir()
    file.write_text('name = "web"\noutput.directory = "../images"\n')
    press(keyboard, LEAVE)
    wizard.new(file)
    assert answers()["output.directory"] == str(tmp_path / "images")


def test_a_recipe_does_not_silently_replace_a_draft(keyboard: PipeInput, here: Path) -> None:
    save_draft(name="precious")
    (here / "web.toml").write_text('name = "web"\n')
    press(keyboard, ENTER, CTRL_C)
    wizard.new(here / "web.toml")
    assert answers()["name"] == "precious"


def test_an_invalid_recipe_is_an_error_before_any_question(
    keyboard: PipeInput, here: Path
) -> None:
    (here / "web.toml").write_text('nam = "web"\n')
    save_draft(name="precious")
    with pytest.raises(UsageError, match="did you mean name"):
        wizard.new(here / "web.toml")
    assert answers()["name"] == "precious"


@pytest.mark.slow
def test_the_review_repeats_the_warnings(keyboard: PipeInput, capsys: Capture) -> None:
    save_full_draft(Recipe(system=System(timezone="Europe/Pariss")))
    press(keyboard, ENTER, LEAVE)
    assert wizard.new(None) == 0
    output = " ".join(capsys.readouterr().out.split())
    assert "Warning: Time zone: 'Europe/Pariss' " in output


def test_the_review_shows_every_step_and_the_place_of_the_archive(
    keyboard: PipeInput, capsys: Capture, here: Path
) -> None:
    save_full_draft()
    press(keyboard, ENTER, LEAVE)
    wizard.new(None)
    output = capsys.readouterr().out
    assert "   1. bootstrap     ~320.0 MiB  will run: " in output
    assert "   7. pack          ~260.0 MiB  will run: " in output
    assert f"Archive: {here / 'debian-vm.tar.gz'} Runs as:" in " ".join(output.split())


@pytest.mark.slow
def test_every_command_is_shown_unwrapped_and_without_escapes(
    keyboard: PipeInput, capsys: Capture
) -> None:
    command = "echo " + "x" * 200 + " # \x1b]0;owned\x07"
    save_full_draft(Recipe(system=System(run=(command,))))
    press(keyboard, ENTER, "2" + ENTER, LEAVE)
    assert wizard.new(None) == 0
    output = capsys.readouterr().out
    assert "echo " + "x" * 200 + " # \n" in output
    assert "owned" not in output
    assert "\x1b" not in output


@pytest.mark.slow
def test_an_answer_is_changed_from_the_review(keyboard: PipeInput, capsys: Capture) -> None:
    save_full_draft()
    press(keyboard, ENTER, "4" + ENTER, DOWN + ENTER, CLEAR + "web" + ENTER, LEAVE)
    assert wizard.new(None) == 0
    assert "== Review: web," in capsys.readouterr().out
    assert answers()["name"] == "web"


@pytest.mark.slow
def test_going_back_from_changing_an_answer_changes_nothing(keyboard: PipeInput) -> None:
    save_full_draft()
    before = answers()
    back = "4" + ENTER + UP + ENTER
    press(keyboard, ENTER, back, "4" + ENTER + DOWN + ENTER + BACK_BY_WORD, LEAVE)
    assert wizard.new(None) == 0
    assert answers() == before


@pytest.mark.slow
def test_contradicting_answers_are_named_and_fixed_from_the_review(
    keyboard: PipeInput, capsys: Capture
) -> None:
    save_full_draft(Recipe(source=Source(variant="minimal")))
    to_debootstrap = "4" + ENTER + DOWN * 6 + ENTER + "2" + ENTER
    # Nothing can be built now: the first entry is to change an answer, and the wrong one first.
    to_standard = ENTER + ENTER + "1" + ENTER
    press(keyboard, ENTER, to_debootstrap, to_standard, LEAVE)
    assert wizard.new(None) == 0
    output = " ".join(capsys.readouterr().out.split())
    assert "Problem: Base: " in output
    assert questions.to_recipe(answers()).source == Source(bootstrap="debootstrap")


@pytest.mark.slow
def test_the_commands_of_the_guide_are_shown_too(keyboard: PipeInput, capsys: Capture) -> None:
    save_full_draft()
    press(keyboard, ENTER, "2" + ENTER, LEAVE)
    assert wizard.new(None) == 0
    output = capsys.readouterr().out
    assert (
        "bootstrap, with the commands of the Zmachine guide:\n      sudo debootstrap jammy"
        in output
    )


@pytest.mark.slow
def test_a_draft_that_cannot_be_saved_is_reported(
    keyboard: PipeInput, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, text: str, *, lasting: bool) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("zwizard.util.paths.write_atomically", full)
    press(keyboard, ENTER, CTRL_C)
    assert wizard.new(None) == 130
    output = " ".join(capsys.readouterr().out.split())
    assert "could not be saved:" in output
    assert "No space left on device" in output


@pytest.mark.slow
def test_nothing_is_built_until_missing_programs_are_installed(
    keyboard: PipeInput, capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("base64", "bash", "bwrap", "mount", "nsenter", "tar", "umount", "unshare"):
        (programs / name).symlink_to(shutil.which(name) or "/bin/true")
    # Stands for the machine's package manager, which would install it for everybody.
    (programs / "apt-get").write_text(f"#!/bin/sh\ncp /bin/true {programs}/mmdebstrap\n")
    (programs / "apt-get").chmod(0o755)
    (programs / "sudo").write_text('#!/bin/sh\nexec "$@"\n')
    (programs / "sudo").chmod(0o755)
    monkeypatch.setattr(tools, "PATH", str(programs))
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    save_full_draft()
    press(keyboard, ENTER, ENTER, LEAVE)  # Build cannot be chosen, so Install is where it begins
    assert wizard.new(None) == 0
    before, after = capsys.readouterr().out.split("Runs: ")
    assert "Problem: missing on this machine: mmdebstrap" in before
    assert "apt-get install --yes mmdebstrap" in before
    assert "Problem:" not in after
    assert builds.everything() == []


def test_an_output_directory_that_is_a_file_is_reported_before_the_build(
    keyboard: PipeInput, capsys: Capture, here: Path
) -> None:
    (here / "file").write_text("")
    save_full_draft(Recipe(output=Output(directory="file")))
    press(keyboard, ENTER, LEAVE)
    assert wizard.new(None) == 0
    output = " ".join(capsys.readouterr().out.split())
    assert f"Problem: {here / 'file'} is not a directory To fix it: " in output
