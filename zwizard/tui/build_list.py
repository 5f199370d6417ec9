"""The list of all builds, kept current cheaply from their journals and locks."""

import contextlib
from dataclasses import dataclass

from zwizard.engine import builds
from zwizard.engine.builds import Build
from zwizard.engine.status import Status
from zwizard.jobs.follower import Watch
from zwizard.recipe.model import Recipe


@dataclass(frozen=True)
class ListedBuild:
    """One build as the home screen lists it."""

    build: Build
    recipe: Recipe | None
    status: Status


class BuildList:
    """All builds, the most recently changed first."""

    def __init__(self) -> None:
        self._watches: dict[str, Watch[Status]] = {}
        self._recipes: dict[str, tuple[float, Recipe | None]] = {}

    def look(self) -> tuple[ListedBuild, ...]:
        """Every build as it is now; rereads only what has changed."""
        listed = []
        for build in builds.everything():
            watch = self._watches.setdefault(build.id, Watch(build, Status()))
            with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
                listed.append(ListedBuild(build, self._recipe(build), watch.look()))
        deleted = self._watches.keys() - {one.build.id for one in listed}
        for name in deleted:
            self._watches.pop(name, None)
        return tuple(listed)

    def _recipe(self, build: Build) -> Recipe | None:
        changed = build.recipe_file.lstat().st_mtime
        cached = self._recipes.get(build.id)
        if cached is None or cached[0] != changed:
            cached = (changed, builds.recipe_of(build))
            self._recipes[build.id] = cached
        return cached[1]
