"""The tree of a single file, a disk image, as the only thing in the archive to be packed."""

import os
from pathlib import Path
from typing import BinaryIO

from zwizard.image.tree import Entry, EntryType, state, unreadable
from zwizard.image.tree_index import IndexedTree


class SingleFileTree(IndexedTree):
    """A tree of one file, under its own name."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self._state = state(path)
        self.entry = Entry(f"/{path.name}", EntryType.FILE, 0o644, path.stat().st_size)
        self._put(self.entry)

    def open_entry(self, entry: Entry) -> BinaryIO:  # noqa: ARG002 - there is one only
        """The file's contents; raises UnreadableError."""
        try:
            return os.fdopen(os.open(self.path, os.O_RDONLY | os.O_NONBLOCK), "rb")
        except OSError as error:
            raise unreadable(self.path, error) from error
