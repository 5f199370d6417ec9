"""The tree of a single file, a disk image, as the only thing in the archive to be packed."""

import os
from pathlib import Path
from typing import BinaryIO

from zwizard.image.tree import Entry, EntryType, unreadable
from zwizard.image.tree_index import IndexedTree


def state(file: Path | int) -> tuple[int, int, int] | None:
    """Inode, size and time of a file or descriptor, to detect changes; None without a file."""
    try:
        status = os.stat(file)  # noqa: PTH116 - also of descriptors
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


class SingleFileTree(IndexedTree):
    """A tree of one file, under its own name."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self._state = state(path)
        self.entry = Entry(f"/{path.name}", EntryType.FILE, 0o644, path.stat().st_size)
        self._put(self.entry)

    def unchanged(self) -> bool:
        """Whether the file was not written to since."""
        return self._state == state(self.path)

    def open_entry(self, entry: Entry) -> BinaryIO:  # noqa: ARG002 - there is one only
        """The file's contents; raises UnreadableError."""
        try:
            return os.fdopen(os.open(self.path, os.O_RDONLY | os.O_NONBLOCK), "rb")
        except OSError as error:
            raise unreadable(self.path, error) from error
