"""The answers being given: kept on disk from the moment each is given, until they are built."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from zwizard.engine import builds
from zwizard.recipe.model import Recipe
from zwizard.util.paths import write_atomically
from zwizard.wizard import questions


class Draft(Mapping[str, str]):
    """A mapping of question key to the text given, saved at every change.

    An answer that is wrong is kept too: going back, leaving or crashing loses nothing that was
    typed. ``path`` None keeps them in memory only. ``unsaved`` says why the disk does not have
    them as they are now, and is empty where it does.
    """

    def __init__(self, path: Path | None = None, given: Mapping[str, str] | None = None) -> None:
        self.path = path
        self.unsaved = ""
        self._given: dict[str, str] = dict(given or {})

    @classmethod
    def open(cls, path: Path) -> Draft:
        """The answers in the file at ``path``; none if it is absent or torn."""
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            data = {}
        known = {
            questions.BASE,
            questions.HERE,
            *(question.key for question in questions.all_questions()),
        }
        given = {
            key: text
            for key, text in (data.items() if isinstance(data, dict) else ())
            if key in known and isinstance(text, str)
        }
        return cls(path, given)

    def __getitem__(self, key: str) -> str:
        return self._given[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._given)

    def __len__(self) -> int:
        return len(self._given)

    def give(self, key: str, text: str) -> None:
        """Answer the question ``key``, and save."""
        if self._given.get(key) != text:
            self._given[key] = text
            self.save()

    def take(self, recipe: Recipe) -> None:
        """Replace the answers by those that lead to ``recipe``, and save."""
        self._given = questions.from_recipe(recipe)
        self.save()

    def are_of(self, recipe: Recipe) -> bool:
        """Whether they are those of ``recipe`` and nothing else, wherever one was."""
        here = self._given.get(questions.HERE)
        beside = {} if here is None else {questions.HERE: here}
        return self._given == questions.from_recipe(recipe) | beside

    def is_built(self) -> bool:
        """Whether a build has exactly these answers, so that clearing them loses nothing."""
        recipes = filter(None, map(builds.recipe_of, builds.everything()))
        return any(self.are_of(recipe) for recipe in recipes)

    def clear(self) -> None:
        """Forget them: they were built, or are not wanted any more."""
        self._given, self.unsaved = {}, ""
        if self.path:
            self.path.unlink(missing_ok=True)

    def save(self) -> None:
        """Write them to the disk; what keeps that from being done is ``unsaved``."""
        if not self.path:
            return
        try:
            text = json.dumps(self._given, ensure_ascii=False, indent=1)
            write_atomically(self.path, text, lasting=False)
        except OSError as error:
            self.unsaved = f"{error.filename or self.path}: {error.strerror or error}"
        else:
            self.unsaved = ""

    def sync(self) -> None:
        """Bring them to the disk, where they outlive a power cut; it may take its time."""
        if not self.path:
            return
        with contextlib.suppress(OSError):  # there are none, or none that could be written
            descriptor = os.open(self.path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
