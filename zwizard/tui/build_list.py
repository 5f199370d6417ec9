"""Builds as they change: cheap looks at their journals and locks."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from zwizard.engine import builds
from zwizard.engine.builds import Build
from zwizard.engine.status import Status
from zwizard.jobs.follower import Watch
from zwizard.recipe.model import Recipe


@dataclass(frozen=True)
class Entry:
    """One build as the home screen lists it."""

    build: Build
    recipe: Recipe | None
    status: Status


class BuildList:
    """All builds, the one that was touched last first."""

    def __init__(self) -> None:
        self._watches: dict[str, Watch[Status]] = {}
        self._recipes: dict[str, tuple[float, Recipe | None]] = {}

    def look(self) -> tuple[Entry, ...]:
        """Every build as it is now; only what has changed is read again."""
        found = []
        for build in builds.everything():
            watch = self._watches.setdefault(build.id, Watch(build, Status()))
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
