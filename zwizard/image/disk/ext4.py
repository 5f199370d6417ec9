"""ext2, ext3 and ext4 file systems, read in place (docs.kernel.org, “ext4 Data Structures”)."""

from __future__ import annotations

import os
import struct
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from zwizard.image.disk.crc32c import crc32c
from zwizard.image.disk.ranges import FileRange, Run, damaged, in_pieces
from zwizard.image.tree import Entry, EntryType, FileTree, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ROOT = 2
_KINDS = {
    0x1: EntryType.FIFO,
    0x2: EntryType.CHARACTER,
    0x4: EntryType.DIRECTORY,
    0x6: EntryType.BLOCK,
    0x8: EntryType.FILE,
    0xA: EntryType.LINK,
    0xC: EntryType.SOCKET,
}

# Features that this reader knows; with any other the data may lie elsewhere.
_RECOVER, _META_BG, _64BIT = 0x4, 0x10, 0x80
_KNOWN = 0x2 | _RECOVER | _META_BG | 0x40 | _64BIT | 0x100 | 0x200 | 0x400 | 0x1000 | 0x2000
_KNOWN |= 0x4000 | 0x8000 | 0x10000 | 0x20000
_FEATURES = {0x1: "compression", 0x8: "a journal device"}
_SPARSE_SUPER = 0x1
_CHECKSUMS = 0x400
_SEED = 0x2000
_SPARSE_SUPER2 = 0x200
_HAS_JOURNAL = 0x4
_EXTENTS, _INLINE, _ENCRYPTED = 0x80000, 0x10000000, 0x800

# Bounds that no system's file passes and that a hostile one cannot use to waste time.
_RUNS = 1 << 18
_NODES = 1 << 14
_GROUPS = 1 << 14  # two terabytes of the usual ones
_DIRECTORY = 8 << 20
_NAMES = 400_000
_LINK = 4096
# Bytes of metadata that are read in all, each of which has to be summed: seconds of it. A check of
# a whole server takes a twentieth.
_METADATA = 40 << 20
_CACHE = 512


@dataclass(frozen=True, slots=True)
class Super:
    """The superblock, as far as it matters here; ``form`` is ext2, ext3 or ext4."""

    form: str
    block: int
    blocks: int
    first_block: int
    per_group: int
    inodes: int
    inodes_per_group: int
    inode_size: int
    descriptor: int
    incompatible: int
    read_only: int
    compatible: int
    first_meta: int
    backups: tuple[int, int]
    clean: bool
    seed: int | None
    uuid: str
    label: str

    @property
    def needs_recovery(self) -> bool:
        """Its journal holds changes that were not written to their place."""
        return bool(self.incompatible & _RECOVER)


def read_super(volume: FileRange) -> Super:
    """The superblock of the file system in ``volume``; raises UnreadableError."""
    data = volume.exact(1024, 1024, "the superblock")
    if data[56:58] != b"\x53\xef":
        raise damaged("there is no ext4 superblock")
    inodes, blocks = struct.unpack_from("<II", data, 0)
    first, log_size = struct.unpack_from("<II", data, 20)
    (per_group,) = struct.unpack_from("<I", data, 32)
    (inodes_per_group,) = struct.unpack_from("<I", data, 40)
    (state,) = struct.unpack_from("<H", data, 58)
    (revision,) = struct.unpack_from("<I", data, 76)
    (inode_size,) = struct.unpack_from("<H", data, 88)
    compatible, incompatible, read_only = struct.unpack_from("<III", data, 92)
    (descriptor,) = struct.unpack_from("<H", data, 254)
    (first_meta,) = struct.unpack_from("<I", data, 260)
    if not revision:
        inode_size, compatible, incompatible, read_only = 128, 0, 0, 0
    if incompatible & _64BIT:
        blocks |= struct.unpack_from("<I", data, 336)[0] << 32
    seed = None
    if read_only & _CHECKSUMS:
        if crc32c(data[:1020]) != int.from_bytes(data[1020:], "little"):
            raise damaged("the checksum of its superblock is wrong")
        given = struct.unpack_from("<I", data, 624)[0]
        seed = given if incompatible & _SEED else crc32c(data[104:120])
    found = Super(
        _form(compatible, incompatible), 1024 << min(log_size, 10), blocks, first, per_group,
        inodes, inodes_per_group, inode_size, descriptor if incompatible & _64BIT else 32,
        incompatible, read_only, compatible, first_meta, struct.unpack_from("<II", data, 588),
        bool(state & 1) and not state & 2, seed, str(uuid.UUID(bytes=data[104:120])),
        os.fsdecode(data[120:136].partition(b"\x00")[0]),
    )  # fmt: skip
    _check(found, log_size, volume)
    return found


def _check(found: Super, log_size: int, volume: FileRange) -> None:
    strange = found.incompatible & ~_KNOWN
    if strange:
        name = _FEATURES.get(strange, f"feature {strange:#x}")
        raise UnreadableError(
            f"the {found.form} file system uses {name}, which cannot be read here",
            "Make it with the usual features of mkfs.ext4.",
        )
    if (
        log_size > 6
        or not found.per_group
        or not found.inodes_per_group
        or not 128 <= found.inode_size <= found.block
        or not 32 <= found.descriptor <= 1024
        or found.inode_size & (found.inode_size - 1)
    ):
        raise damaged("its superblock makes no sense")
    if found.blocks * found.block > volume.size:
        raise damaged(
            f"the file system says it has {found.blocks * found.block} bytes, its partition"
            f" {volume.size}"
        )


def _form(compatible: int, incompatible: int) -> str:
    if incompatible & (0x40 | _64BIT | 0x200 | 0x8000):
        return "ext4"
    return "ext3" if compatible & _HAS_JOURNAL else "ext2"


@dataclass(frozen=True, slots=True)
class _Inode:
    """An inode: what it is, and the 60 bytes that say where its data is, or hold it."""

    number: int
    kind: EntryType | None
    mode: int
    uid: int
    gid: int
    size: int
    flags: int
    has_blocks: bool
    place: bytes
    inline: bytes
    seed: int | None
    mtime: int


class Ext4Tree(FileTree):
    """The tree of an ext2, ext3 or ext4 file system, read when asked."""

    def __init__(self, path: Path, volume: FileRange) -> None:
        self.path = path
        self.super = read_super(volume)
        self._volume = volume
        self._blocks: dict[int, bytes] = {}
        self._inodes: dict[int, _Inode] = {}
        self._directories: dict[int, dict[str, int]] = {}
        self._names = 0
        self._read = 0
        # The kernel proves every group when it mounts, and refuses the whole if one is wrong.
        groups = -(-(self.super.blocks - self.super.first_block) // self.super.per_group)
        for group in range(min(groups, _GROUPS) if self.super.seed is not None else 0):
            self._inode_table(group)

    def node(self, path: str) -> Entry | None:
        """The entry stored at exactly ``path``; raises UnreadableError."""
        number = _ROOT
        for name in path.split("/"):
            if not name:
                continue
            inode = self._inode(number)
            found = self._directory(inode).get(name) if inode.kind is EntryType.DIRECTORY else None
            if found is None:
                return None
            number = found
        return self._entry(path if path != "" else "/", number)

    def children(self, path: str) -> tuple[Entry, ...]:
        """What is directly in the directory stored at ``path``; raises UnreadableError."""
        at = self.node(path)
        if at is None or at.kind is not EntryType.DIRECTORY:
            return ()
        base = "" if path == "/" else path
        names = sorted(self._directory(self._inode(at.inode)).items())
        return tuple(self._entry(f"{base}/{name}", number) for name, number in names)

    def entries(self) -> Iterator[Entry]:
        """Every entry beneath the root, sorted by path; raises UnreadableError."""
        found: list[Entry] = []
        seen = {_ROOT}
        pending = list(self.children("/"))
        while pending:
            entry = pending.pop()
            found.append(entry)
            if entry.kind is EntryType.DIRECTORY:
                if entry.inode in seen:
                    raise damaged(f"the directory {entry.path} is in the tree twice")
                seen.add(entry.inode)
                pending += self.children(entry.path)
        yield from sorted(found, key=lambda entry: entry.path)

    def open_entry(self, entry: Entry) -> BinaryIO:
        """The contents of a file; raises UnreadableError."""
        return self._open(self._inode(entry.inode))

    def _entry(self, path: str, number: int) -> Entry:
        inode = self._inode(number)
        if inode.kind is None:
            raise damaged(f"{path} is no kind of file (inode {number})")
        size = inode.size if inode.kind is EntryType.FILE else 0
        target = self._target(inode) if inode.kind is EntryType.LINK else ""
        owner = inode.uid, inode.gid
        return Entry(path, inode.kind, inode.mode, size, *owner, target, number, inode.mtime)

    def _target(self, inode: _Inode) -> str:
        if inode.size > _LINK:
            raise damaged(f"a link has a target of {inode.size} bytes (inode {inode.number})")
        if inode.size < 60 and not inode.has_blocks and not inode.flags & (_EXTENTS | _INLINE):
            return os.fsdecode(inode.place[: inode.size])
        with self._open(inode) as file:
            return os.fsdecode(file.read(inode.size))

    def _directory(self, inode: _Inode) -> dict[str, int]:
        """The names in a directory and their inodes."""
        if inode.number not in self._directories:
            if inode.flags & _ENCRYPTED:
                raise UnreadableError(
                    "the file system has encrypted directories", "Make it without fscrypt."
                )
            names: dict[str, int] = {}
            for data in self._directory_data(inode):
                _add_names(names, data)
            self._names += len(names)
            if self._names > _NAMES:
                raise UnreadableError("the file system has too many files to look at", "Look.")
            self._directories[inode.number] = names
        return self._directories[inode.number]

    def _directory_data(self, inode: _Inode) -> Iterator[bytes]:
        """Blocks of entries. A hashed directory's index looks like deleted ones: it is passed."""
        if inode.size > _DIRECTORY:
            raise UnreadableError(f"a directory of {inode.size} bytes is too large", "Look at it.")
        if inode.flags & _INLINE:
            yield inode.place[4:]  # the first four bytes are the parent
            yield inode.inline
            return
        with self._open(inode) as file:
            while data := file.read(self.super.block):
                self._count(len(data))
                _check_names(data, inode.seed)
                yield data

    def _open(self, inode: _Inode) -> BinaryIO:
        if inode.flags & _ENCRYPTED:
            raise UnreadableError("the file is encrypted", "Make the image without fscrypt.")
        if inode.flags & _INLINE:
            data = (inode.place + inode.inline)[: inode.size]
            return in_pieces(_Memory(data), [(0, 0, len(data))], inode.size)
        runs: list[Run] = []
        found = self._extents if inode.flags & _EXTENTS else self._mapped
        for logical, block, count in found(inode):
            self._add_run(runs, logical, block, count)
        return in_pieces(self._volume, runs, inode.size)

    def _add_run(self, runs: list[Run], logical: int, block: int, count: int) -> None:
        unit = self.super.block
        if block + count > self.super.blocks:
            raise damaged(f"a file's data is in block {block + count - 1}, which there is not")
        last = runs[-1] if runs else (0, 0, 0)
        if runs and logical * unit < last[0] + last[2]:
            raise damaged("the pieces of a file are not in order")
        if runs and last[0] + last[2] == logical * unit and last[1] + last[2] == block * unit:
            runs[-1] = (last[0], last[1], last[2] + count * unit)
        else:
            runs.append((logical * unit, block * unit, count * unit))
        if len(runs) > _RUNS:
            raise damaged("a file is in too many pieces")

    def _extents(self, inode: _Inode) -> Iterator[tuple[int, int, int]]:
        yield from self._extent_node(inode.place, None, set(), inode.seed)

    def _extent_node(
        self, node: bytes, depth: int | None, seen: set[int], seed: int | None
    ) -> Iterator[tuple[int, int, int]]:
        magic, count, _, here = struct.unpack_from("<HHHH", node)
        if magic != 0xF30A or here > 5 or 12 + 12 * count > len(node):
            raise damaged("the tree of a file's pieces makes no sense")
        if depth is not None and here != depth - 1:
            raise damaged("the tree of a file's pieces has no end")
        for at in range(12, 12 + 12 * count, 12):
            if here:
                low, high = struct.unpack_from("<IH", node, at + 4)
                block = self._once(high << 32 | low, seen)
                self._count(len(block))
                _check_extents(block, seed)
                yield from self._extent_node(block, here, seen, seed)
                continue
            logical, length, high, low = struct.unpack_from("<IHHI", node, at)
            if length <= 32768:  # more marks room that was never written: zeros
                yield logical, high << 32 | low, length

    def _mapped(self, inode: _Inode) -> Iterator[tuple[int, int, int]]:
        """The block map of ext2 and ext3: twelve blocks, then trees of one, two, three levels."""
        places = struct.unpack("<15I", inode.place)
        for number, block in enumerate(places[:12]):
            if block:
                yield number, block, 1
        first, per = 12, self.super.block // 4
        seen: set[int] = set()
        for level, block in enumerate(places[12:], 1):
            if block and first * self.super.block < inode.size:
                yield from self._map_node(block, level, first, seen)
            first += per**level

    def _map_node(
        self, block: int, level: int, first: int, seen: set[int]
    ) -> Iterator[tuple[int, int, int]]:
        per = self.super.block // 4
        for number, place in enumerate(struct.unpack(f"<{per}I", self._once(block, seen))):
            at = first + number * per ** (level - 1)
            if place and level > 1:
                yield from self._map_node(place, level - 1, at, seen)
            elif place:
                yield at, place, 1

    def _once(self, number: int, seen: set[int]) -> bytes:
        """A block of a file's map, in which no block is twice."""
        if number in seen or len(seen) > _NODES:
            raise damaged("the map of a file has no end")
        seen.add(number)
        return self._block(number)

    def _inode(self, number: int) -> _Inode:
        if number not in self._inodes:
            if not 1 <= number <= self.super.inodes:
                raise damaged(f"there is no inode {number}")
            if len(self._inodes) > _CACHE * 8:
                self._inodes.clear()
            group, index = divmod(number - 1, self.super.inodes_per_group)
            offset = self._inode_table(group) * self.super.block + index * self.super.inode_size
            data = self._metadata(offset, self.super.inode_size)
            self._inodes[number] = _read_inode(number, data, self.super)
        return self._inodes[number]

    def _inode_table(self, group: int) -> int:
        data = self._metadata(self._descriptor(group), self.super.descriptor)
        if self.super.seed is not None:
            before = crc32c(struct.pack("<I", group), self.super.seed)
            own = crc32c(data[:30] + bytes(2) + data[32:], before) & 0xFFFF
            if own != int.from_bytes(data[30:32], "little"):
                raise damaged(f"the checksum of group {group} is wrong")
        (low,) = struct.unpack_from("<I", data, 8)
        high = struct.unpack_from("<I", data, 40)[0] if self.super.descriptor >= 64 else 0
        return int(high << 32 | low)

    def _descriptor(self, group: int) -> int:
        """Where the group's descriptor is: all in one place, or spread over the groups."""
        per_block = self.super.block // self.super.descriptor
        number, index = divmod(group, per_block)
        block = 1024 // self.super.block + 1 + number  # behind the superblock's
        if self.super.incompatible & _META_BG and number >= self.super.first_meta:
            first = number * per_block
            block = self.super.first_block + first * self.super.per_group + self._backup(first)
        return block * self.super.block + index * self.super.descriptor

    def _backup(self, group: int) -> int:
        """1 if the group begins with a copy of the superblock."""
        if group == 0:
            return 1
        if self.super.compatible & _SPARSE_SUPER2:
            return int(group in self.super.backups)
        if not self.super.read_only & _SPARSE_SUPER or group == 1:
            return 1
        return int(any(_is_power(group, base) for base in (3, 5, 7)))

    def _metadata(self, offset: int, size: int) -> bytes:
        self._count(size)
        number, inside = divmod(offset, self.super.block)
        data = self._block(number)[inside : inside + size]
        if len(data) < size:
            raise damaged("a table lies across blocks")
        return data

    def _count(self, size: int) -> None:
        self._read += size
        if self._read > _METADATA:
            raise UnreadableError(
                "the file system has more directories and files than can be looked at",
                "Look at what fills it.",
            )

    def _block(self, number: int) -> bytes:
        if number not in self._blocks:
            if number >= self.super.blocks:
                raise damaged(f"there is no block {number}")
            if len(self._blocks) > _CACHE:
                self._blocks.clear()
            unit = self.super.block
            self._blocks[number] = self._volume.exact(number * unit, unit, "a block")
        return self._blocks[number]


def _check_extents(block: bytes, seed: int | None) -> None:
    end = 12 + 12 * int.from_bytes(block[4:6], "little")
    if seed is None or end > len(block) - 4:
        return
    if crc32c(block[:end], seed) != int.from_bytes(block[end : end + 4], "little"):
        raise damaged("the checksum of a file's map is wrong")


class _Memory(FileRange):
    """Bytes that lie in an inode instead of in blocks."""

    def __init__(self, data: bytes) -> None:
        self.start = 0
        self.size = len(data)
        self._data = data

    def read(self, offset: int, size: int) -> bytes:
        """The bytes there."""
        return self._data[offset : offset + size]


def _read_inode(number: int, data: bytes, found: Super) -> _Inode:
    mode, uid, low = struct.unpack_from("<HHI", data)
    (mtime,) = struct.unpack_from("<i", data, 16)
    (gid,) = struct.unpack_from("<H", data, 24)
    sectors, flags = struct.unpack_from("<II", data, 28)
    acl, high = struct.unpack_from("<II", data, 104)
    uid_high, gid_high = struct.unpack_from("<HH", data, 120)
    kind = _KINDS.get(mode >> 12)
    size = high << 32 | low if kind in {EntryType.FILE, EntryType.DIRECTORY} else low
    attributes = found.block // 512 if acl else 0
    return _Inode(
        number, kind, mode & 0o7777, uid_high << 16 | uid, gid_high << 16 | gid, size, flags,
        sectors > attributes, data[40:100],
        _inline(data) if flags & _INLINE and len(data) > 160 else b"",
        None if found.seed is None else _seed(number, data, found.seed), mtime,
    )  # fmt: skip


def _seed(number: int, data: bytes, seed: int) -> int:
    """What the sums of an inode's blocks begin with; raises UnreadableError if its own fails."""
    seed = crc32c(struct.pack("<I", number) + data[100:104], seed)
    plain = bytearray(data)
    plain[124:126] = bytes(2)
    stored = int.from_bytes(data[124:126], "little")
    mask = 0xFFFF
    if len(data) > 132 and struct.unpack_from("<H", data, 128)[0] >= 4:
        stored |= int.from_bytes(data[130:132], "little") << 16
        plain[130:132] = bytes(2)
        mask = 0xFFFFFFFF
    if crc32c(bytes(plain), seed) & mask != stored:
        raise damaged(f"the checksum of inode {number} is wrong")
    return seed


def _inline(data: bytes) -> bytes:
    """What of inline data does not fit in the block map: the attribute system.data."""
    first = 128 + struct.unpack_from("<H", data, 128)[0]
    if first > len(data) - 4 or data[first : first + 4] != b"\x00\x00\x02\xea":
        return b""
    base = at = first + 4
    while at + 16 <= len(data) and data[at : at + 4] != bytes(4):
        length, index, offset, _, size = struct.unpack_from("<BBHII", data, at)
        name = data[at + 16 : at + 16 + length]
        if index == 7 and name == b"data":
            return data[base + offset : base + offset + size]
        at += (16 + length + 3) // 4 * 4
    return b""


def _check_names(data: bytes, seed: int | None) -> None:
    """The sum in a directory block's last entry, which has no name; indexes have none of these."""
    if seed is None or data[-12:-4] != b"\x00\x00\x00\x00\x0c\x00\x00\xde":
        return
    if crc32c(data[:-12], seed) != int.from_bytes(data[-4:], "little"):
        raise damaged("the checksum of a directory is wrong")


def _add_names(names: dict[str, int], data: bytes) -> None:
    """The entries of one block: inode, its length, the name's, a kind, the name."""
    at = 0
    while at + 8 <= len(data):
        inode, length, name_length = struct.unpack_from("<IHB", data, at)
        if length in {0, 65535} and len(data) == 65536:
            length = 65536
        if length < 8 or length % 4 or at + length > len(data) or name_length + 8 > length:
            raise damaged("a directory's entries make no sense")
        name = data[at + 8 : at + 8 + name_length]
        if inode and name not in {b".", b".."}:
            if not name or b"/" in name or b"\x00" in name:
                raise damaged("a directory holds a name that cannot be one")
            names[os.fsdecode(name)] = inode
        at += length


def _is_power(number: int, base: int) -> bool:
    power = base
    while power < number:
        power *= base
    return power == number
