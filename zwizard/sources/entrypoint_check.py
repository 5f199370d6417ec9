"""Whether what a container is to start is in the file it is made of, before anything is built."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from zwizard.image import oci
from zwizard.image.archive.byte_stream import ArchiveError
from zwizard.image.archive.decompress import decompressed
from zwizard.image.directory import Glimpse
from zwizard.image.executables.entrypoint import can_start, first_program
from zwizard.image.executables.start_script import START_SCRIPT
from zwizard.image.layered_tree import LayeredTree, only_directory
from zwizard.image.tree import Entry, EntryType, FileTree, UnreadableError
from zwizard.recipe.model import Recipe
from zwizard.recipe.problems import Problem, RecipeError
from zwizard.recipe.relevance import Values
from zwizard.sources import deployment, inspection
from zwizard.sources.base import InputReport
from zwizard.util.text import one_line

REMEDY = "Change that answer, or let packages or commands of your own bring what is missing."
ENTRYPOINT = "container.entrypoint"
_KINDS = {"oci", "rootfs"}


def takes_long(values: Values) -> bool:
    """Whether it is not known yet what is in the file of these answers, and takes reading it."""
    kind, file = values.get("source.kind", ""), inspection.file_of(values)
    if values.get("target") != "container" or kind not in _KINDS or file is None:
        return False
    return (
        _is_slow(kind, file)
        and inspection.is_known(values)
        and not inspection.inspect(kind, file).wrong
        and not _is_seen(kind, file)
    )


def of_recipe(recipe: Recipe, base: Path, *, patient: bool = True) -> InputReport:
    """The same of a recipe, with what its file says of itself taken over."""
    source = recipe.source
    if recipe.target != "container" or source.kind not in _KINDS or source.repair:
        return InputReport()
    if "://" in source.location:
        return InputReport()
    file = (base / Path(source.location).expanduser()).absolute()
    if not file.exists() or inspection.inspect(source.kind, file).wrong:
        return InputReport()  # which is told where the file is asked for
    if not patient and _is_slow(source.kind, file) and not _is_seen(source.kind, file):
        return InputReport("Looking whether it is there …")
    try:
        return _weighed(recipe, _judged(recipe, _view(source.kind, file)))
    except (OSError, ArchiveError, oci.OciError, UnreadableError):
        return InputReport()  # so it is for the build to tell


def prove(recipe: Recipe, base: Path) -> None:
    """Raise RecipeError where what is to be started is not there, and nothing will bring it."""
    if wrong := of_recipe(recipe, base).wrong:
        raise RecipeError((Problem(ENTRYPOINT, recipe.container.entrypoint or None, wrong),))


def _weighed(recipe: Recipe, found: InputReport) -> InputReport:
    """A verdict on the file, as one on what is built of it."""
    if not found.wrong or recipe.source.kind == "oci":  # nothing is added to an image
        return found
    if recipe.source.packages or recipe.system.run:
        return InputReport(doubt=f"{found.wrong}: your packages or commands have to change that")
    return replace(found, wrong=f"{found.wrong}, and no package or command of yours changes that")


def _judged(recipe: Recipe, view: FileTree | None) -> InputReport:
    if view is None:
        return InputReport()
    if script := recipe.container.start:
        view = _With(view, START_SCRIPT, script.encode())
    found = can_start(view, first_program(deployment.entrypoint(recipe)))
    said = one_line(found.evidence)
    return InputReport(f"There: {said}") if found.starts else InputReport(wrong=said)


@dataclass(frozen=True)
class _Seen:
    """An archive that was looked into, by when it was changed; None where not all of it was."""

    state: tuple[int, int]
    outline: LayeredTree | None


_seen: dict[tuple[str, Path], _Seen] = {}
_MOST_SEEN = 2  # some ten MiB each
_reading = threading.Lock()  # whoever comes second finds it read


def _is_slow(kind: str, file: Path) -> bool:
    return kind == "oci" or (kind == "rootfs" and file.is_file())


def _is_seen(kind: str, file: Path) -> bool:
    seen = _seen.get((kind, file))
    try:
        return seen is not None and seen.state == inspection.state(file)
    except OSError:
        return False


def _view(kind: str, file: Path) -> FileTree | None:
    """The tree that will be built on; None where not all of it can be known."""
    if not _is_slow(kind, file):
        return _glimpse(file)
    with _reading:
        state = inspection.state(file)
        seen = _seen.get((kind, file))
        if seen is None or seen.state != state:
            seen = _Seen(state, _outline(kind, file))
            while len(_seen) >= _MOST_SEEN:
                _seen.pop(next(iter(_seen)))
            _seen[kind, file] = seen
        return seen.outline


def _outline(kind: str, file: Path) -> LayeredTree | None:
    try:
        if kind == "oci":
            found = oci.layered_tree(file)
        else:
            found = LayeredTree(file)
            with file.open("rb") as opened:
                found.lay(decompressed(opened))
            found.hoist()
    except (ArchiveError, oci.OciError):
        return None
    return found if found.whole else None


def _glimpse(file: Path) -> Glimpse:
    """A directory, or the only one in it that a system is in."""
    return Glimpse(Path(f"{file}{only_directory(Glimpse(file))}"))


class _With(FileTree):
    """A tree with one program more, which the build writes into it."""

    def __init__(self, view: FileTree, path: str, data: bytes) -> None:
        self.path = view.path
        self._view, self._data = view, data
        self._entry = Entry(path, EntryType.FILE, 0o755, len(data), inode=-1)

    def entries(self) -> Iterator[Entry]:
        """Every entry beneath the root."""
        return self._view.entries()

    def node(self, path: str) -> Entry | None:
        """The entry stored at exactly ``path``."""
        return self._entry if path == self._entry.path else self._view.node(path)

    def children(self, path: str) -> tuple[Entry, ...]:
        """What is directly in the directory stored at ``path``."""
        return self._view.children(path)

    def open_entry(self, entry: Entry) -> BinaryIO:
        """The contents of a regular file."""
        return io.BytesIO(self._data) if entry is self._entry else self._view.open_entry(entry)
