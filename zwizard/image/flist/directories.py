"""The entries of a flist that the hub made: a message for each directory, found by its key."""

import os
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from zwizard.image.examples import Examples
from zwizard.image.flist.capnp import Message, MessageError, Struct
from zwizard.image.flist.database import Database
from zwizard.image.tree import Entry, EntryType

KEY_BYTES = 16  # of a block: BLAKE2b of what it holds
_ROOT = "cae66941d9efbd404e4d88758ea67670"  # BLAKE2b of the empty path
_VALUE = "SELECT value FROM entries WHERE key = ?"
_NAME, PATH, _KEY = 255, 4095, 128  # bytes at most
_SMALLEST = 8  # bytes of a message; the hub writes two where one is too large
_DIRECTORY, _FILE, _LINK, _SPECIAL = range(4)


class Permissions(NamedTuple):
    """What a flist keeps apart from the entries that have it."""

    mode: int
    uid: int
    gid: int


class Directories:
    """Every entry of a flist; ``lost`` are the directories that cannot be read, and why.

    The ids under which a store has the blocks are added to ``stored``.
    """

    def __init__(self, database: Database, stored: set[bytes] | None = None) -> None:
        self._database = database
        self._stored = stored
        self.lost = Examples()
        self._permissions = lru_cache(maxsize=1 << 16)(self._read_permissions)

    def entries(self) -> Iterator[tuple[Entry, bytes]]:
        """The entries beneath the root with their block keys, parents before children."""
        pending = [("", _ROOT)]
        met = {_ROOT}
        while pending:
            path, key = pending.pop()
            for entry, blocks, below in self._read(path, key):
                yield entry, blocks
                if below in met:
                    self.lost.add(f"{entry.path} (it is in the flist twice)")
                elif below:
                    met.add(below)
                    pending.append((entry.path, below))

    def _read(self, path: str, key: str) -> list[tuple[Entry, bytes, str]]:
        """What is in a directory; of one that is damaged nothing, as the node has it."""
        value = self._database.value(_VALUE, key)
        if value is None:
            self.lost.add(f"{path or '/'} (its listing is missing)")
        elif len(value) < _SMALLEST:
            self.lost.add(f"{path or '/'} (its listing is empty: it did not fit 4 MiB)")
        else:
            try:
                return [self._entry(path, inode) for inode in Message(value).root.structs(2)]
            except MessageError as error:
                self.lost.add(f"{path or '/'} ({error})")
        return []

    def _entry(self, parent: str, inode: Struct) -> tuple[Entry, bytes, str]:
        """An entry, the keys of its blocks, and the key of the directory that it is."""
        path = child(parent, inode.text(0, _NAME))
        kind, size, mtime = inode.number(8, 2), inode.number(0, 8), inode.number(12, 4)
        what, (mode, uid, gid) = inode.struct(1), self._permissions(inode.text(2, _KEY))
        sort, blocks, below, target = EntryType.FILE, b"", "", ""
        if kind == _FILE:
            found = what.structs(0) if what else []
            blocks = b"".join(block.content(1, KEY_BYTES) for block in found)
            if self._stored is not None:
                self._stored.update(block.content(0, KEY_BYTES) for block in found)
        elif what is None or kind > _SPECIAL:
            raise MessageError(f"nobody knows what {path} is")
        elif kind == _LINK:
            sort, target = EntryType.LINK, os.fsdecode(what.text(0, PATH))
        elif kind == _DIRECTORY:
            sort, below = EntryType.DIRECTORY, what.text(0, _KEY).decode("ascii", "replace")
        else:  # a type is never stored, and only devices have numbers
            device = what.content(0, _NAME)[:1].isdigit()
            sort = EntryType.CHARACTER if device else EntryType.FIFO
        size = size if sort is EntryType.FILE else 0
        return Entry(path, sort, mode, size, uid, gid, target, mtime=mtime), blocks, below

    def _read_permissions(self, key: bytes) -> Permissions:
        value = self._database.value(_VALUE, key.decode("ascii", "replace"))
        if value is None:
            raise MessageError("the permissions of an entry are missing")
        found = Message(value).root
        uid, gid = (~found.number(place, 8, signed=True) for place in (8, 16))
        return Permissions(found.number(0, 2) & 0o7777, uid, gid)


def child(parent: str, name: bytes) -> str:
    """The path of ``name`` in the directory ``parent``; raises MessageError if it is no name."""
    path = f"{parent}/{os.fsdecode(name)}"
    if name in {b"", b".", b".."} or b"/" in name or b"\0" in name or len(path) > PATH:
        raise MessageError(f"{path[:_NAME]} is no path")
    return path
