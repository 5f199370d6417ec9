"""Builds as they change: cheap looks at their journals and locks."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass

from zwizard.engine import builds, status
from zwizard.engine.builds import Build
from zwizard.engine.status import Status
from zwizard.jobs.journal import Reader
from zwizard.recipe.model import Recipe


class BuildWatch:
    """One build: each :meth:`look` reads only what its journal has gained since the last.

    Looks may meet in several threads: one that was given up goes on to its end.
    """

    def __init__(self, build: Build) -> None:
        self.build = build
        self._reader = Reader(build.journal)
        self._told = Status()
        self._one = threading.Lock()

    def look(self) -> Status:
        """The build's status now."""
        with self._one:
            for event in self._reader.read():
                self._told = self._told.after(event)
            return status.settle(self._told, self.build)


@dataclass(frozen=True)
class Entry:
    """One build as the home screen lists it."""

    build: Build
    recipe: Recipe | None
    status: Status


class BuildList:
    """All builds, the one that was touched last first."""

    def __init__(self) -> None:
        self._watches: dict[str, BuildWatch] = {}
        self._recipes: dict[str, tuple[float, Recipe | None]] = {}

    def look(self) -> tuple[Entry, ...]:
        """Every build as it is now; only what has changed is read again."""
        found = []
        for build in builds.everything():
            watch = self._watches.setdefault(build.id, BuildWatch(build))
            with contextlib.suppress(FileNotFoundError):  # it is just being deleted
                found.append(Entry(build, self._recipe(build), watch.look()))
        gone = self._watches.keys() - {entry.build.id for entry in found}
        for name in gone:
            self._watches.pop(name, None)
        return tuple(found)

    def _recipe(self, build: Build) -> Recipe | None:
        changed = build.recipe_file.stat().st_mtime
        known = self._recipes.get(build.id)
        if known is None or known[0] != changed:
            known = (changed, builds.recipe_of(build))
            self._recipes[build.id] = known
        return known[1]
