"""How long the listing of a directory gets in a flist (0-flist, libflist_dirnode_commit)."""

import os
from dataclasses import dataclass

from zwizard.image.archive.block_digest import BLOCK
from zwizard.image.tree import Entry, EntryType, FileTree

_SEGMENT = 4016  # bytes of a segment of the listing; each takes four more in a table


@dataclass(slots=True)
class Listing:
    """The listing of a directory: bytes of its ``large`` lists, each in a segment, and others.

    ``room`` is what the segments of the large lists have left for others.
    """

    small: int = 208  # of an empty directory
    large: int = 0
    lists: int = 1
    room: int = 0

    @property
    def segments(self) -> int:
        """How many segments its message has."""
        return 1 + self.lists + max(0, self.small - self.room) // _SEGMENT

    @property
    def size(self) -> int:
        """The bytes that it is written in."""
        return self.small + self.large + 4 * self.segments

    def add(self, entry: Entry) -> None:
        """Count one more entry of the directory."""
        self.large += 48
        self.small += 48 + _padded(len(os.fsencode(entry.name)) + 1)
        if entry.kind is EntryType.FILE:
            blocks = -(-entry.size // BLOCK)
            self.small += 16 + 48 * blocks
            if (of_blocks := 16 * blocks + 24) > _SEGMENT:
                self.large += of_blocks
                self.lists += 1
                self.room += -(of_blocks + 88) % 4096
            elif blocks:
                self.small += of_blocks
        elif entry.kind is EntryType.DIRECTORY:
            self.small += 56
        else:
            self.small += 16 + _padded(len(os.fsencode(entry.target)) + 1)


def listings(tree: FileTree) -> dict[str, Listing]:
    """The listing of each directory of ``tree``, by its path."""
    found = {"/": Listing()}
    for entry in tree.entries():
        found.setdefault(entry.path.rpartition("/")[0] or "/", Listing()).add(entry)
    return found


def _padded(count: int) -> int:
    return (count + 7) // 8 * 8
