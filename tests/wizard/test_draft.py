"""The draft is on the disk as soon as an answer is typed, whatever happens next."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from zwizard.recipe.fields import Checklist
from zwizard.recipe.model import Recipe
from zwizard.util import paths
from zwizard.wizard import questions
from zwizard.wizard.draft import Draft


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "draft.json"


def test_there_are_none_at_first(file: Path) -> None:
    assert dict(Draft.open(file)) == {}
    assert not file.exists()


def test_an_answer_is_there_for_the_next_program(file: Path) -> None:
    Draft.open(file).set("name", "grün")
    assert dict(Draft.open(file)) == {"name": "grün"}


def test_a_wrong_answer_is_kept_as_it_was_typed(file: Path) -> None:
    Draft.open(file).set("name", "not a name\n")
    assert Draft.open(file)["name"] == "not a name\n"


@pytest.mark.slow
def test_answers_survive_a_kill_right_after_they_were_typed(file: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from zwizard.wizard.draft import Draft\n"
        "Draft.open(Path(sys.argv[1])).set('name', 'kept'); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(file)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert Draft.open(file)["name"] == "kept"


@pytest.mark.parametrize("torn", ["", '{"name": "x', "[1, 2]", "null", '{"name": 3}', "\0\0"])
def test_a_torn_file_is_no_answers_rather_than_a_crash(file: Path, torn: str) -> None:
    file.parent.mkdir()
    file.write_text(torn)
    assert dict(Draft.open(file)) == {}


def test_bytes_that_are_no_text_are_no_answers(file: Path) -> None:
    file.parent.mkdir()
    file.write_bytes(b'{"name": "\xff\xfe"}')
    assert dict(Draft.open(file)) == {}


def test_keys_that_nothing_asks_any_more_are_dropped(file: Path) -> None:
    file.parent.mkdir()
    file.write_text(json.dumps({"name": "web", "colour": "red"}))
    assert dict(Draft.open(file)) == {"name": "web"}


def test_the_answers_of_a_recipe_replace_the_draft_and_lead_back_to_it(file: Path) -> None:
    recipe = Recipe(name="web", checklist=Checklist(waive=("setuid-files",)))
    answers = Draft.open(file)
    answers.set("system.locale", "POSIX")
    answers.load(recipe)
    assert questions.to_recipe(Draft.open(file)) == recipe


def test_forgotten_answers_are_gone_from_the_disk_too(file: Path) -> None:
    answers = Draft.open(file)
    answers.set("name", "web")
    answers.clear()
    assert not file.exists()
    assert len(answers) == 0
    answers.clear()


def test_a_draft_without_a_file_stays_in_memory() -> None:
    answers = Draft()
    answers.set("name", "web")
    assert dict(answers) == {"name": "web"}
    assert not paths.draft().exists()
    answers.clear()
    assert dict(answers) == {}


def test_writing_replaces_the_whole_file_and_leaves_nothing_beside_it(file: Path) -> None:
    paths.write_atomically(file, "long " * 1000)
    paths.write_atomically(file, "short")
    assert file.read_text() == "short"
    assert list(file.parent.iterdir()) == [file]


def test_a_text_that_cannot_be_written_changes_nothing(file: Path) -> None:
    paths.write_atomically(file, "whole")
    with pytest.raises(UnicodeEncodeError):
        paths.write_atomically(file, "half \udce9")
    assert file.read_text() == "whole"
    assert list(file.parent.iterdir()) == [file]


def test_a_failed_write_leaves_no_temporary_file(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="directory"):
        paths.write_atomically(tmp_path / "taken", "text")
    assert list(tmp_path.iterdir()) == [tmp_path / "taken"]


def test_state_and_cache_are_where_the_xdg_variables_say(xdg: Path) -> None:
    assert paths.state() == xdg / "state" / "zwizard"
    assert paths.cache() == xdg / "cache" / "zwizard"
    assert paths.draft().parent == paths.state()


def test_sync_flushes_the_draft_and_never_fails(tmp_path: Path) -> None:
    Draft().sync()
    Draft.open(tmp_path / "none.json").sync()
    answers = Draft.open(tmp_path / "draft.json")
    answers.set("name", "web")
    answers.sync()
    assert Draft.open(tmp_path / "draft.json")["name"] == "web"


def test_a_draft_that_cannot_be_written_reports_why_and_stays_in_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    answers = Draft.open(tmp_path / "file/draft.json")
    answers.set("name", "web")
    assert "file" in answers.unsaved
    assert answers["name"] == "web"
    (tmp_path / "file").unlink()
    answers.save()
    assert answers.unsaved == ""
    assert Draft.open(tmp_path / "file/draft.json")["name"] == "web"


@pytest.mark.parametrize(
    "damage", [lambda f: f.write_text('{"name": "w'), Path.mkdir, lambda f: f.symlink_to("/etc")]
)
def test_a_damaged_draft_is_named_and_set_aside_for_the_next(
    file: Path, damage: Callable[[Path], None]
) -> None:
    file.parent.mkdir(parents=True)
    damage(file)
    draft = Draft.open(file)
    assert len(draft) == 0
    assert draft.damaged.startswith(f"{file} is damaged: ")
    assert Draft.open(file).damaged
    draft.set("name", "web")
    assert draft.unsaved == ""
    assert Draft.open(file)["name"] == "web"
    assert os.path.lexists(file.with_name("draft.json.damaged"))
