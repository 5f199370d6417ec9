"""The tree that layers unpack to, read in one pass: all names, and the heads of programs."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from zwizard.image.archive.byte_stream import ArchiveError, ByteStream
from zwizard.image.archive.tar_reader import Member, contents, members
from zwizard.image.tarball import inside, too_long
from zwizard.image.tree import Entry, EntryType, FileTree, LinkProblem, UnreadableError
from zwizard.image.tree_index import IndexedTree, IndexFullError

_HEAD = 8 << 10  # bytes of a program: its interpreter is named there
_HEADS = 32 << 20  # bytes of all programs that are kept
# Nothing else becomes part of a flist.
_KEPT = {EntryType.FILE, EntryType.DIRECTORY, EntryType.LINK}
_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"  # OCI image layer specification, "Whiteouts"
# As scripts/import.sh has them.
_TOP_DIRECTORIES = {"bin", "boot", "etc", "lib", "sbin", "usr", "var"}


class LayeredTree(IndexedTree):
    """The tree of several archives unpacked over each other; of programs only the heads.

    ``complete`` is false if an archive was damaged or too large.
    """

    heads_only = True

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.complete = True
        self._heads: dict[int, bytes] = {}
        self._room = _HEADS
        self._files = 0

    def add_archive(self, source: ByteStream, *, layer: bool = False) -> None:
        """Unpack the tar archive ``source`` over the tree; whiteouts count in a ``layer``."""
        changes = _LayerChanges()
        try:
            for member in members(source):
                self._add_member(member, source, changes, layer=layer)
        except (ArchiveError, IndexFullError):
            self.complete = False
        if changes.removed or changes.emptied:
            self._rebuild(entry for entry in self.entries() if not changes.removes(entry.path))

    def unwrap(self) -> None:
        """Move a system out of the only directory at the top, as the import does."""
        if root := only_directory(self):
            within = [entry for entry in self.entries() if entry.path != root]
            self._rebuild(replace(entry, path=entry.path.removeprefix(root)) for entry in within)

    def open_entry(self, entry: Entry) -> BinaryIO:
        """The head of a program; raises UnreadableError for any other file."""
        if entry.inode not in self._heads:
            raise UnreadableError(f"{entry.path} was not read", "Check the built image.")
        return io.BytesIO(self._heads[entry.inode])

    def _add_member(
        self, member: Member, source: ByteStream, changes: _LayerChanges, *, layer: bool
    ) -> None:
        named, climbs = inside(member.name)
        if climbs or too_long(named) or named == "/" or member.kind not in _KEPT:
            return
        parent, _, name = named.rpartition("/")
        parent = self._real(parent)
        path = f"{parent}/{name}"
        if layer and name == _OPAQUE:
            changes.emptied.add(parent)
        elif layer and name.startswith(_WHITEOUT):
            changes.removed.add(f"{parent}/{name.removeprefix(_WHITEOUT)}")
        elif entry := self._entry(path, member):
            before = self._put(entry)
            changes.own.add(path)
            directory = before is not None and before.kind is EntryType.DIRECTORY
            if directory and entry.kind is not EntryType.DIRECTORY:
                changes.removed.add(path)
            if entry.kind is EntryType.FILE and not member.hard and entry.mode & 0o111:
                self._keep(entry, member, source)

    def _real(self, parent: str) -> str:
        """The real path of a directory: links of earlier archives are followed."""
        there = self.node(parent or "/")
        if there is not None and there.kind is EntryType.DIRECTORY:
            return parent
        found = self.resolve(parent)
        if found.entry is not None:
            return found.entry.path.rstrip("/")
        return found.missing if found.problem is LinkProblem.MISSING else parent

    def _entry(self, path: str, member: Member) -> Entry | None:
        if member.hard:
            other = self.resolve(inside(member.target)[0]).file
            return other and replace(other, path=path)
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
        self._clear()
        for entry in kept:
            self._put(entry)


class _LayerChanges:
    """What an archive adds (``own``), removes or empties of the layers below it."""

    def __init__(self) -> None:
        self.own: set[str] = set()
        self.removed: set[str] = set()
        self.emptied: set[str] = set()

    def removes(self, path: str) -> bool:
        if path in self.own:
            return False
        if path in self.removed:
            return True
        while path:
            path = path.rpartition("/")[0]
            if path in self.removed or path in self.emptied:
                return True
        return False


def only_directory(tree: FileTree) -> str:
    """The path of the only directory at the top if it holds the whole system, else ""."""
    top = tree.children("/")
    if len(top) != 1 or top[0].kind is not EntryType.DIRECTORY or top[0].name in _TOP_DIRECTORIES:
        return ""
    within = {entry.name for entry in tree.children(top[0].path)}
    return top[0].path if len(_TOP_DIRECTORIES & within) > 1 else ""
