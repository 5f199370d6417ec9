"""The draft: answers saved at every change, until they are built."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from zwizard.engine import builds
from zwizard.recipe.model import Recipe
from zwizard.util import paths, state_files
from zwizard.util.places import explained
from zwizard.util.state_files import DamagedError
from zwizard.wizard import questions

_ASIDE = "Its answers are lost; the next draft sets it aside as draft.json.damaged."


class Draft(Mapping[str, str]):
    """A mapping of question key to the text of its answer, saved at every change.

    A wrong answer is kept too: going back, quitting or crashing loses nothing that was typed.
    ``path`` None keeps the draft in memory only. ``unsaved`` says why the latest change could not
    be saved, and is "" if it was saved. ``damaged`` says what is wrong with the file, or is "": it
    is set aside before another is written.
    """

    def __init__(self, path: Path | None = None, answers: Mapping[str, str] | None = None) -> None:
        self.path = path
        self.unsaved = ""
        self.damaged = ""
        self._answers: dict[str, str] = dict(answers or {})

    @classmethod
    def open(cls, path: Path) -> Draft:
        """The draft in the file at ``path``; empty if it is missing or damaged."""
        data: dict[str, Any] = {}
        damaged = ""
        try:
            if os.path.lexists(path):
                data = state_files.read_json(path, _ASIDE)
        except DamagedError as error:
            damaged = f"{error.message}. {error.hint}"
        except OSError as error:
            damaged = f"{path}: {error.strerror or error}"
        keys = {
            questions.BASE,
            questions.HERE,
            *(question.key for question in questions.all_questions()),
        }
        answers = {
            key: text for key, text in data.items() if key in keys and isinstance(text, str)
        }
        draft = cls(path, answers)
        draft.damaged = damaged
        return draft

    def __getitem__(self, key: str) -> str:
        return self._answers[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._answers)

    def __len__(self) -> int:
        return len(self._answers)

    def set(self, key: str, text: str) -> None:
        """Answer the question ``key``, and save."""
        if self._answers.get(key) != text:
            self._answers[key] = text
            self.save()

    def load(self, recipe: Recipe) -> None:
        """Replace the answers with those of ``recipe``, and save."""
        self._answers = questions.from_recipe(recipe)
        self.save()

    def matches(self, recipe: Recipe) -> bool:
        """Whether these are exactly the answers of ``recipe``, on whatever page."""
        answers = {key: text for key, text in self._answers.items() if key != questions.HERE}
        return answers == questions.from_recipe(recipe)

    def is_built(self) -> bool:
        """Whether a build has exactly these answers, so that clearing them loses nothing."""
        recipes = filter(None, map(builds.recipe_of, builds.everything()))
        return any(self.matches(recipe) for recipe in recipes)

    def clear(self) -> None:
        """Discard the answers: they were built, or the user starts over."""
        self._answers, self.unsaved = {}, ""
        if self.path:
            self._set_aside(self.path)
            self.path.unlink(missing_ok=True)

    def save(self) -> None:
        """Write the draft to the disk; ``unsaved`` says why if that fails."""
        if not self.path:
            return
        try:
            text = json.dumps(self._answers, ensure_ascii=False, indent=1)
            self._set_aside(self.path)
            paths.write_atomically(self.path, text, lasting=False)
        except OSError as error:
            self.unsaved = explained(error).message
        else:
            self.unsaved = ""

    def _set_aside(self, path: Path) -> None:
        if self.damaged:
            path.replace(path.with_name(f"{path.name}.damaged"))
            self.damaged = ""

    def sync(self) -> None:
        """Flush the draft to the disk, so that it survives a power cut; this may take a while."""
        if not self.path:
            return
        with contextlib.suppress(OSError):  # there is no file, or it could not be written
            descriptor = os.open(self.path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
