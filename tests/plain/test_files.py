"""Saving, exporting and opening, driven by real keys."""

from __future__ import annotations

from pathlib import Path

import pytest
from prompt_toolkit.input import PipeInput

from tests.plain.keys import (
    CLEAR,
    ENTER,
    LEAVE,
    Capture,
    answers,
    press,
    save_full_draft,
)
from zwizard.plain import wizard
from zwizard.recipe.fields import Output
from zwizard.recipe.model import Recipe

pytestmark = pytest.mark.slow

SAVE = ("3", ENTER)


def test_the_saved_recipe_is_the_reviewed_one(keyboard: PipeInput, here: Path) -> None:
    save_full_draft(Recipe(name="web"))
    press(keyboard, ENTER, *SAVE, ENTER, LEAVE)
    assert wizard.new(None) == 0
    assert Recipe.load(here / "web.toml") == Recipe(name="web")


def test_a_recipe_saved_elsewhere_keeps_its_output_directory(
    keyboard: PipeInput, here: Path, tmp_path: Path
) -> None:
    save_full_draft(Recipe(name="web"))
    press(keyboard, ENTER, *SAVE, CLEAR + "../elsewhere/web.toml" + ENTER, LEAVE)
    assert wizard.new(None) == 0
    saved = Recipe.load(tmp_path / "elsewhere/web.toml")
    assert saved == Recipe(name="web", output=Output(directory=str(here)))


def test_an_existing_file_is_replaced_only_after_a_yes(keyboard: PipeInput, here: Path) -> None:
    save_full_draft(Recipe(name="web"))
    (here / "web.toml").write_text("precious")
    (here / "other.toml").write_text("old")
    again = CLEAR + "other.toml" + ENTER + "1" + ENTER
    press(keyboard, ENTER, *SAVE, ENTER, "2" + ENTER, again, LEAVE)
    assert wizard.new(None) == 0
    assert (here / "web.toml").read_text() == "precious"
    assert Recipe.load(here / "other.toml").name == "web"


def test_a_name_that_cannot_be_written_is_asked_again(
    keyboard: PipeInput, here: Path, capsys: Capture
) -> None:
    save_full_draft(Recipe(name="web"))
    (here / "file").write_text("")
    tries = [f"{CLEAR}{name}{ENTER}" for name in (".", "file/x.toml", "~no-such-user/x", "<")]
    press(keyboard, ENTER, *SAVE, *tries, LEAVE)
    assert wizard.new(None) == 0
    output = " ".join(capsys.readouterr().out.split())
    assert "is a directory" in output
    assert "Error: file/x.toml: " in output
    assert "Error: ~no-such-user/x: " in output
    assert [path.name for path in here.iterdir()] == ["file"]


def test_a_script_is_exported(keyboard: PipeInput, here: Path) -> None:
    save_full_draft(Recipe(name="web"))
    press(keyboard, ENTER, "5" + ENTER, ENTER, LEAVE)
    assert wizard.new(None) == 0
    assert (here / "web.sh").read_text().startswith("#!/bin/bash")


def test_a_recipe_is_opened_from_the_review(
    keyboard: PipeInput, here: Path, capsys: Capture
) -> None:
    save_full_draft(Recipe(name="web"))
    (here / "other.toml").write_text('name = "other"\n')
    (here / "bad.toml").write_text('nam = "x"\n')
    keys = "6" + ENTER, "nowhere" + ENTER, CLEAR + "bad.toml" + ENTER, CLEAR + "other.toml" + ENTER
    press(keyboard, ENTER, *keys, LEAVE)
    assert wizard.new(None) == 0
    output = " ".join(capsys.readouterr().out.split())
    assert f"Error: {here / 'nowhere'} " in output
    assert "did you mean name" in output
    assert answers()["name"] == "other"


def test_a_link_is_replaced_not_followed(keyboard: PipeInput, here: Path) -> None:
    save_full_draft(Recipe(name="web"))
    (here / "target").write_text("precious")
    (here / "web.toml").symlink_to("target")
    press(keyboard, ENTER, *SAVE, ENTER, "1" + ENTER, LEAVE)
    assert wizard.new(None) == 0
    assert (here / "target").read_text() == "precious"
    assert not (here / "web.toml").is_symlink()
    assert Recipe.load(here / "web.toml").name == "web"
