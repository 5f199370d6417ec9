"""Keys and drafts for the tests of the line-by-line wizard."""

from __future__ import annotations

import pytest
from prompt_toolkit.input import PipeInput

from zwizard.recipe.model import Recipe
from zwizard.util import paths
from zwizard.wizard.draft import Draft

ENTER, DOWN, UP, CTRL_C, CTRL_D = "\r", "\x1b[B", "\x1b[A", "\x03", "\x04"
CLEAR = "\x15"  # empties the line
BACK_BY_WORD = CLEAR + "<" + ENTER
LEAVE = UP + ENTER  # the last entry of the review

Capture = pytest.CaptureFixture[str]


def press(keyboard: PipeInput, *keys: str) -> None:
    """Type these keys; then the line is closed, so that no test waits for ever."""
    keyboard.send_text("".join(keys))
    keyboard.close()


def answers() -> dict[str, str]:
    return dict(Draft.open(paths.draft()))


def save_draft(**answers: str) -> Draft:
    """A draft with these answers; ``__`` stands for the dot in a key."""
    draft = Draft.open(paths.draft())
    for key, text in answers.items():
        draft.set(key.replace("__", "."), text)
    return draft


def save_full_draft(recipe: Recipe | None = None) -> None:
    """A draft that answers everything, so that the wizard starts with the review."""
    Draft.open(paths.draft()).load(recipe or Recipe())
