"""ext2, ext3 and ext4 file systems, read in place (docs.kernel.org, “ext4 Data Structures”)."""

import io
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from zwizard.image.disk.crc32c import crc32c
from zwizard.image.disk.ext4_inode import (
    ENCRYPTED,
    EXTENTS,
    INDEXED,
    INLINE,
    Inode,
    add_names,
    check_extents,
    check_names,
    read_inode,
)
from zwizard.image.disk.ext4_superblock import read_superblock
from zwizard.image.disk.ranges import FileRange, Run, add_run, damaged, in_pieces
from zwizard.image.disk.volume_tree import VolumeTree
from zwizard.image.tree import Entry, EntryType, UnreadableError

_ROOT = 2

# Bounds that no system's file passes and that a hostile one cannot use to waste time.
_RUNS = 1 << 18
_NODES = 1 << 14
_GROUPS = 1 << 14  # two terabytes of the usual ones
_DIRECTORY = 8 << 20
_LINK = 4096
# Bytes of metadata that are read in all; verifying their checksums takes seconds. A check of a
# whole server needs a twentieth.
_METADATA = 40 << 20
_CACHE = 512


class Ext4Tree(VolumeTree[int]):
    """The tree of an ext2, ext3 or ext4 file system, read on request."""

    def __init__(self, path: Path, volume: FileRange) -> None:
        super().__init__(path, volume)
        self.superblock = read_superblock(volume)
        self._blocks: dict[int, bytes] = {}
        self._inodes: dict[int, Inode] = {}
        self._read = 0
        # The kernel verifies every group when it mounts, and refuses the whole if one is wrong.
        groups = min(self.superblock.groups, _GROUPS) if self.superblock.seed is not None else 0
        for group in range(groups):
            self._inode_table(group)

    def open_entry(self, entry: Entry) -> BinaryIO:
        """The contents of a file; raises UnreadableError."""
        return self._open(self._inode(entry.inode))

    def _root(self) -> Entry:
        return self._entry("", "", _ROOT)

    def _entry(self, parent: str, name: str, item: int) -> Entry:
        path, inode = f"{parent}/{name}", self._inode(item)
        if inode.kind is None:
            raise damaged(f"{path} is no kind of file (inode {item})")
        size = inode.size if inode.kind is EntryType.FILE else 0
        target = self._target(inode) if inode.kind is EntryType.LINK else ""
        owner = inode.uid, inode.gid
        return Entry(path, inode.kind, inode.mode, size, *owner, target, item, inode.mtime)

    def _target(self, inode: Inode) -> str:
        if inode.size > _LINK:
            raise damaged(f"a link has a target of {inode.size} bytes (inode {inode.number})")
        if inode.size < 60 and not inode.has_blocks and not inode.flags & (EXTENTS | INLINE):
            return os.fsdecode(inode.place[: inode.size])
        with self._open(inode) as file:
            return os.fsdecode(file.read(inode.size))

    def _read_directory(self, number: int) -> dict[str, int]:
        """The names in a directory and their inodes."""
        inode = self._inode(number)
        if inode.flags & ENCRYPTED:
            raise UnreadableError(
                "the file system has encrypted directories", "Make it without fscrypt."
            )
        names: dict[str, int] = {}
        for data in self._directory_data(inode):
            add_names(names, data)
        return names

    def _directory_data(self, inode: Inode) -> Iterator[bytes]:
        """Blocks of entries. A hashed directory's index looks like deleted entries."""
        if inode.size > _DIRECTORY:
            raise UnreadableError(
                f"a directory of {inode.size} bytes is too large", "Check that file."
            )
        if inode.flags & INLINE:
            yield inode.place[4:]  # the first four bytes are the parent
            yield inode.inline
            return
        root = bool(inode.flags & INDEXED)
        with self._open(inode) as file:
            while data := file.read(self.superblock.block_size):
                self._count(len(data))
                check_names(data, inode.seed, index=root)
                root = False
                yield data

    def _open(self, inode: Inode) -> BinaryIO:
        if inode.flags & ENCRYPTED:
            raise UnreadableError("the file is encrypted", "Make the image without fscrypt.")
        if inode.flags & INLINE:
            return io.BytesIO((inode.place + inode.inline)[: inode.size])
        if inode.flags & EXTENTS:
            pieces = self._extent_node(inode.place, None, set(), inode.seed)
        else:
            pieces = self._mapped(inode)
        runs: list[Run] = []
        unit = self.superblock.block_size
        for logical, block, count in pieces:
            if block + count > self.superblock.blocks:
                raise damaged(f"a file's data is in block {block + count - 1}, which there is not")
            if runs and logical * unit < runs[-1][0] + runs[-1][2]:
                raise damaged("the pieces of a file are not in order")
            add_run(runs, (logical * unit, block * unit, count * unit))
            if len(runs) > _RUNS:
                raise damaged("a file is in too many pieces")
        return in_pieces(self._volume, runs, inode.size)

    def _extent_node(
        self, node: bytes, depth: int | None, visited: set[int], seed: int | None
    ) -> Iterator[tuple[int, int, int]]:
        magic, count, _, here = struct.unpack_from("<HHHH", node)
        if magic != 0xF30A or here > 5 or 12 + 12 * count > len(node):
            raise damaged("the tree of a file's pieces makes no sense")
        if depth is not None and here != depth - 1:
            raise damaged("the tree of a file's pieces has no end")
        for at in range(12, 12 + 12 * count, 12):
            if here:
                low, high = struct.unpack_from("<IH", node, at + 4)
                block = self._once(high << 32 | low, visited)
                self._count(len(block))
                check_extents(block, seed)
                yield from self._extent_node(block, here, visited, seed)
                continue
            logical, length, high, low = struct.unpack_from("<IHHI", node, at)
            if length <= 32768:  # more marks room that was never written: zeros
                yield logical, high << 32 | low, length

    def _mapped(self, inode: Inode) -> Iterator[tuple[int, int, int]]:
        """The block map of ext2 and ext3: twelve blocks, then trees of one, two, three levels."""
        places = struct.unpack("<15I", inode.place)
        for number, block in enumerate(places[:12]):
            if block:
                yield number, block, 1
        first, per = 12, self.superblock.block_size // 4
        visited: set[int] = set()
        for level, block in enumerate(places[12:], 1):
            if block and first * self.superblock.block_size < inode.size:
                yield from self._map_node(block, level, first, visited)
            first += per**level

    def _map_node(
        self, block: int, level: int, first: int, visited: set[int]
    ) -> Iterator[tuple[int, int, int]]:
        per = self.superblock.block_size // 4
        for number, place in enumerate(struct.unpack(f"<{per}I", self._once(block, visited))):
            at = first + number * per ** (level - 1)
            if place and level > 1:
                yield from self._map_node(place, level - 1, at, visited)
            elif place:
                yield at, place, 1

    def _once(self, number: int, visited: set[int]) -> bytes:
        """A block of a file's map; raises UnreadableError if it was used before."""
        if number in visited or len(visited) > _NODES:
            raise damaged("the map of a file has no end")
        visited.add(number)
        return self._block(number)

    def _inode(self, number: int) -> Inode:
        if number not in self._inodes:
            if not 1 <= number <= self.superblock.inodes:
                raise damaged(f"there is no inode {number}")
            if len(self._inodes) > _CACHE * 8:
                self._inodes.clear()
            group, index = divmod(number - 1, self.superblock.inodes_per_group)
            offset = (
                self._inode_table(group) * self.superblock.block_size
                + index * self.superblock.inode_size
            )
            data = self._metadata(offset, self.superblock.inode_size)
            self._inodes[number] = read_inode(number, data, self.superblock)
        return self._inodes[number]

    def _inode_table(self, group: int) -> int:
        data = self._metadata(self.superblock.descriptor_offset(group), self.superblock.descriptor)
        if self.superblock.seed is not None:
            before = crc32c(struct.pack("<I", group), self.superblock.seed)
            own = crc32c(data[:30] + bytes(2) + data[32:], before) & 0xFFFF
            if own != int.from_bytes(data[30:32], "little"):
                raise damaged(f"the checksum of group {group} is wrong")
        (low,) = struct.unpack_from("<I", data, 8)
        high = struct.unpack_from("<I", data, 40)[0] if self.superblock.descriptor >= 64 else 0
        return int(high << 32 | low)

    def _metadata(self, offset: int, size: int) -> bytes:
        self._count(size)
        number, inside = divmod(offset, self.superblock.block_size)
        data = self._block(number)[inside : inside + size]
        if len(data) < size:
            raise damaged("a table lies across blocks")
        return data

    def _count(self, size: int) -> None:
        self._read += size
        if self._read > _METADATA:
            raise UnreadableError(
                "the file system has more directories and files than can be looked at",
                "Remove what is not needed.",
            )

    def _block(self, number: int) -> bytes:
        if number not in self._blocks:
            if number >= self.superblock.blocks:
                raise damaged(f"there is no block {number}")
            if len(self._blocks) > _CACHE:
                self._blocks.clear()
            unit = self.superblock.block_size
            self._blocks[number] = self._volume.exact(number * unit, unit, "a block")
        return self._blocks[number]
