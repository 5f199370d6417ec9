"""What one key typed on a page costs: one recipe, and no look at other builds."""

from __future__ import annotations

from typing import Any

import pytest

from zwizard.engine import builds
from zwizard.host.privileges import Privilege
from zwizard.recipe.model import Recipe
from zwizard.wizard import questions, suggestions
from zwizard.wizard.previews import preview
from zwizard.wizard.review import HostState, review_of
from zwizard.wizard.suggestion_service import SuggestionService

HOST = HostState(Privilege("root", "root"), "Linux")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The name of each recipe that is made."""
    names: list[str] = []
    initialise = Recipe.__init__

    def count(self: Recipe, *args: Any, **options: Any) -> None:
        initialise(self, *args, **options)
        names.append(self.name)

    monkeypatch.setattr(Recipe, "__init__", count)
    return names


@pytest.mark.parametrize(
    ("page", "answers"),
    [
        ("system", {"name": "key-vm"}),
        ("disk", {"target": "image", "name": "key-image"}),
        ("container", {"target": "container", "container.entrypoint": "/x", "name": "key-box"}),
    ],
)
def test_a_key_makes_one_recipe_and_looks_at_no_build(
    page: str, answers: dict[str, str], made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builds, "everything", None)
    known = SuggestionService().current(answers)
    for question in questions.on_page(page, answers):
        questions.problem(question, answers)
        suggestions.hint(question, answers, known, typing=True)
    preview(page, answers, 40)
    questions.pages(answers)
    assert review_of(answers, HOST, wait=False).recipe is not None
    assert made == [answers["name"]]
