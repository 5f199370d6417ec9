"""Build directories: recipe, journal, logs, lock; create, find, list, remove."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from zwizard.engine.layers import discard
from zwizard.jobs import journal
from zwizard.recipe.model import Recipe
from zwizard.sources import entrypoint_check, inspect
from zwizard.sources.detect_distro import tree_sum
from zwizard.sources.import_metadata import import_metadata
from zwizard.util import paths
from zwizard.util.errors import UsageError
from zwizard.wizard.draft import Draft


@dataclass(frozen=True)
class Build:
    """One build: what was decided, what happened, and where the result goes."""

    directory: Path

    @property
    def id(self) -> str:
        """Its name among the builds."""
        return self.directory.name

    @property
    def recipe_file(self) -> Path:
        """The recipe, its output directory absolute."""
        return self.directory / "recipe.toml"

    @property
    def journal(self) -> Path:
        """The journal."""
        return self.directory / "journal.jsonl"

    @property
    def lock(self) -> Path:
        """Held (flock) by the runner as long as anything of it lives."""
        return self.directory / "lock"

    @property
    def cancel_request(self) -> Path:
        """Its existence asks the runner to stop."""
        return self.directory / "cancel"

    @property
    def report_file(self) -> Path:
        """The checklist's report of the archive, as JSON."""
        return self.directory / "report.json"

    @property
    def runner_log(self) -> Path:
        """What the runner itself printed: empty unless it broke."""
        return self.directory / "runner.log"

    def step_log(self, number: int, name: str) -> Path:
        """The log of step ``number`` (from 1)."""
        return self.directory / "logs" / f"{number:02}-{name}.log"

    def recipe(self) -> Recipe:
        """The recipe."""
        return Recipe.load(self.recipe_file)

    def archive(self) -> Path:
        """Where the archive goes."""
        recipe = self.recipe()
        return Path(recipe.output.directory) / f"{recipe.name}.tar.gz"

    def note(self) -> Path | None:
        """What to know for a deployment, beside the archive; None if there is nothing."""
        recipe = self.recipe()
        if recipe.target != "container":
            return None
        return Path(recipe.output.directory) / f"{recipe.name}.deploy.md"

    def running(self) -> bool:
        """Whether a runner is at work on it."""
        try:
            descriptor = os.open(self.lock, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False


def recipe_of(build: Build) -> Recipe | None:
    """The build's recipe; None if this version cannot read it."""
    try:
        return build.recipe()
    except UsageError:
        return None


def hold(answers: Draft) -> bool:
    """Whether a build has these very answers, so that forgetting them loses nothing."""
    recipes = filter(None, map(recipe_of, everything()))
    return any(answers.are_of(recipe) for recipe in recipes)


def directory() -> Path:
    """Where the builds are."""
    return paths.state() / "builds"


def everything() -> list[Build]:
    """All builds, the one that was touched last first."""
    home = directory()
    found = home.iterdir() if home.is_dir() else ()
    builds = [Build(entry) for entry in found if (entry / "recipe.toml").is_file()]
    return sorted(builds, key=_touched, reverse=True)


def _touched(build: Build) -> float:
    for file in (build.journal, build.recipe_file):
        with contextlib.suppress(FileNotFoundError):
            return file.stat().st_mtime
    return 0.0  # it is just being deleted


def find(name: str) -> Build:
    """The build called ``name``; UsageError naming what there is."""
    build = Build(directory() / name)
    if "/" not in name and build.recipe_file.is_file():
        return build
    names = ", ".join(build.id for build in everything()) or "none yet"
    raise UsageError(f"there is no build {name!r}", f"Builds: {names}.")


def place(path: str, base: Path) -> Path:
    """The absolute path that a user means by ``path``; UsageError for a ``~`` that is nobody's."""
    try:
        return (base / Path(path).expanduser()).resolve()
    except RuntimeError:
        raise UsageError(
            f"{path}: there is no such home directory", "Write the path without '~'."
        ) from None


def output_directory(recipe: Recipe, base: Path) -> Path:
    """Where the archive goes, absolute; ``base``: what a relative directory is relative to."""
    return place(recipe.output.directory, base)


def making(archive: Path) -> Build | None:
    """The build that makes ``archive``, or None."""
    return next((build for build in everything() if _makes(build, archive)), None)


def open_for(recipe: Recipe, base: Path) -> Build:
    """The build that makes this recipe's archive: the one that did before, or a new one.

    ``base``: what a relative output directory is relative to. One archive, one build: building an
    edited recipe again continues in the same place, and uses every layer that is still right.
    """
    settled = import_metadata(_settled(recipe, base), base)
    entrypoint_check.prove(settled, base)
    build = making(output_directory(recipe, base) / f"{recipe.name}.tar.gz")
    if build is None:
        build = _fresh(recipe.name)
    elif build.running():
        if build.recipe() == settled:
            return build
        raise UsageError(
            f"{build.id} is being built from another version of this recipe",
            f"Wait for it, or stop it: zwizard cancel {build.id}",
        )
    paths.write_atomically(build.recipe_file, settled.to_toml())
    return build


def _settled(recipe: Recipe, base: Path) -> Recipe:
    """``recipe`` with the whole paths of its files, and the sums that say which are meant."""
    source, kernel = recipe.source, recipe.kernel
    location, sha256 = _meant(source.kind, "source.location", source.location, source.sha256, base)
    own, own_sum = _meant("kernel", "kernel.file", kernel.file, kernel.sha256, base)
    initrd, initrd_sum = _meant(
        "initrd", "kernel.initrd", kernel.initrd, kernel.initrd_sha256, base
    )
    return replace(
        recipe,
        source=replace(source, location=location, sha256=sha256),
        kernel=replace(kernel, file=own, sha256=own_sum, initrd=initrd, initrd_sha256=initrd_sum),
        output=replace(recipe.output, directory=str(output_directory(recipe, base))),
    )


def _meant(kind: str, key: str, location: str, sha256: str, base: Path) -> tuple[str, str]:
    """The whole path of the file that ``key`` names, and its sum; a URL as it is."""
    if not location or "://" in location:
        return location, sha256
    file = place(location, base)
    if not file.exists():
        raise UsageError(f"{file} does not exist", f"{key} names a file or a URL.")
    if wrong := inspect.look(kind, file).wrong:
        raise UsageError(f"{file} cannot be taken: {wrong}", f"Name another: {key}.")
    if sha256 and file.is_file():
        return str(file), sha256
    try:
        # An OCI layout's index names everything else in it by its sum.
        sha256 = _sum_of(file / "index.json" if kind == "oci" and file.is_dir() else file)
    except OSError as error:
        raise UsageError(
            f"{file} cannot be read: {error.strerror}", "Name a file that you may read."
        ) from None
    return str(file), sha256


def _sum_of(path: Path) -> str:
    """The SHA-256 of a file; of a directory, that by which an import knows it again."""
    if path.is_dir():
        return tree_sum(path)
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def moved(recipe: Recipe, base: Path, to: Path) -> Recipe:
    """``recipe``, whose paths are relative to ``base``, as it means the same when read in ``to``.

    UsageError for a ``~`` that is nobody's.
    """
    if base.resolve() == to.resolve():
        return recipe

    def whole(path: str) -> str:
        return path if not path or "://" in path else str(place(path, base))

    source, kernel = recipe.source, recipe.kernel
    return replace(
        recipe,
        source=replace(source, location=whole(source.location)),
        kernel=replace(kernel, file=whole(kernel.file), initrd=whole(kernel.initrd)),
        output=replace(recipe.output, directory=str(output_directory(recipe, base))),
    )


def container_at(archive: Path) -> tuple[Recipe, Path] | None:
    """Of a container's archive that a build makes: its recipe, and the note beside it."""
    build = making(archive)
    recipe = recipe_of(build) if build else None
    note = build.note() if build and recipe else None
    return (recipe, note) if recipe and note else None


def _makes(build: Build, archive: Path) -> bool:
    try:
        return build.archive() == archive
    except UsageError:
        return False  # a recipe that an older version wrote and this one refuses


def _fresh(name: str) -> Build:
    for candidate in _names(name):
        place = directory() / candidate
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            place.mkdir()
        except FileExistsError:
            continue
        (place / "logs").mkdir()
        return Build(place)
    raise AssertionError("there are endless names")


def _names(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield f"{name}-{number}"
        number += 1


def free_name(name: str) -> str:
    """``name``, with a number behind it if there is such a build already."""
    return next(free for free in _names(name) if not (directory() / free).exists())


def remove(build: Build) -> None:
    """Delete a build's directory; its archive and its layers stay."""
    if build.running():
        raise UsageError(f"{build.id} is running", f"Stop it first: zwizard cancel {build.id}")
    discard(build.directory)


def request_cancel(build: Build) -> bool:
    """Ask the runner to stop; False if there is none."""
    if not build.running():
        return False
    build.cancel_request.touch()
    return True


def events(build: Build) -> list[journal.Event]:
    """What happened so far."""
    return journal.replay(build.journal)
