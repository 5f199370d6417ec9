"""A tree put together from several, as a running system mounts them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import BinaryIO

from zwizard.image.tree import Entry, FileTree


class MountedTree(FileTree):
    """``root`` with other trees in place of some of its directories, by their paths."""

    def __init__(self, root: FileTree, mounts: Mapping[str, FileTree]) -> None:
        self.path = root.path
        self.root = root
        self._mounts = sorted(mounts.items(), key=lambda mount: -len(mount[0]))

    def node(self, path: str) -> Entry | None:
        """The entry stored at exactly ``path`` of what is mounted there."""
        prefix, tree = self._at(path)
        found = tree.node(path[len(prefix) :] or "/")
        return None if found is None else _moved(found, prefix)

    def children(self, path: str) -> tuple[Entry, ...]:
        """What is directly in the directory stored at ``path``."""
        prefix, tree = self._at(path)
        return tuple(_moved(entry, prefix) for entry in tree.children(path[len(prefix) :] or "/"))

    def open_entry(self, entry: Entry) -> BinaryIO:
        """The contents of a file of one of the trees; raises UnreadableError."""
        prefix, tree = self._at(entry.path)
        return tree.open_entry(replace(entry, path=entry.path[len(prefix) :]))

    def _at(self, path: str) -> tuple[str, FileTree]:
        for prefix, tree in self._mounts:
            if path == prefix or path.startswith(f"{prefix}/"):
                return prefix, tree
        return "", self.root


def _moved(entry: Entry, prefix: str) -> Entry:
    if not prefix:
        return entry
    return replace(entry, path=prefix if entry.path == "/" else f"{prefix}{entry.path}")
