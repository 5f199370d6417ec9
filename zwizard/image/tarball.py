"""The tree of a tar archive: one pass checks that it is whole, indexes it, keeps some contents."""

import os
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from zwizard.image.archive.block_digest import BlockDigest
from zwizard.image.archive.byte_stream import ArchiveError, ByteStream
from zwizard.image.archive.compression import GZIP, detect
from zwizard.image.archive.decompress import decompressed
from zwizard.image.archive.gzip_stream import GzipStream
from zwizard.image.archive.tar_reader import Member, contents, members
from zwizard.image.archive.temp_store import TempStore
from zwizard.image.examples import Examples
from zwizard.image.magic import HEAD
from zwizard.image.tree import MAX_LINKS, Entry, EntryType, UnreadableError, state, unreadable
from zwizard.image.tree_index import IndexedTree, IndexFullError

# No more of an archive is ever copied: kernels, initramfs and settings are far below.
KEEP_FILE = 512 << 20
KEEP_ALL = 1 << 30
# A disk image is copied too, to be read at random: what is not zeros of one of this size.
KEEP_IMAGE = 64 << 30
_IMAGE = "/image.raw"
# How often the archive is read again for contents that were not kept.
_PASSES = 8
_OWNERS = 1000
# What Linux takes of a path and of a name in it, in bytes (limits.h).
_PATH, _NAME = 4095, 255


class Keep:
    """Which contents to hold on to in passing: paths in the image as shell patterns.

    ``*`` matches within one component. ``/usr`` in front of a path does not matter, so that
    ``/lib/x`` finds the file of an image whose ``/lib`` is a link. Nothing depends on these
    being right: what was not kept is fetched by another pass.
    """

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        parts = (
            "[^/]*".join(re.escape(part) for part in pattern.removeprefix("/usr").split("*"))
            for pattern in patterns
        )
        self._match = re.compile("(?:/usr)?(?:" + "|".join(parts) + ")").fullmatch

    def __call__(self, path: str) -> bool:
        """Whether the contents of the file at ``path`` are to be kept."""
        return self._match(path) is not None


# The end of the name of a tar archive, compressed or not.
TAR_NAMES = re.compile(r"\.(?:tar(?:\.\w+)?|t[bgx]z2?|tzst)$")
KEEP_NOTHING = Keep()


class TarballTree(IndexedTree):
    """The tree that a tar archive unpacks to, and how sound the archive is.

    ``gzipped``: it is compressed as the hub wants it.

    ``fault`` is why the archive is not complete, "" if it is; ``bounded`` that reading it to the
    end was refused rather than found wrong. ``members`` counts them. ``unsafe`` are members that
    would not be unpacked where they say (absolute, climbing, beneath a link that tar does not
    follow, hard links to nothing), ``duplicates`` the paths met again. ``named`` counts the
    members whose owner is stored by name too, and ``owners`` are those names. A ``digest`` gets
    all that is read.
    """

    def __init__(
        self,
        path: Path,
        *,
        keep: Keep = KEEP_NOTHING,
        progress: Callable[[int, int], None] | None = None,
        digest: BlockDigest | None = None,
    ) -> None:
        super().__init__()
        self.path = path
        self._digest = digest
        self._progress = progress
        self.fault = ""
        self.bounded = False
        self.members = 0
        self.unsafe = Examples()
        self.named = 0
        self.owners = Examples()
        self._owners: set[str] = set()
        self.duplicates = Examples()
        self._keep = keep
        self._kept: dict[int, tuple[int, int]] = {}
        self._kept_bytes = 0
        self._passes = 0
        with _opened(path) as file:
            self.gzipped = detect(file.read(HEAD)) is GZIP
            file.seek(0)
            self._state = state(file.fileno())
            self._spool = TempStore()
            self._size = os.fstat(file.fileno()).st_size
            self._taken = 0
            try:
                self._scan(self._stream(file, self._take))
            except BaseException:
                self.close()
                raise
            if not self.fault and self._state != state(file.fileno()):
                self.fault = "it changed while it was read"

    def _stream(self, file: BinaryIO, taken: Callable[[bytes], None] | None = None) -> ByteStream:
        return GzipStream(file, taken) if self.gzipped else decompressed(file)

    def _take(self, data: bytes) -> None:
        """The next bytes of the archive itself."""
        self._taken += len(data)
        if self._digest:
            self._digest.add_packed(data)
        if self._progress:
            self._progress(self._taken, self._size)

    def _scan(self, source: ByteStream) -> None:
        try:
            for member in members(source):
                self.members += 1
                path = self._add(member)
                if path and member.kind is EntryType.FILE and not member.hard:
                    self._read(path, source, member)
        except ArchiveError as error:
            self.fault, self.bounded = str(error), error.bounded
        except IndexFullError:
            self.fault, self.bounded = f"it has more than {self.members - 1} members", True
        except OSError as error:
            hint = "Check the disk, and that the directory for temporary files has room (TMPDIR)."
            raise unreadable(self.path, error, hint) from error

    def _read(self, path: str, source: ByteStream, member: Member) -> None:
        """Keep the contents of a file, hash them, or both; most are passed over."""
        pieces = contents(source, member)
        if self._digest:
            pieces = self._digest.passing(member.offset, member.size, pieces)
        if self._keep(path):
            self._hold(member, pieces)
        if self._digest:
            for _ in pieces:
                pass

    def _add(self, member: Member) -> str:
        """Index the member; returns its path in the image, "" if it has no place there."""
        path, climbs = inside(member.name)
        if climbs:
            self.unsafe.add(f"{member.name} climbs out with ..")
            return ""
        if too_long(path) or len(os.fsencode(member.target)) > _PATH:
            self.unsafe.add(f"{path[:40]}… has a longer name or target than any system takes")
            return ""
        if member.name.startswith("/"):
            self.unsafe.add(f"{member.name} is absolute")
        if member.named:
            self._note_owner(member.named)
        path, above = self._place(path)
        if above is not None:
            self.unsafe.add(f"{member.name} lies beneath {above.path}, a {above.kind.value}")
        entry = self._entry(path, member)
        if path == "/":
            if entry is not None and entry.kind is EntryType.DIRECTORY:
                self._entries["/"] = entry
            return ""
        if entry is None:
            return ""
        before = self._put(entry)
        if before is not None:
            self.duplicates.add(path)
            if before.kind is EntryType.DIRECTORY and entry.kind is not EntryType.DIRECTORY:
                self.unsafe.add(f"{path} is first a directory, then a {entry.kind.value}")
        return path

    def _note_owner(self, owner: str) -> None:
        self.named += 1
        if owner not in self._owners and len(self._owners) < _OWNERS:
            self._owners.add(owner)
            self.owners.add(owner)

    def _entry(self, path: str, member: Member) -> Entry | None:
        if member.hard:
            return self._hard_link(path, member)
        return Entry(
            path, member.kind, member.mode, member.size if member.kind is EntryType.FILE else 0,
            member.uid, member.gid, member.target, member.offset, member.mtime,
        )  # fmt: skip

    def _hard_link(self, path: str, member: Member) -> Entry | None:
        target, climbs = inside(member.target)
        if climbs or member.target.startswith("/"):
            self.unsafe.add(f"{member.name} is a hard link out of the archive, {member.target}")
            return None
        other = self.node(self._place(target)[0])
        if other is None or other.kind is EntryType.DIRECTORY:
            self.unsafe.add(f"{member.name} is a hard link to {member.target}, which is missing")
            return None
        return replace(other, path=path)

    def _place(self, path: str) -> tuple[str, Entry | None]:
        """Where tar writes ``path``, and what above it is in its way.

        It follows the links that it has unpacked, into directories that it has unpacked.
        """
        for _ in range(MAX_LINKS):
            above = self._above(path)
            if above is None or above.kind is EntryType.DIRECTORY:
                return path, None
            found = self.resolve(above.path)
            if found.entry is None or found.entry.kind is not EntryType.DIRECTORY:
                break
            if any(leads_out(link.target) for link in found.chain):
                break
            path = found.entry.path.rstrip("/") + path.removeprefix(above.path)
        return path, above

    def _above(self, path: str) -> Entry | None:
        """The nearest parent of ``path`` that exists."""
        while path := path.rpartition("/")[0]:
            if entry := self.node(path):
                return entry
        return None

    def _hold(self, member: Member, pieces: Iterable[tuple[int, bytes]]) -> None:
        disk = inside(member.name)[0] == _IMAGE
        if max(member.size, member.stored) > (KEEP_IMAGE if disk else KEEP_FILE):
            return
        if not disk:
            if self._kept_bytes + member.size > KEEP_ALL:
                return
            self._kept_bytes += member.size
        self._kept[member.offset] = self._spool.keep(member.size, pieces)

    def open_entry(self, entry: Entry) -> BinaryIO:
        """The contents of a file of the archive, fetched by another pass if not kept."""
        self.prepare([entry])
        if entry.inode not in self._kept:
            raise UnreadableError(
                f"{entry.path} is too large to be looked at ({entry.size} bytes)",
                "Unpack the archive and check the directory.",
            )
        return self._spool.open(*self._kept[entry.inode])

    def prepare(self, files: Collection[Entry]) -> None:
        """Fetch those that were not kept, in one pass; raises UnreadableError."""
        missing = [file for file in files if file.inode not in self._kept]
        if missing:
            self._fetch(missing[0], {file.inode for file in missing})

    def _fetch(self, entry: Entry, wanted: set[int]) -> None:
        if self.bounded:
            raise UnreadableError(f"{entry.path} was not read: {self.fault}", "Pack it again.")
        self._passes += 1
        if self._passes > _PASSES:
            raise UnreadableError(
                f"{entry.path} was not read: too many files of the archive would be read one by"
                " one",
                "Unpack the archive and check the directory.",
            )
        with _opened(self.path) as file:
            if state(file.fileno()) != self._state:
                raise UnreadableError(
                    f"{entry.path} cannot be read: the archive changed while it was checked",
                    "Check it again.",
                )
            try:
                source = self._stream(file)
                for member in members(source):
                    if member.offset in wanted:
                        self._hold(member, contents(source, member))
                        wanted.remove(member.offset)
                    if not wanted:
                        return
            except ArchiveError as error:
                raise UnreadableError(
                    f"{entry.path} cannot be read: {error}", "Pack the archive again."
                ) from error

    def close(self) -> None:
        """Close the temporary file."""
        self._spool.close()


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise unreadable(path, error) from error


def inside(name: str) -> tuple[str, bool]:
    """The path in the image that a member name means, and whether it climbs with ``..``."""
    parts = [part for part in name.split("/") if part not in {"", "."}]
    return "/" + "/".join(parts), ".." in parts


def leads_out(target: str) -> bool:
    """Whether tar makes the link to ``target`` only at the end: nothing is unpacked through it."""
    return target.startswith("/") or ".." in target.split("/")


def too_long(path: str) -> bool:
    """Whether no system takes ``path``, or a name in it."""
    if len(path) <= _NAME // 4:  # bytes of a character
        return False
    data = os.fsencode(path)
    return len(data) > _PATH or any(len(name) > _NAME for name in data.split(b"/"))
