"""Inodes and directory blocks of ext2, ext3 and ext4, with their checksums."""

import os
import struct
from dataclasses import dataclass

from zwizard.image.disk.crc32c import crc32c
from zwizard.image.disk.ext4_superblock import Superblock
from zwizard.image.disk.ranges import damaged
from zwizard.image.tree import EntryType

EXTENTS, INLINE, ENCRYPTED, INDEXED = 0x80000, 0x10000000, 0x800, 0x1000
"""Flags of an inode."""

_KINDS = {
    0x1: EntryType.FIFO,
    0x2: EntryType.CHARACTER,
    0x4: EntryType.DIRECTORY,
    0x6: EntryType.BLOCK,
    0x8: EntryType.FILE,
    0xA: EntryType.LINK,
    0xC: EntryType.SOCKET,
}


@dataclass(frozen=True, slots=True)
class Inode:
    """An inode; ``place`` are the 60 bytes with the map of its data, or the data itself."""

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


def read_inode(number: int, data: bytes, found: Superblock) -> Inode:
    """The inode ``number`` in ``data``; raises UnreadableError if its checksum is wrong."""
    mode, uid, low = struct.unpack_from("<HHI", data)
    (mtime,) = struct.unpack_from("<i", data, 16)
    (gid,) = struct.unpack_from("<H", data, 24)
    sectors, flags = struct.unpack_from("<II", data, 28)
    acl, high = struct.unpack_from("<II", data, 104)
    uid_high, gid_high = struct.unpack_from("<HH", data, 120)
    kind = _KINDS.get(mode >> 12)
    size = high << 32 | low if kind in {EntryType.FILE, EntryType.DIRECTORY} else low
    attributes = found.block_size // 512 if acl else 0
    return Inode(
        number, kind, mode & 0o7777, uid_high << 16 | uid, gid_high << 16 | gid, size, flags,
        sectors > attributes, data[40:100],
        _inline(data) if flags & INLINE and len(data) > 160 else b"",
        None if found.seed is None else _seed(number, data, found.seed), mtime,
    )  # fmt: skip


def _seed(number: int, data: bytes, seed: int) -> int:
    """The seed of the checksums of its blocks; raises UnreadableError if its own is wrong."""
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
    """The part of inline data behind the block map: the attribute system.data."""
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


def check_extents(block: bytes, seed: int | None) -> None:
    """Raise UnreadableError if the checksum at the end of a node of extents is wrong."""
    end = 12 + 12 * int.from_bytes(block[4:6], "little")
    if seed is None or end > len(block) - 4:
        return
    if crc32c(block[:end], seed) != int.from_bytes(block[end : end + 4], "little"):
        raise damaged("the checksum of a file's map is wrong")


def check_names(data: bytes, seed: int | None, *, index: bool) -> None:
    """Raise UnreadableError if a directory block ends with a wrong checksum.

    Parts of an ``index`` have it elsewhere; the root keeps the end of the block that it once was.
    """
    index = index or int.from_bytes(data[4:6], "little") == len(data)
    if seed is None or index or data[-12:-4] != b"\x00\x00\x00\x00\x0c\x00\x00\xde":
        return
    if crc32c(data[:-12], seed) != int.from_bytes(data[-4:], "little"):
        raise damaged("the checksum of a directory is wrong")


def add_names(names: dict[str, int], data: bytes) -> None:
    """Add the entries of one directory block to ``names``; raises UnreadableError."""
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
