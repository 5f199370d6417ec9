"""One new thing is one new file: a kind of source, a page with a question."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from zwizard import sources
from zwizard.plan.targets import make
from zwizard.recipe import relevance
from zwizard.sources import inspection
from zwizard.wizard import questions
from zwizard.wizard.questions import asking, catalogue
from zwizard.wizard.questions.record import Page, Question

SQUASHFS = '''
"""A squashfs image."""

from zwizard.sources.base import InputReport, SourceKind
from zwizard.steps.actions import Host
from zwizard.steps.step import Step


def _unpack(recipe):
    return (Step("unpack", "Unpack", ("why",), (Host(("unsquashfs", recipe.source.location)),)),)


SOURCE = SourceKind(
    title="A squashfs image",
    about={"container": "Unpacked as it is."},
    tree={"container": _unpack},
    file_title="Squashfs",
    file_why="A file that mksquashfs wrote.",
    file_example="root.squashfs",
    inspect=lambda file: InputReport(f"{file.name}: squashfs"),
)
'''


@pytest.fixture(autouse=True)
def _without_cache() -> Iterator[None]:
    asking._evaluation.cache_clear()
    yield
    asking._evaluation.cache_clear()


def test_a_kind_of_source_is_one_file_and_a_line_of_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "squash_fs.py").write_text(SQUASHFS)
    (tmp_path / "root.squashfs").write_bytes(b"hsqs")
    monkeypatch.setattr(sources, "__path__", [*sources.__path__, str(tmp_path)])
    monkeypatch.setitem(relevance.SOURCES, "squash-fs", {"container": "kept"})
    answers = {
        "target": "container",
        "source.kind": "squash-fs",
        "source.location": str(tmp_path / "root.squashfs"),
    }
    by_key = {question.key: question for question in questions.asked(answers)}
    kinds = {choice.value: choice for choice in by_key["source.kind"].choices(answers)}
    assert kinds["squash-fs"].title == "A squashfs image"
    assert by_key["source.location"].text == "Squashfs"
    assert questions.problems(answers) == {}
    assert inspection.report(answers).summary == "root.squashfs: squashfs"
    recipe = questions.to_recipe(answers)
    assert [step.name for step in make(recipe).steps] == ["unpack", "pack"]
    on_a_vm = answers | {"target": "vm"}
    assert "becomes a container" in questions.problems(on_a_vm)["source.kind"]


def test_a_page_of_questions_is_one_file_and_an_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    question = Question("checklist.waive", "list", "Rules whose failure you accept.")
    page = Page("checks", "Checks", "What may fail?", (question,))
    monkeypatch.setattr(catalogue, "PAGES", (*catalogue.PAGES, page))
    answers = {"checklist.waive": "setuid-files"}
    assert [page.name for page in questions.pages(answers)][-1] == "checks"
    (asked,) = questions.on_page("checks", answers)
    assert asked.text == "Accepted rules"
    recipe = questions.to_recipe(answers)
    assert recipe.checklist.waive == ("setuid-files",)
    assert questions.from_recipe(recipe)["checklist.waive"] == "setuid-files"
