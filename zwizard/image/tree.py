"""The file tree of an artefact: read-only entries, with links followed inside the tree."""

import enum
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import BinaryIO, Self

from zwizard.util.errors import UsageError

# What may be read of an image's settings in all, in bytes: many times what any system has.
READ_ALL = 32 << 20

# The first component of a pattern that has a wildcard, and what is before and behind it.
_WILDCARD = re.compile(r"([^*?[]*)/([^/]*[*?[][^/]*)(/.*)?")

# A pattern longer than a name can be matches nothing: some take the square of their length.
_LONGEST_PATTERN = 255

# The kernel follows no more links than this in one path; neither does a tree.
MAX_LINKS = 40


class UnreadableError(UsageError):
    """An artefact, or a file in it, that cannot be read: what was found, and what to do."""


def unreadable(
    path: object, error: OSError, hint: str = "Check its permissions."
) -> UnreadableError:
    """The error for what the system refuses to read."""
    return UnreadableError(f"{path} cannot be read: {error.strerror or error}", hint)


def state(file: Path | int) -> tuple[int, int, int] | None:
    """Inode, size and time of a file or descriptor, to detect changes; None without a file."""
    try:
        status = os.stat(file)  # noqa: PTH116 - also of descriptors
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


class EntryType(enum.Enum):
    """What an entry of a file tree is."""

    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"
    CHARACTER = "character device"
    BLOCK = "block device"
    FIFO = "fifo"
    SOCKET = "socket"


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in the tree.

    ``path`` is absolute inside the image (``/boot/vmlinuz``; the root is ``/``) and as stored:
    bytes that are not UTF-8 are kept as surrogates, so sanitise before showing. ``mode`` is the
    permission bits with setuid, setgid and sticky (0 to 0o7777), ``size`` bytes, ``target`` what
    a link says, ``inode`` equal for the names of one file within a tree. ``mtime`` (seconds since
    1970) is when it was changed, if the file system stores it.
    """

    path: str
    kind: EntryType
    mode: int = 0o644
    size: int = 0
    uid: int = 0
    gid: int = 0
    target: str = ""
    inode: int = 0
    mtime: int = field(default=0, compare=False)

    @property
    def name(self) -> str:
        """The last component of ``path``."""
        return self.path.rpartition("/")[2]


_ROOT = Entry("/", EntryType.DIRECTORY, 0o755)


class LinkProblem(enum.Enum):
    """Why a path leads nowhere."""

    MISSING = "does not exist"
    LOOP = "is a loop of links"
    NOT_A_DIRECTORY = "goes through something that is not a directory"


@dataclass(frozen=True, slots=True)
class Resolution:
    """Where a path leads when its links are followed inside the image, as in a chroot.

    ``entry`` is what it leads to, or None with ``problem`` and ``missing``, the path it
    meant in the end. ``chain`` holds every link met on the way, parents included, in order.
    ``outside`` is the first of them that leaves the image when it is followed from outside a
    chroot: absolute, or climbing above the root. Zero-OS follows links that way (getFlistInfo).
    """

    path: str
    entry: Entry | None
    chain: tuple[Entry, ...] = ()
    problem: LinkProblem | None = None
    missing: str = ""
    outside: Entry | None = None

    @property
    def file(self) -> Entry | None:
        """``entry`` if it is a regular file."""
        return self.entry if self.entry is not None and self.entry.kind is EntryType.FILE else None

    @property
    def shown(self) -> str:
        """Where it leads in words: ``/vmlinuz leads to /boot/vmlinuz-6.1, a file``."""
        if self.entry is not None and self.entry.path == self.path:
            return f"{self.path} is a {self.entry.kind.value}"
        if self.entry is not None:
            return f"{self.path} leads to {self.entry.path}, a {self.entry.kind.value}"
        if self.problem is LinkProblem.MISSING and self.missing != self.path:
            return f"{self.path} leads to {self.missing}, which does not exist"
        return f"{self.path} {(self.problem or LinkProblem.MISSING).value}"


class FileTree(ABC):
    """A read-only tree of files; the same answers whatever holds it.

    Subclasses say what is at an exact path and hand out contents; following links is done
    here, once, so that every kind of artefact follows them alike and none on the host.
    """

    path: Path
    """The artefact on this machine."""

    heads_only = False
    """Only the beginnings of programs can be read, and nothing of other files."""

    _spent = 0  # bytes handed out by read()
    _state: tuple[int, int, int] | None = None  # of the artefact when it was opened

    @abstractmethod
    def node(self, path: str) -> Entry | None:
        """The entry stored at exactly ``path`` (no link in it is followed), or None."""

    @abstractmethod
    def children(self, path: str) -> tuple[Entry, ...]:
        """The entries directly in the directory stored at ``path``, sorted by name."""

    @abstractmethod
    def open_entry(self, entry: Entry) -> BinaryIO:
        """The contents of a regular file of this tree, seekable; raises UnreadableError."""

    def prepare(self, files: Collection[Entry]) -> None:  # noqa: B027 - most need no preparation
        """The contents of these files will be opened: where that is cheaper, get them at once."""

    def lstat(self, path: str) -> Entry | None:
        """The entry at ``path``: links on the way are followed in the image, the last is not."""
        parent, _, name = path.rstrip("/").rpartition("/")
        if name in {"", ".", ".."}:
            return self.resolve(path).entry
        at = self.resolve(parent or "/").entry
        if at is None or at.kind is not EntryType.DIRECTORY:
            return None
        return self.node(_join(at.path, name))

    def resolve(self, path: str) -> Resolution:
        """Where ``path`` leads, component by component, as a kernel in a chroot finds it."""
        top = self.node("/") or _ROOT
        at, here = top, "/"
        chain: list[Entry] = []
        outside: Entry | None = None
        problem: LinkProblem | None = None
        rest = _parts(path)[::-1]
        while rest and problem is None:
            name = rest.pop()
            if at.kind is not EntryType.DIRECTORY:
                problem = LinkProblem.NOT_A_DIRECTORY
            elif name == "..":
                if at.path == "/" and chain:
                    outside = outside or chain[-1]
                parent = at.path.rpartition("/")[0] or "/"
                at = self.node(parent) or Entry(parent, EntryType.DIRECTORY, 0o755)
            elif (entry := self.node(here := _join(at.path, name))) is None:
                problem = LinkProblem.MISSING
            elif entry.kind is not EntryType.LINK:
                at = entry
            elif len(chain) == MAX_LINKS:
                problem = LinkProblem.LOOP
            else:
                chain.append(entry)
                rest.extend(_parts(entry.target)[::-1])
                if entry.target.startswith("/"):
                    outside = outside or entry
                    at = top
        if problem is None:
            return Resolution(path, at, tuple(chain), outside=outside)
        missing = "/".join([here, *reversed(rest)])
        return Resolution(path, None, tuple(chain), problem, missing, outside)

    def listing(self, path: str) -> tuple[Entry, ...]:
        """What is directly in the directory ``path`` leads to; nothing if it leads to none."""
        at = self.resolve(path).entry
        if at is None or at.kind is not EntryType.DIRECTORY:
            return ()
        return self.children(at.path)

    def glob(self, *patterns: str) -> Iterator[Entry]:
        """What is at paths with shell wildcards, pattern by pattern and sorted by name."""
        for pattern in patterns:
            yield from self._glob("", pattern)

    def _glob(self, base: str, pattern: str) -> Iterator[Entry]:
        found = _WILDCARD.fullmatch(pattern)
        if found is None:
            entry = self.lstat(base + pattern)
            yield from () if entry is None else (entry,)
            return
        directory, name, rest = found.groups()
        if len(name) > _LONGEST_PATTERN:
            return
        for entry in self.listing(base + directory):
            if fnmatchcase(entry.name, name):
                yield from self._glob(entry.path, rest) if rest else (entry,)

    def walk(self, path: str) -> Iterator[Entry]:
        """Everything beneath the directory ``path`` leads to, parents before children."""
        pending = list(reversed(self.listing(path)))
        while pending:
            entry = pending.pop()
            yield entry
            if entry.kind is EntryType.DIRECTORY:
                pending.extend(reversed(self.children(entry.path)))

    def entries(self) -> Iterator[Entry]:
        """Every entry beneath the root, sorted by path."""
        yield from sorted(self.walk("/"), key=lambda entry: entry.path)

    def open(self, path: str) -> BinaryIO:
        """The contents of the regular file ``path`` leads to; raises UnreadableError."""
        found = self.resolve(path)
        if found.file is None:
            raise UnreadableError(found.shown, "Check that path in the image.")
        return self.open_entry(found.file)

    def read(self, path: str, limit: int) -> bytes:
        """The first ``limit`` bytes of the file ``path`` leads to; raises UnreadableError.

        Also raised once more than READ_ALL bytes were read this way.
        """
        with self.open(path) as file:
            data = file.read(limit)
        self._spent += len(data)
        if self._spent > READ_ALL:
            raise UnreadableError(
                f"{path} was not read: all settings together have more than {READ_ALL >> 20} MiB",
                "Check which settings files are so large.",
            )
        return data

    def unchanged(self) -> bool:
        """Whether the artefact is still the one that was opened, where ``_state`` says that."""
        return self._state is None or self._state == state(self.path)

    def close(self) -> None:  # noqa: B027 - most trees hold nothing open
        """Close what the tree holds open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in {"", "."}]


def _join(parent: str, name: str) -> str:
    return f"/{name}" if parent == "/" else f"{parent}/{name}"
