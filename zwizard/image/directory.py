"""The tree of a directory: listed once, contents opened on request, no link followed."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from zwizard.image.examples import Examples
from zwizard.image.tree import Entry, EntryType, FileTree, unreadable
from zwizard.image.tree_index import IndexedTree, IndexFullError

_HINT = "Run as a user who may read it, or check the packed .tar.gz."
KINDS = {
    stat.S_IFREG: EntryType.FILE,
    stat.S_IFDIR: EntryType.DIRECTORY,
    stat.S_IFLNK: EntryType.LINK,
    stat.S_IFCHR: EntryType.CHARACTER,
    stat.S_IFBLK: EntryType.BLOCK,
    stat.S_IFIFO: EntryType.FIFO,
    stat.S_IFSOCK: EntryType.SOCKET,
}


class _HostTree(FileTree):
    """A tree whose files are those beneath a directory of this machine."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self._root = path.resolve()
        self._device = self._root.stat().st_dev

    def open_entry(self, entry: Entry) -> BinaryIO:
        """The contents of a regular file, opened without following any link."""
        try:
            return os.fdopen(_open_inside(self._root, entry.path), "rb")
        except OSError as error:
            raise unreadable(entry.path, error, _HINT) from error


class DirectoryTree(_HostTree, IndexedTree):
    """The tree beneath a directory.

    ``unreadable`` is what could not be listed (no permission, an error, removed meanwhile), with
    the reason; ``mounted`` are the directories on which another file system is mounted, which
    are not entered; ``complete`` is false when there are more entries than an index holds.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.unreadable = Examples()
        self.mounted = Examples()
        self.complete = True
        self._entries["/"] = _entry("/", self._root.stat(), str(self._root))
        try:
            self._walk()
        except IndexFullError:
            self.complete = False

    def _walk(self) -> None:
        pending = [("", str(self._root))]
        while pending:
            inside, host = pending.pop()
            for name, info in self._list(inside, host):
                entry = _entry(f"{inside}/{name}", info, f"{host}/{name}")
                self._put(entry)
                if entry.kind is EntryType.DIRECTORY and self._enter(entry, info):
                    pending.append((entry.path, f"{host}/{name}"))

    def _enter(self, entry: Entry, info: os.stat_result) -> bool:
        if info.st_dev == self._device:
            return True
        self.mounted.add(entry.path)
        return False

    def _list(self, inside: str, host: str) -> Iterator[tuple[str, os.stat_result]]:
        try:
            with os.scandir(host) as found:
                for item in found:
                    yield item.name, item.stat(follow_symlinks=False)
        except OSError as error:
            self.unreadable.add(f"{inside or '/'} ({error.strerror})")


class LazyDirectoryTree(_HostTree):
    """The tree beneath a directory, read only where it is asked for; mount points are left out."""

    def node(self, path: str) -> Entry | None:
        """The entry stored at exactly ``path``."""
        host = f"{self._root}{path}"
        try:
            info = os.stat(host, follow_symlinks=False)  # noqa: PTH116 - pathlib would normalise
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise unreadable(path, error, _HINT) from error
        return _entry(path, info, host) if info.st_dev == self._device else None

    def children(self, path: str) -> tuple[Entry, ...]:
        """What is directly in the directory stored at ``path``."""
        try:
            with os.scandir(f"{self._root}{path}") as there:
                names = sorted(item.name for item in there)
        except OSError:
            return ()
        found = (self.node(f"{path.rstrip('/')}/{name}") for name in names)
        return tuple(entry for entry in found if entry is not None)


def _entry(path: str, info: os.stat_result, host: str) -> Entry:
    kind = KINDS.get(stat.S_IFMT(info.st_mode), EntryType.FILE)
    target = ""
    if kind is EntryType.LINK:
        try:
            target = os.readlink(host)  # noqa: PTH115 - in the inner loop of a walk
        except OSError:
            target = ""  # removed or replaced since it was listed: a link that leads nowhere
    size = info.st_size if kind is EntryType.FILE else 0
    mode = stat.S_IMODE(info.st_mode)
    return Entry(path, kind, mode, size, info.st_uid, info.st_gid, target, info.st_ino)


def _open_inside(root: Path, path: str) -> int:
    """A descriptor of the file at ``path``; a link anywhere in it is refused, not followed.

    Component by component, because a directory may be replaced by a link after it was listed.
    """
    at = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        *parents, name = path.strip("/").split("/")
        for parent in parents:
            down = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
            os.close(at)
            at = down
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=at)
    finally:
        os.close(at)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(0, "it is no longer a regular file")
    return file
