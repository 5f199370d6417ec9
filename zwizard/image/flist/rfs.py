"""The entries of a flist that rfs 2 made (.fl): rows of a database."""

import os
import stat
from collections.abc import Iterator
from typing import Any

from zwizard.image.directory import KINDS
from zwizard.image.examples import Examples
from zwizard.image.flist.capnp import MessageError
from zwizard.image.flist.database import Database
from zwizard.image.flist.directories import PATH, child
from zwizard.image.tree import Entry, EntryType

KEY_BYTES = 32  # of a block: SHA-256 of what it holds
_ROOT = 1
_INODES = (
    "SELECT inode.ino, name, mode, size, uid, gid, mtime, data"
    " FROM inode LEFT JOIN extra ON extra.ino = inode.ino WHERE parent = ?"
)
_BLOCKS = "SELECT key FROM block WHERE ino = ? ORDER BY rowid"


class Inodes:
    """Every entry of a flist; ``lost`` are those that cannot be read, and why."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.lost = Examples()

    def entries(self) -> Iterator[tuple[Entry, bytes]]:
        """The entries beneath the root with their block keys, parents before children."""
        pending = [("", _ROOT)]
        met = {_ROOT}
        while pending:
            path, parent = pending.pop()
            for number, *row in self._database.rows(_INODES, parent):
                try:
                    entry = _entry(path, number, *row)
                except MessageError as error:
                    self.lost.add(f"{path or '/'} ({error})")
                    continue
                if number in met:
                    self.lost.add(f"{entry.path} (it is in the flist twice)")
                    continue
                met.add(number)
                yield entry, self._blocks(entry)
                if entry.kind is EntryType.DIRECTORY:
                    pending.append((entry.path, number))

    def _blocks(self, entry: Entry) -> bytes:
        if entry.kind is not EntryType.FILE or not entry.size:
            return b""
        found = self._database.rows(_BLOCKS, entry.inode)
        return b"".join(key for (key,) in found if isinstance(key, bytes))


def _entry(parent: str, number: Any, name: Any, *row: Any) -> Entry:
    *numbers, target = row
    if not all(isinstance(value, int) and value >= 0 for value in (number, *numbers)):
        raise MessageError(f"a number of {name!r} is damaged")
    mode, size, uid, gid, mtime = numbers
    kind = KINDS.get(stat.S_IFMT(mode))
    if kind is None or not isinstance(name, bytes) or (kind is EntryType.LINK and not target):
        raise MessageError(f"nobody knows what {name!r} is")
    size = size if kind is EntryType.FILE else 0
    target = os.fsdecode(target[:PATH]) if kind is EntryType.LINK else ""
    path = child(parent, name)
    return Entry(path, kind, stat.S_IMODE(mode), size, uid, gid, target, number, mtime)
