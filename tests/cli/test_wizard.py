"""Starting the wizard from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command import Run, in_a_terminal, refused
from zwizard.recipe.model import Recipe


@pytest.mark.parametrize("arguments", [(), ("new",), ("new", "--plain"), ("new", "--from", "x")])
def test_without_a_terminal_the_wizard_names_what_to_use_instead(
    run: Run, arguments: tuple[str, ...]
) -> None:
    result = run(*arguments)
    refused(result, "this command needs a terminal; build RECIPE")
    assert len(result[2].splitlines()) == 1


@pytest.mark.slow
def test_ctrl_c_in_the_plain_wizard_saves_the_draft(tmp_path: Path) -> None:
    keys = [("arrow keys", "\r"), ("goes back", "\x15web\r"), ("arrow keys", "\x03")]
    code, output = in_a_terminal(keys, "new", "--plain", cwd=tmp_path)
    assert code == 130
    assert "The draft is saved" in output
    keys = [("Continue with it", "\r"), ("arrow keys", "\x03")]
    code, output = in_a_terminal(keys, "new", "--plain", cwd=tmp_path)
    assert "You have an unfinished draft: web" in output
    assert "Kind of Zmachine" not in output


@pytest.mark.slow
def test_new_from_starts_with_the_answers_of_a_recipe(recipe: Path, tmp_path: Path) -> None:
    Recipe.load(recipe)
    code, output = in_a_terminal(
        [("What next?", "\x03")], "new", "--plain", "--from", str(recipe), cwd=tmp_path
    )
    assert code == 130
    assert "Review: web" in output
