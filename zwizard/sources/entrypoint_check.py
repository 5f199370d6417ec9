"""Whether the entrypoint of a container is in the file it is built from, before building."""

from dataclasses import replace
from pathlib import Path

from zwizard.image.archive.byte_stream import ArchiveError
from zwizard.image.directory import LazyDirectoryTree
from zwizard.image.executables.entrypoint import Starter, first_program
from zwizard.image.layered_tree import LayeredTree, only_directory
from zwizard.image.oci import OciError
from zwizard.image.tree import FileTree, UnreadableError
from zwizard.recipe.model import Recipe
from zwizard.recipe.problems import Problem, RecipeError
from zwizard.recipe.relevance import Values, treatment
from zwizard.sources import deployment, inspection
from zwizard.sources.base import InputReport
from zwizard.sources.file_cache import FileCache
from zwizard.util.text import one_line

REMEDY = "Change the entrypoint, or add a package or command that installs what is missing."
ENTRYPOINT = "container.entrypoint"


def takes_long(values: Values) -> bool:
    """Whether the file of these answers must be read for that, which takes a while."""
    kind, file = values.get("source.kind", ""), inspection.file_of(values)
    if values.get("target") != "container" or file is None or not inspection.record(kind).contents:
        return False
    return (
        _is_archive(kind, file)
        and inspection.is_known(values)
        and not inspection.inspect(kind, file).wrong
        and not _trees.has(kind, file)
    )


def report(recipe: Recipe, base: Path, *, wait: bool = True) -> InputReport:
    """Whether what a complete recipe starts is in its file; an empty report if unknown.

    Relative paths are relative to ``base``. Without ``wait`` the report says so where the file
    must be read first.
    """
    source = recipe.source
    if recipe.target != "container" or source.repair or "://" in source.location:
        return InputReport()
    if not inspection.record(source.kind).contents:
        return InputReport()
    file = (base / Path(source.location).expanduser()).absolute()
    if not file.exists() or inspection.inspect(source.kind, file).wrong:
        return InputReport()  # the report on the file itself has it
    if not wait and _is_archive(source.kind, file) and not _trees.has(source.kind, file):
        return InputReport("Searching the file for the entrypoint …")
    try:
        return _weighed(recipe, _searched(recipe, _tree(source.kind, file)))
    except (OSError, ArchiveError, OciError, UnreadableError):
        return InputReport()  # the build will report it


def require(recipe: Recipe, base: Path) -> None:
    """Raise RecipeError if the entrypoint is missing and nothing in the recipe can add it."""
    if wrong := report(recipe, base).wrong:
        raise RecipeError((Problem(ENTRYPOINT, recipe.container.entrypoint or None, wrong),))


def _weighed(recipe: Recipe, found: InputReport) -> InputReport:
    """The report on the file as one on the image that is built from it."""
    if not found.wrong or treatment(recipe.values()) == "kept":  # nothing is added
        return found
    if recipe.source.packages or recipe.system.run:
        return InputReport(doubt=f"{found.wrong}: one of your packages or commands must add it")
    return replace(found, wrong=f"{found.wrong}, and no package or command of yours adds it")


def _searched(recipe: Recipe, tree: FileTree | None) -> InputReport:
    if tree is None:
        return InputReport()
    if script := recipe.container.start:
        found = Starter(tree).check_script(script)
    else:
        found = Starter(tree).check(first_program(deployment.entrypoint(recipe)))
    evidence = one_line(found.evidence)
    return InputReport(f"Found: {evidence}") if found.starts else InputReport(wrong=evidence)


_trees = FileCache[LayeredTree | None](2)  # some ten MiB each; None: incomplete


def _is_archive(kind: str, file: Path) -> bool:
    return treatment({"source.kind": kind, "target": "container"}) == "kept" or file.is_file()


def _tree(kind: str, file: Path) -> FileTree | None:
    """The tree that the build starts from; None if it could not be read completely."""
    if not _is_archive(kind, file):
        root = only_directory(LazyDirectoryTree(file))
        return LazyDirectoryTree(Path(f"{file}{root}"))
    return _trees.get(kind, file, lambda path: _read_archive(kind, path))


def _read_archive(kind: str, file: Path) -> LayeredTree | None:
    contents = inspection.record(kind).contents
    assert contents is not None
    try:
        found = contents(file)
    except (ArchiveError, OciError):
        return None
    return found if found.complete else None
