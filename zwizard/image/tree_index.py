"""A file tree held in memory, within a bound that a hostile artefact cannot pass."""

from __future__ import annotations

from collections.abc import Iterator

from zwizard.image.tree import Entry, EntryType, FileTree

# What one entry costs beside its own text (the record, its integers, its place in the tables),
# and what all may cost together: about 330,000 entries, several times any server's, which takes
# some four seconds to read.
_ENTRY_COST = 400
INDEX_BYTES = 128 << 20


class IndexFullError(Exception):
    """More entries than an index holds; the tree is incomplete."""


class Index:
    """Entries by path, with the directories that are only implied by their contents."""

    def __init__(self, limit: int = INDEX_BYTES) -> None:
        self._entries: dict[str, Entry] = {"/": Entry("/", EntryType.DIRECTORY, 0o755)}
        self._children: dict[str, list[str]] | None = None
        self._room = limit

    def __len__(self) -> int:
        return len(self._entries) - 1

    def add(self, entry: Entry) -> Entry | None:
        """Put ``entry`` in its place; returns what was there. Raises IndexFullError."""
        self._room -= _ENTRY_COST + len(entry.path) + len(entry.target)
        if self._room < 0:
            raise IndexFullError
        self._children = None
        before = self._entries.get(entry.path)
        self._entries[entry.path] = entry
        if before is None:
            self._imply(entry.path)
        return before

    def _imply(self, path: str) -> None:
        """Add the parent directories that an archive does not list, as unpacking does."""
        parent = path.rpartition("/")[0]
        while parent and parent not in self._entries:
            self._room -= _ENTRY_COST + len(parent)
            if self._room < 0:
                raise IndexFullError
            self._entries[parent] = Entry(parent, EntryType.DIRECTORY, 0o755)
            parent = parent.rpartition("/")[0]

    def get(self, path: str) -> Entry | None:
        """The entry at exactly ``path``."""
        return self._entries.get(path)

    def sorted(self) -> Iterator[Entry]:
        """Every entry but the root, by path."""
        for path in sorted(self._entries):
            if path != "/":
                yield self._entries[path]

    def children(self, path: str) -> tuple[Entry, ...]:
        """What is directly in the directory at ``path``, by name."""
        if self._children is None:
            self._children = _by_parent(self._entries)
        return tuple(self._entries[child] for child in sorted(self._children.get(path, ())))


def _by_parent(entries: dict[str, Entry]) -> dict[str, list[str]]:
    table: dict[str, list[str]] = {}
    for path in entries:
        if path != "/":
            table.setdefault(path.rpartition("/")[0] or "/", []).append(path)
    return table


class IndexedTree(FileTree):
    """A file tree that is held in an index; its subclass fills it and opens contents."""

    def __init__(self) -> None:
        self._index = Index()

    def entries(self) -> Iterator[Entry]:
        """Every entry beneath the root, sorted by path."""
        return self._index.sorted()

    def node(self, path: str) -> Entry | None:
        """The entry stored at exactly ``path``."""
        return self._index.get(path)

    def children(self, path: str) -> tuple[Entry, ...]:
        """What is directly in the directory stored at ``path``."""
        return self._index.children(path)
