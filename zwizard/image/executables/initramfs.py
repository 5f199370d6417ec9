"""Initramfs images, unpacked as the kernel does: compressed cpio archives in a row."""

import io
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, NamedTuple

from zwizard.image.archive.byte_stream import ArchiveError, ByteStream, plain
from zwizard.image.archive.compression import LZ4, XZ, CompressionError, Format, Stream, detect
from zwizard.image.archive.temp_store import TempStore
from zwizard.image.magic import HEAD, file_type
from zwizard.image.tree import Entry, EntryType, UnreadableError
from zwizard.image.tree_index import IndexedTree, IndexFullError

# Limits against hostile files. A machine must hold all of it in memory to boot.
_UNPACKED = 768 << 20
_ENTRIES = 500_000
_NAME = 4096
_PARTS = 64
_KEEP = 128 << 20

_MAGIC = (b"070701", b"070702")
_HEADER = 110
_TRAILER = "TRAILER!!!"
_MODULE = re.compile(r"/(?:usr/)?lib/modules/([^/]+)/(?:.*/)?([^/]+)\.ko(?:\.(?:gz|xz|zst))?")
_KINDS = {
    stat.S_IFREG: EntryType.FILE, stat.S_IFDIR: EntryType.DIRECTORY, stat.S_IFLNK: EntryType.LINK,
    stat.S_IFCHR: EntryType.CHARACTER, stat.S_IFBLK: EntryType.BLOCK, stat.S_IFIFO: EntryType.FIFO,
    stat.S_IFSOCK: EntryType.SOCKET,
}  # fmt: skip
_DELTA = 3  # the ID of xz's filter
# What a kernel's own, built-in initramfs has (usr/default_cpio_list).
_BUILT_IN = ("/dev", "/root")


class _Member(NamedTuple):
    """The header of a member of a cpio archive (newc and crc formats)."""

    inode: tuple[int, int, int]
    mode: int
    uid: int
    gid: int
    links: int
    size: int
    name_length: int


class Initramfs(IndexedTree):
    """The tree that the kernel unpacks from an initramfs.

    ``compressions`` names that of each part in order ("" is none). ``modules`` maps a kernel
    version to its modules' names, dashes as underscores. ``fault`` is why a part could not be
    unpacked to its end, "" if all could; ``bounded`` whether a limit of ours, not an error in it,
    is the reason. ``ignored`` is what the kernel reports and leaves out: data between or behind
    the parts, after which it unpacks nothing. The contents of modules cannot be read.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.compressions: list[str] = []
        self.modules: dict[str, set[str]] = {}
        self.fault = ""
        self.bounded = False
        self.ignored = ""
        self.count = 0
        self._spool = TempStore()
        self._kept: dict[int, tuple[int, int]] = {}
        self._kept_bytes = 0
        self._inode = 0
        self._links: dict[tuple[int, tuple[int, int, int]], str] = {}
        self._names: dict[int, list[str]] = {}
        for place in _BUILT_IN:
            self._put(Entry(place, EntryType.DIRECTORY, 0o755))

    def has(self, module: str, version: str) -> bool:
        """Whether a module of that name is in it for the kernel ``version``."""
        return module in self.modules.get(version, ())

    def open_entry(self, entry: Entry) -> BinaryIO:
        """The contents of a file; raises UnreadableError for a module."""
        if not entry.size:
            return io.BytesIO()
        if entry.inode not in self._kept:
            raise UnreadableError(
                f"{entry.path} of the initramfs was not read", "Check the initramfs."
            )
        return self._spool.open(*self._kept[entry.inode])

    def close(self) -> None:
        """Close the temporary file."""
        self._spool.close()

    # --- unpacking, as init/initramfs.c does -----------------------------------------------------

    def unpack(self, file: BinaryIO) -> None:
        """Unpack every part of ``file``; what is wrong is in ``fault`` and ``ignored``."""
        size = file.seek(0, io.SEEK_END)
        place, room, aligned = 0, _UNPACKED, False
        while (place := _skip_padding(file, place)) < size and not self.ignored:
            if len(self.compressions) == _PARTS:
                raise ArchiveError(f"it has more than {_PARTS} parts", bounded=True)
            file.seek(place)
            head = file.read(8)
            form = detect(head)
            if place % 4 and (aligned or head.startswith(_MAGIC)):
                self.ignored = f"the part at byte {place} does not begin at a multiple of 4"
            elif head.startswith(_MAGIC):
                self.compressions.append("")
                file.seek(place)
                archive = _bounded(plain(file).pieces(), room)
                self._archive(archive)
                room -= archive.position
                place += archive.position
                aligned = True
            elif form is not None:
                self.compressions.append(form.name)
                stream = Stream(form, file, place)
                room -= self._part(form, stream, _bounded(stream, room))
                place, aligned = stream.end, False
                if form is LZ4 and place < size and not self.ignored:
                    self._after_lz4(file, place)
            else:
                file.seek(place)
                self.ignored = (
                    f"at byte {place} there is {file_type(file.read(HEAD))}, not a cpio archive"
                )

    def _part(self, form: Format, stream: Stream, source: ByteStream) -> int:
        """Unpack the archives in a compressed part; returns their size."""
        if form is XZ and (fault := _xz_fault(stream)):
            raise ArchiveError(fault)
        while self._follows(source) and not self.ignored:
            if source.position % 4:
                self.ignored = "an archive does not begin at a multiple of 4"
            else:
                self._archive(source)
        return source.position

    def _follows(self, source: ByteStream) -> bool:
        """Whether another archive follows; errors between archives cost nothing but the rest."""
        try:
            return source.skip_zeros()
        except CompressionError as error:
            if not source.position:
                raise
            self.ignored = str(error)
            return False

    def _after_lz4(self, file: BinaryIO, place: int) -> None:
        """The kernel takes what follows the legacy frame for its next block, unless it is zero."""
        file.seek(place)
        if file.read(4).strip(b"\x00"):
            self.ignored = f"lz4 data is followed by other data at byte {place}"

    def _archive(self, source: ByteStream) -> None:
        """One cpio archive, to its trailer or to the end of the data."""
        self._links.clear()
        self._names.clear()
        while header := source.take(_HEADER):
            if len(header) < _HEADER and header.strip(b"\x00"):
                raise ArchiveError("truncated: a cpio archive ends inside a header")
            if not header.strip(b"\x00"):
                return
            if not header.startswith(_MAGIC):
                self.ignored = f"behind {self.count} files there is no cpio member"
                return
            member = _header(header)
            if not 0 < member.name_length <= _NAME:
                raise ArchiveError("a cpio member's header is damaged")
            stored = source.take(member.name_length)
            name = stored.partition(b"\x00")[0].decode("utf-8", "surrogateescape")
            source.skip(-source.position % 4)
            if name == _TRAILER:
                source.skip(member.size)
                source.skip(-source.position % 4)
                return
            self._member(name, member, source)
            source.skip(-source.position % 4)

    def _member(self, name: str, member: _Member, source: ByteStream) -> None:
        self.count += 1
        if self.count > _ENTRIES:
            raise ArchiveError(f"it holds more than {_ENTRIES} files", bounded=True)
        before = source.position
        kind = _KINDS.get(stat.S_IFMT(member.mode))
        target = ""
        if kind is EntryType.LINK:
            target = source.take(min(member.size, _NAME)).decode("utf-8", "surrogateescape")
        entry = self._place(name, member, kind, target) if kind is not None else None
        if entry is not None and entry.kind is EntryType.FILE and member.size:
            self._fill(entry, member.size, source)
        left = member.size - (source.position - before)
        if source.skip(left) < left:
            raise ArchiveError(f"truncated inside {name}")

    def _place(self, name: str, member: _Member, kind: EntryType, target: str) -> Entry | None:
        """Make what a member is; None where the kernel does not: its directory does not exist."""
        parts = [part for part in name.split("/") if part not in {"", "."}]
        if not parts:
            return None
        above = self.resolve("/".join(parts[:-1])).entry
        if above is None or above.kind is not EntryType.DIRECTORY:
            return None
        path = f"{above.path.rstrip('/')}/{parts[-1]}"
        there = self.node(path)
        if there is not None and there.kind is EntryType.DIRECTORY and kind is not there.kind:
            return None  # if it is empty it is replaced, which nobody makes
        key = (stat.S_IFMT(member.mode), member.inode)
        first = self.node(self._links[key]) if member.links > 1 and key in self._links else None
        if kind is not EntryType.DIRECTORY and member.links > 1:
            self._links.setdefault(key, path)
        if first is not None and kind is not EntryType.DIRECTORY:
            entry = replace(first, path=path)
        else:
            self._inode += 1
            entry = Entry(path, kind, stat.S_IMODE(member.mode), 0, member.uid, member.gid, target,
                          self._inode)  # fmt: skip
        self._put(entry)
        if member.links > 1:
            self._names.setdefault(entry.inode, []).append(path)
        return entry

    def _fill(self, entry: Entry, size: int, source: ByteStream) -> None:
        """The contents of a file under each of its names."""
        self._put(replace(entry, size=size))
        for path in self._names.pop(entry.inode, ()):
            other = self.node(path)
            if other is not None and other.inode == entry.inode:
                self._put(replace(other, size=size))
        if found := _MODULE.fullmatch(entry.path):
            names = self.modules.setdefault(found[1], set())
            names.add(found[2].replace("-", "_"))
        elif self._kept_bytes + size <= _KEEP:
            self._kept_bytes += size
            self._kept[entry.inode] = self._spool.keep(size, _counted(source.pieces(size)))


def read_initramfs(file: BinaryIO, path: Path = Path("initramfs")) -> Initramfs:
    """What is in the initramfs in ``file`` (docs.kernel.org, "initramfs buffer format").

    Never fails on contents: what is wrong is in ``fault``. Memory stays within some 50 MiB.
    """
    found = Initramfs(path)
    try:
        found.unpack(file)
    except ArchiveError as error:
        found.fault, found.bounded = str(error), error.bounded
    except IndexFullError:
        found.fault, found.bounded = "it holds too many files", True
    except CompressionError as error:
        unsupported = found.compressions[-1:] == ["lzo"]
        found.fault, found.bounded = str(error), unsupported
    except BaseException:
        found.close()
        raise
    return found


def _header(header: bytes) -> _Member:
    try:
        numbers = [int(header[at : at + 8], 16) for at in range(6, _HEADER, 8)]
    except ValueError as error:
        raise ArchiveError("a cpio member's header is damaged") from error
    inode, mode, uid, gid, links, _, size, major, minor, _, _, length, _ = numbers
    return _Member((inode, major, minor), mode, uid, gid, links, size, length)


def _xz_fault(stream: Stream) -> str:
    """Why the kernel's own xz decoder cannot read it, "" if it can (lib/xz)."""
    head = stream.take(64)
    stream.give_back(len(head))
    if len(head) < 64:
        return ""
    if (check := head[7] & 15) not in {0, 1}:
        name = {4: "CRC64", 10: "SHA-256"}.get(check, str(check))
        return f"its xz data has {name} checks, which the kernel cannot read: use xz --check=crc32"
    at = 14  # behind the block header's size and flags: two sizes, then the filters
    for present in (0x40, 0x80):
        while head[13] & present and at < 32:
            at += 1
            if not head[at - 1] & 0x80:
                break
    if head[at] == _DELTA:
        return "its xz data has the delta filter, which the kernel cannot read"
    return ""


def _counted(pieces: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
    """Each piece with its offset."""
    offset = 0
    for piece in pieces:
        yield offset, piece
        offset += len(piece)


def _bounded(pieces: Iterable[bytes], room: int) -> ByteStream:
    """The bytes of ``pieces``, which may be ``room`` bytes in all."""

    def counted() -> Iterator[bytes]:
        left = room
        for piece in filter(None, pieces):
            left -= len(piece)
            if left < 0:
                raise ArchiveError(f"it unpacks to more than {_UNPACKED >> 20} MiB", bounded=True)
            yield piece

    return ByteStream(counted())


def _skip_padding(file: BinaryIO, place: int) -> int:
    """The offset of the first byte from ``place`` on that is not zero."""
    file.seek(place)
    stream = plain(file)
    stream.skip_zeros()
    return place + stream.position
