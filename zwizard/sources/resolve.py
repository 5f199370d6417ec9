"""Resolve a recipe: whole paths, inspected files, and what the files say of themselves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from zwizard import sources
from zwizard.recipe.model import Recipe
from zwizard.recipe.problems import Problem, RecipeError
from zwizard.sources import inspection
from zwizard.sources.detect_distro import tree_sum
from zwizard.util.errors import UsageError
from zwizard.util.hashing import sha256_of


def import_settings(recipe: Recipe, base: Path) -> Recipe:
    """``recipe`` with what its file says of itself; as it is where there is nothing to import.

    Of a root file system, which distribution it is; of an OCI image, how it starts. ``base``: what
    a relative location is relative to. Raises RecipeError where the image cannot be used.
    """
    source = recipe.source
    kind = sources.of(source.kind)
    if kind.inspect is None or "://" in source.location:
        return recipe
    file = (base / Path(source.location).expanduser()).absolute()
    report = inspection.inspect(source.kind, file)
    if report.wrong and source.kind == "oci" and file.exists():  # there is no plan without it
        raise RecipeError((Problem("source.location", source.location, report.wrong),))
    return kind.settle(recipe, report.facts) if report.facts else recipe


def resolve(recipe: Recipe, base: Path) -> Recipe:
    """``recipe``, complete: whole paths, sums of its files, and what they say of themselves.

    UsageError for a file that is missing or cannot be used.
    """
    values = recipe.values()
    source, kernel = recipe.source, recipe.kernel
    location, sha256 = _with_sum(values, "source.location", source.sha256, base)
    file, file_sum = _with_sum(values, "kernel.file", kernel.sha256, base)
    initrd, initrd_sum = _with_sum(values, "kernel.initrd", kernel.initrd_sha256, base)
    whole = replace(
        recipe,
        source=replace(source, location=location, sha256=sha256),
        kernel=replace(
            kernel, file=file, sha256=file_sum, initrd=initrd, initrd_sha256=initrd_sum
        ),
        output=replace(recipe.output, directory=str(output_directory(recipe, base))),
    )
    return import_settings(whole, base)


def relocate(recipe: Recipe, base: Path, to: Path) -> Recipe:
    """``recipe``, whose paths are relative to ``base``, as it means the same when read in ``to``.

    UsageError for a ``~`` of no user.
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


def place(path: str, base: Path) -> Path:
    """The absolute path that a user means by ``path``; UsageError for a ``~`` of no user."""
    try:
        return (base / Path(path).expanduser()).resolve()
    except RuntimeError:
        raise UsageError(
            f"{path}: there is no such home directory", "Write the path without '~'."
        ) from None


def output_directory(recipe: Recipe, base: Path) -> Path:
    """Where the archive goes, absolute; ``base``: what a relative directory is relative to."""
    return place(recipe.output.directory, base)


def _with_sum(values: dict[str, str], key: str, sha256: str, base: Path) -> tuple[str, str]:
    """The whole path of the file that ``key`` names, and its sum; a URL as it is."""
    location, kind = values[key], inspection.kind_of(values, key)
    if not location or "://" in location:
        return location, sha256
    file = place(location, base)
    if not file.exists():
        raise UsageError(f"{file} does not exist", f"{key} names a file or a URL.")
    if wrong := inspection.inspect(kind, file).wrong:
        raise UsageError(f"{file} cannot be used: {wrong}", f"Name another: {key}.")
    if sha256 and file.is_file():
        return str(file), sha256
    try:
        # An OCI layout's index names everything else in it by its sum.
        return str(file), _sum(file / "index.json" if kind == "oci" and file.is_dir() else file)
    except OSError as error:
        raise UsageError(
            f"{file} cannot be read: {error.strerror}", "Name a file that you may read."
        ) from None


def _sum(path: Path) -> str:
    """The SHA-256 of a file; of a directory, that by which an import verifies it."""
    return tree_sum(path) if path.is_dir() else sha256_of(path)
