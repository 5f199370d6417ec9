"""What lies in archives before they are unpacked: every name, and how each program begins."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, BinaryIO

from zwizard.image.archive.byte_stream import ArchiveError
from zwizard.image.archive.tar_reader import contents, members
from zwizard.image.tarball import inside
from zwizard.image.tree import Entry, EntryType, LinkProblem, UnreadableError
from zwizard.image.tree_index import Index, IndexedTree, IndexFullError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from zwizard.image.archive.byte_stream import ByteStream
    from zwizard.image.archive.tar_reader import Member
    from zwizard.image.tree import FileTree

_HEAD = 8 << 10  # bytes of a program: its interpreter is named there
_HEADS = 32 << 20  # bytes of all programs that are kept
_KEPT = {
    EntryType.FILE,
    EntryType.DIRECTORY,
    EntryType.LINK,
}  # nothing else becomes part of a flist
_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"  # OCI image layer specification, "Whiteouts"
_HOISTED = {"bin", "boot", "etc", "lib", "sbin", "usr", "var"}  # as scripts/import.sh has them


class LayeredTree(IndexedTree):
    """The tree that archives laid one upon another come to; of programs only their beginnings.

    ``whole`` is false where not all of it is known: an archive was damaged, or held too much.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.whole = True
        self._heads: dict[int, bytes] = {}
        self._room = _HEADS
        self._files = 0

    def lay(self, source: ByteStream, *, layer: bool = False) -> None:
        """Lay the tar archive ``source`` upon what is there; whiteouts count in a ``layer``."""
        laid = _Layer()
        try:
            for member in members(source):
                self._take(member, source, laid, layer=layer)
        except (ArchiveError, IndexFullError):
            self.whole = False
        if laid.gone or laid.emptied:
            self._rebuild(entry for entry in self.entries() if not laid.takes_away(entry.path))

    def hoist(self) -> None:
        """Take a system out of the only directory, as the import does."""
        if root := only_directory(self):
            within = [entry for entry in self.entries() if entry.path != root]
            self._rebuild(_moved(entry, entry.path.removeprefix(root)) for entry in within)

    def open_entry(self, entry: Entry) -> BinaryIO:
        """How the program begins; of any other file nothing is known."""
        if entry.inode not in self._heads:
            raise UnreadableError(
                f"{entry.path} was not looked into", "Check what is built of it."
            )
        return io.BytesIO(self._heads[entry.inode])

    def _take(self, member: Member, source: ByteStream, laid: _Layer, *, layer: bool) -> None:
        named, climbs = inside(member.name)
        if climbs or named == "/" or member.kind not in _KEPT:
            return
        parent, _, name = named.rpartition("/")
        parent = self._real(parent)
        path = f"{parent}/{name}"
        if layer and name == _OPAQUE:
            laid.emptied.add(parent)
        elif layer and name.startswith(_WHITEOUT):
            laid.gone.add(f"{parent}/{name.removeprefix(_WHITEOUT)}")
        elif entry := self._entry(path, member):
            before = self._index.add(entry)
            laid.own.add(path)
            if (
                before
                and before.kind is EntryType.DIRECTORY
                and entry.kind is not EntryType.DIRECTORY
            ):
                laid.gone.add(path)
            if entry.kind is EntryType.FILE and not member.hard and entry.mode & 0o111:
                self._keep(entry, member, source)

    def _real(self, parent: str) -> str:
        """Where a directory is, links to directories of an earlier archive followed."""
        there = self._index.get(parent or "/")
        if there is not None and there.kind is EntryType.DIRECTORY:
            return parent
        found = self.resolve(parent)
        if found.entry is not None:
            return found.entry.path.rstrip("/")
        return found.missing if found.trouble is LinkProblem.MISSING else parent

    def _entry(self, path: str, member: Member) -> Entry | None:
        if member.hard:
            other = self.resolve(inside(member.target)[0]).file
            return other and _moved(other, path)
        self._files += 1
        size = member.size if member.kind is EntryType.FILE else 0
        return Entry(path, member.kind, member.mode, size, target=member.target, inode=self._files)

    def _keep(self, entry: Entry, member: Member, source: ByteStream) -> None:
        if self._room > 0:
            offset, first = next(contents(source, member), (0, b""))
            self._heads[entry.inode] = first[:_HEAD] if offset == 0 else b""
            self._room -= _HEAD

    def _rebuild(self, entries: Iterator[Entry]) -> None:
        kept = list(entries)
        self._index = Index()
        for entry in kept:
            self._index.add(entry)


class _Layer:
    """What one archive brought (``own``), and what it takes away of those below it."""

    def __init__(self) -> None:
        self.own: set[str] = set()
        self.gone: set[str] = set()
        self.emptied: set[str] = set()

    def takes_away(self, path: str) -> bool:
        if path in self.own:
            return False
        if path in self.gone:
            return True
        while path:
            path = path.rpartition("/")[0]
            if path in self.gone or path in self.emptied:
                return True
        return False


def only_directory(tree: FileTree) -> str:
    """The path of the only directory where the whole system is in that, else ""."""
    top = tree.children("/")
    if len(top) != 1 or top[0].kind is not EntryType.DIRECTORY or top[0].name in _HOISTED:
        return ""
    within = {entry.name for entry in tree.children(top[0].path)}
    return top[0].path if len(_HOISTED & within) > 1 else ""


def _moved(entry: Entry, path: str) -> Entry:
    return Entry(path, entry.kind, entry.mode, entry.size, target=entry.target, inode=entry.inode)
