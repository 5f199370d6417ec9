"""What a fingerprint covers: fields, code, network and environment; and what it does not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from zwizard.plan.targets import make
from zwizard.recipe.fields import System
from zwizard.recipe.model import Recipe
from zwizard.steps import programs
from zwizard.steps.step import Plan

VM = make(Recipe(system=System(run=("true",))))
IMAGE = make(Recipe(target="image"))
ROOTFS = make(Recipe.from_dict({"source": {"kind": "rootfs", "location": "/x"}}))
CACHES = (programs.digest, programs._source, programs._code)
Change = Callable[[str, Callable[[str], str]], None]


@pytest.fixture
def change(monkeypatch: pytest.MonkeyPatch) -> Iterator[Change]:
    """Changes the text of a module or script, as an edit of its file would."""

    def clear() -> None:
        for cached in CACHES:
            cached.cache_clear()

    def changed(name: str, edit: Callable[[str], str]) -> None:
        clear()
        owner = "script" if name.endswith(".sh") else "_source"
        original = getattr(programs, owner).__wrapped__

        def text(asked: str) -> str | None:
            found = original(asked)
            return edit(found) if asked == name else found

        text.cache_clear = lambda: None  # type: ignore[attr-defined]
        monkeypatch.setattr(programs, owner, text)

    clear()
    yield changed
    clear()


def code(text: str) -> str:
    return f"{text}\nnew_code = 1\n"


def comments(text: str) -> str:
    """Other words, and other lines, in what nobody runs."""
    head, quotes, rest = text.partition('"""')
    return f"# new\n\n{head}{quotes}New. {rest}\n\n# new\n"


@pytest.mark.parametrize(
    ("plan", "name", "step"),
    [
        (VM, "zwizard.treetools.gzip", "pack"),
        (VM, "zwizard.treetools.edit", "packages"),
        (VM, "sandbox.sh", "bootstrap"),
        (VM, "disk.sh", ""),
        (VM, "zwizard.treetools.ext4_writer", ""),
        (IMAGE, "zwizard.treetools.ext4_writer", "disk"),
        (IMAGE, "disk.sh", "disk"),
        (ROOTFS, "zwizard.treetools.untar", "import"),
        (ROOTFS, "zwizard.image.archive.tar_reader", "import"),
        (ROOTFS, "import.sh", "import"),
    ],
)
def test_changed_code_changes_the_fingerprints_of_the_steps_that_run_it(
    plan: Plan, name: str, step: str, change: Change
) -> None:
    before = plan.fingerprints()
    change(name, code)
    after = plan.fingerprints()
    changed = [s.name for s, a, b in zip(plan.steps, before, after, strict=True) if a != b]
    assert changed[:1] == ([step] if step else [])


@pytest.mark.parametrize(
    "name",
    ["zwizard.treetools.gzip", "zwizard.treetools.untar", "zwizard.image.archive.tar_reader"],
)
def test_comments_and_docstrings_of_a_module_do_not_count(name: str, change: Change) -> None:
    before = ROOTFS.fingerprints()
    change(name, comments)
    assert ROOTFS.fingerprints() == before


@pytest.mark.parametrize("name", ["disk.sh", "sandbox.sh"])
def test_comments_of_a_script_do_not_count(name: str, change: Change) -> None:
    before = IMAGE.fingerprints()

    def edit(text: str) -> str:
        functions = re.sub(r"^\w+\(\) \{", r"\g<0> # new", text, flags=re.MULTILINE)
        return f"# new words\n{functions}\n# the end\n"

    change(name, edit)
    assert IMAGE.fingerprints() == before


def test_a_module_that_no_step_runs_does_not_count(change: Change) -> None:
    before = VM.fingerprints()
    change("zwizard.image.archive.tar_reader", code)
    assert VM.fingerprints() == before


def test_the_environment_counts_from_the_first_step_on() -> None:
    other = replace(VM, environment=(*VM.environment, ("NEW", "1")))
    assert not set(VM.fingerprints()) & set(other.fingerprints())


def test_whether_a_step_has_the_network_counts() -> None:
    *before, last = VM.steps
    offline = replace(VM, steps=(*before, replace(last, network=not last.network)))
    assert VM.fingerprints()[:-1] == offline.fingerprints()[:-1]
    assert VM.fingerprints()[-1] != offline.fingerprints()[-1]


def test_every_module_and_script_that_an_action_names_is_there() -> None:
    for plan in (VM, IMAGE, ROOTFS):
        for action in (action for step in plan.steps for action in step.actions):
            assert all(map(programs.script, action.scripts))
            assert all(map(programs.source, action.modules))
