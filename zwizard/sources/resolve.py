"""Resolve a recipe: whole paths, inspected files, and what the files say of themselves."""

from dataclasses import replace
from pathlib import Path

from zwizard import sources
from zwizard.recipe.model import Recipe
from zwizard.recipe.problems import Problem, RecipeError
from zwizard.recipe.relevance import LOCAL
from zwizard.sources import inspection
from zwizard.util import places
from zwizard.util.errors import UsageError

_SUMS = {
    "source.location": "source.sha256",
    "kernel.file": "kernel.sha256",
    "kernel.initrd": "kernel.initrd_sha256",
}


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
    if report.wrong and source.kind in LOCAL and file.exists():  # there is no plan without it
        raise RecipeError((Problem("source.location", source.location, report.wrong),))
    return kind.settle(recipe, report.facts) if report.facts else recipe


def resolve(recipe: Recipe, base: Path) -> Recipe:
    """``recipe``, complete: whole paths, sums of its files, and what they say of themselves.

    UsageError for a file that is missing or cannot be used.
    """
    values = _located(recipe, base).values()
    for key, sum_key in _SUMS.items():
        values[sum_key] = _verified_sum(values, key, values[sum_key])
    return import_settings(Recipe.from_values(values), base)


def relocate(recipe: Recipe, base: Path, to: Path) -> Recipe:
    """``recipe``, whose paths are relative to ``base``, as it means the same when read in ``to``.

    UsageError for a ``~`` of no user.
    """
    if base.resolve() == to.resolve():
        return recipe

    return _located(recipe, base)


def _located(recipe: Recipe, base: Path) -> Recipe:
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
    """Where the archive goes, absolute; ``base``: what a relative directory is relative to.

    UsageError if it is a link to nothing.
    """
    directory = place(recipe.output.directory, base)
    if reason := places.dangling(base / Path(recipe.output.directory).expanduser()):
        raise UsageError(reason, "Name another directory: output.directory.")
    return directory


def _verified_sum(values: dict[str, str], key: str, sha256: str) -> str:
    """The sum of the file that ``key`` names; UsageError if it cannot be used."""
    location, kind = values[key], inspection.kind_of(values, key)
    if not location or "://" in location:
        return sha256
    file = Path(location)
    if not file.exists():
        raise UsageError(f"{file} does not exist", f"{key} names a file or a URL.")
    if wrong := inspection.inspect(kind, file).wrong:
        raise UsageError(f"{file} cannot be used: {wrong}", f"Name another: {key}.")
    if sha256 and file.is_file():
        return sha256
    try:
        return inspection.record(kind).sum(file)
    except OSError as error:
        raise UsageError(
            f"{file} cannot be read: {error.strerror}", "Name a file that you may read."
        ) from None
