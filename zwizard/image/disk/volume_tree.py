"""The tree of a file system that is read in place, where damage must not lead in circles."""

from abc import abstractmethod
from pathlib import Path
from typing import Generic, TypeVar

from zwizard.image.disk.ranges import FileRange, damaged
from zwizard.image.tree import Entry, EntryType, FileTree, UnreadableError

# What no system has, and what a hostile one cannot use to waste time.
_NAMES = 400_000

_Item = TypeVar("_Item")


class VolumeTree(FileTree, Generic[_Item]):
    """A file tree by its directories, each of which is known by the inode of its entry.

    A subclass reads a directory, as a record for each name, and makes an entry of a record.
    """

    def __init__(self, path: Path, volume: FileRange) -> None:
        self.path = path
        self._volume = volume
        self._directories: dict[int, dict[str, _Item]] = {}
        self._places: dict[int, tuple[int, str]] = {}
        self._names = 0

    @abstractmethod
    def _root(self) -> Entry: ...

    @abstractmethod
    def _read_directory(self, number: int) -> dict[str, _Item]: ...

    @abstractmethod
    def _entry(self, parent: str, name: str, item: _Item) -> Entry: ...

    def _key(self, name: str) -> str:
        """The name by which a directory has ``name``."""
        return name

    def node(self, path: str) -> Entry | None:
        """The entry stored at exactly ``path``; raises UnreadableError."""
        at = self._root()
        for name in filter(None, path.split("/")):
            key = self._key(name)
            if at.kind is not EntryType.DIRECTORY or key not in self._directory(at):
                return None
            at = self._child(at, key)
        return at

    def children(self, path: str) -> tuple[Entry, ...]:
        """What is directly in the directory stored at ``path``; raises UnreadableError."""
        at = self.node(path)
        if at is None or at.kind is not EntryType.DIRECTORY:
            return ()
        found = (self._child(at, key) for key in self._directory(at))
        return tuple(sorted(found, key=lambda entry: entry.name))

    def _child(self, at: Entry, key: str) -> Entry:
        entry = self._entry(at.path.rstrip("/"), key, self._directory(at)[key])
        if entry.kind is EntryType.DIRECTORY:
            place = (at.inode, key)
            if self._places.setdefault(entry.inode, place) != place:
                raise damaged(f"the directory {entry.path} is in the tree twice")
        return entry

    def _directory(self, at: Entry) -> dict[str, _Item]:
        if at.inode not in self._directories:
            self._places.setdefault(at.inode, (0, ""))  # the root; others have theirs
            names = self._read_directory(at.inode)
            self._names += len(names)
            if self._names > _NAMES:
                raise UnreadableError(
                    "the file system has too many files to look at", "Check the file system."
                )
            self._directories[at.inode] = names
        return self._directories[at.inode]
