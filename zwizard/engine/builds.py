"""Build directories: recipe, journal, logs, lock; create, find, list, remove."""

import contextlib
import hashlib
import os
from pathlib import Path

from zwizard.engine.layers import Store, discard
from zwizard.host.privileges import Privilege
from zwizard.jobs import lock
from zwizard.jobs.events import BuildCancelled, BuildFailed, BuildInterrupted
from zwizard.jobs.job import Job, JobFile
from zwizard.recipe.model import Recipe
from zwizard.sources import entrypoint_check
from zwizard.sources.resolve import output_directory, resolve
from zwizard.util import paths, state_files, user_files
from zwizard.util.errors import UsageError
from zwizard.util.user_files import UserFiles


class Build(Job):
    """One build: its recipe, what happened, and where the result goes."""

    worker = "zwizard.engine.worker"
    failed = BuildFailed
    cancelled = BuildCancelled
    interrupted = BuildInterrupted

    recipe_file = JobFile("recipe.toml")  # with an absolute output directory
    report_file = JobFile("report.json")  # the checklist's report of the archive

    def workspace(self, cache: Path, privilege: Privilege) -> Path:
        """Among the layers that this privilege makes."""
        # Another state home may have a build of this name, on the same cache.
        owner = hashlib.sha256(os.fsencode(self.directory)).hexdigest()[:8]
        return Store(privilege.layers_below(cache)).work(f"{self.id}-{owner}")

    @property
    def user_files(self) -> UserFiles:
        """Where it is remembered what zwizard wrote for the user."""
        return UserFiles(self.directory.parents[1] / "user-files")

    def targets(self) -> tuple[Path, Path]:
        """Where the archive goes, and the deployment note beside it."""
        return targets(self.recipe())

    def outputs(self) -> tuple[Path, ...]:
        """Those that zwizard wrote, with what is remembered of them."""
        files = self.user_files
        ours = [path for path in self.targets() if path.exists() and not files.foreign(path)]
        return (*ours, *map(files.record, ours))

    def after_end(self, workspace: Path) -> None:
        """Sync the layers: until that is done, they count during this boot only."""
        Store.of(workspace).sync()

    def step_log(self, number: int, name: str) -> Path:
        """The log of step ``number`` (from 1)."""
        return self.directory / "logs" / f"{number:02}-{name}.log"

    def recipe(self) -> Recipe:
        """The recipe; UsageError if its file is damaged, or of another version."""
        remedy = f"Build the recipe again, or remove this build: zwizard rm {self.id}"
        return Recipe.from_toml(state_files.read(self.recipe_file, remedy), str(self.recipe_file))

    def archive(self) -> Path:
        """Where the archive goes."""
        return self.targets()[0]

    def note(self) -> Path:
        """The deployment note beside the archive."""
        return self.targets()[1]


def targets(recipe: Recipe, directory: Path | None = None) -> tuple[Path, Path]:
    """Where the archive of ``recipe`` and its deployment note go.

    ``directory`` takes the place of the recipe's, where that is not absolute.
    """
    archive = (directory or Path(recipe.output.directory)) / f"{recipe.name}.tar.gz"
    return archive, archive.with_name(f"{recipe.name}.deploy.md")


def claim(build: Build, *, replace: bool) -> None:
    """Make sure that ``build`` may write its files; ForeignFileError if others are there.

    ``replace``: those that are there now may be replaced.
    """
    build.user_files.claim(*build.targets(), replace=replace)


def replaced(recipe: Recipe, directory: Path) -> str:
    """The earlier archive that one of ``recipe`` in ``directory`` replaces, "" if there is none.

    Files that zwizard did not write are not meant: see :class:`UserFiles`.
    """
    archive, *_ = targets(recipe, directory)
    if not archive.exists() or user_files.here().foreign(archive):
        return ""
    build = making(archive)
    return f"{archive.name} of {f'the build {build.id}' if build else 'a deleted build'}"


def recipe_of(build: Build) -> Recipe | None:
    """The build's recipe; None if this version cannot read it."""
    try:
        return build.recipe()
    except UsageError:
        return None


def directory() -> Path:
    """Where the builds are."""
    return paths.state() / "builds"


def everything() -> list[Build]:
    """All builds, the one that changed last first."""
    home = directory()
    found = home.iterdir() if home.is_dir() else ()
    builds = [Build(entry) for entry in found if os.path.lexists(entry / "recipe.toml")]
    return sorted(builds, key=_changed, reverse=True)


def _changed(build: Build) -> float:
    for file in (build.journal, build.recipe_file):
        with contextlib.suppress(FileNotFoundError):
            return file.lstat().st_mtime
    return 0.0  # it is just being deleted


def find(name: str) -> Build:
    """The build called ``name``; UsageError that lists the builds."""
    build = Build(directory() / name)
    if "/" not in name and os.path.lexists(build.recipe_file):
        return build
    names = ", ".join(build.id for build in everything()) or "none yet"
    raise UsageError(f"there is no build {name!r}", f"Builds: {names}.")


def making(archive: Path) -> Build | None:
    """The build that makes ``archive``, or None."""
    return next((build for build in everything() if _makes(build, archive)), None)


def open_for(recipe: Recipe, base: Path, *, replace: bool = False) -> Build:
    """The build that makes this recipe's archive, or a new one.

    Paths in the recipe are relative to ``base``. One archive, one build: an edited recipe is built
    in the same directory again, with every layer that it still shares. ForeignFileError if there
    is something that zwizard did not write; ``replace``: that may be replaced.
    """
    resolved = resolve(recipe, base)
    entrypoint_check.require(resolved, base)
    with lock.alone(directory()):  # of several that start at once, one makes the build
        build = making(output_directory(recipe, base) / f"{recipe.name}.tar.gz")
        if build and build.running():
            if build.recipe() == resolved:
                return build
            raise UsageError(
                f"{build.id} is being built from another version of this recipe",
                f"Wait for it, or stop it: zwizard cancel {build.id}",
            )
        user_files.here().claim(*targets(resolved), replace=replace)
        build = build or _new(recipe.name)
        state_files.write(build.recipe_file, resolved.to_toml())
        return build


def container_at(archive: Path) -> Recipe | None:
    """The recipe of a container's archive, if a build makes it."""
    build = making(archive)
    recipe = recipe_of(build) if build else None
    return recipe if recipe and recipe.target == "container" else None


def _makes(build: Build, archive: Path) -> bool:
    try:
        return build.archive() == archive
    except UsageError:
        return False  # a recipe that an older version wrote and this one refuses


def _new(name: str) -> Build:
    for candidate in paths.numbered(name):
        with contextlib.suppress(FileExistsError):
            (directory() / candidate).mkdir(parents=True)
            (directory() / candidate / "logs").mkdir()
            return Build(directory() / candidate)
    raise AssertionError("names never end")


def free_name(name: str) -> str:
    """``name``, with a number after it if there is such a build."""
    return next(free for free in paths.numbered(name) if not (directory() / free).exists())


def remove(build: Build) -> None:
    """Delete the directory of a build; its archive and its layers are kept."""
    with lock.alone(directory()):
        held = lock.acquire(build.lock)
        if held is None:
            raise UsageError(f"{build.id} is running", f"Stop it first: zwizard cancel {build.id}")
        discard(build.directory)
        os.close(held)
