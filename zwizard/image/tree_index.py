"""A file tree held in memory, within a bound that a hostile artefact cannot pass."""

from collections.abc import Iterator

from zwizard.image.tree import Entry, EntryType, FileTree

# What one entry costs beside its own text (the record, its integers, its place in the tables),
# and what all may cost together: over a million entries, many times any server's (the
# manual's page on security states time and memory).
_ENTRY_COST = 400
INDEX_BYTES = 512 << 20


class IndexFullError(Exception):
    """More entries than an index holds; the tree is incomplete."""


class IndexedTree(FileTree):
    """A file tree in an index of entries by path; its subclass fills it and opens contents.

    Directories that are only implied by what is in them are added, as unpacking does.
    """

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self._entries = {"/": Entry("/", EntryType.DIRECTORY, 0o755)}
        self._by_parent: dict[str, list[str]] | None = None
        self._room = INDEX_BYTES

    def _put(self, entry: Entry) -> Entry | None:
        """Put ``entry`` in its place; returns what was there. Raises IndexFullError."""
        before = self._entries.get(entry.path)
        self._store(entry)
        if before is None:
            parent = entry.path.rpartition("/")[0]
            while parent and parent not in self._entries:
                self._store(Entry(parent, EntryType.DIRECTORY, 0o755))
                parent = parent.rpartition("/")[0]
        return before

    def _store(self, entry: Entry) -> None:
        self._spend(_ENTRY_COST + len(entry.path) + len(entry.target))
        self._by_parent = None
        self._entries[entry.path] = entry

    def _spend(self, count: int) -> None:
        """Account for ``count`` bytes kept for the index; raises IndexFullError."""
        self._room -= count
        if self._room < 0:
            raise IndexFullError

    def entries(self) -> Iterator[Entry]:
        """Every entry beneath the root, sorted by path."""
        for path in sorted(self._entries):
            if path != "/":
                yield self._entries[path]

    def node(self, path: str) -> Entry | None:
        """The entry stored at exactly ``path``."""
        return self._entries.get(path)

    def children(self, path: str) -> tuple[Entry, ...]:
        """What is directly in the directory stored at ``path``, by name."""
        if self._by_parent is None:
            self._by_parent = {}
            for child in self._entries:
                if child != "/":
                    self._by_parent.setdefault(child.rpartition("/")[0] or "/", []).append(child)
        return tuple(self._entries[child] for child in sorted(self._by_parent.get(path, ())))
