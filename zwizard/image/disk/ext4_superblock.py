"""The superblock of ext2, ext3 and ext4 (docs.kernel.org, “ext4 Data Structures”)."""

import os
import struct
import uuid
from dataclasses import dataclass

from zwizard.image.disk.crc32c import crc32c
from zwizard.image.disk.ranges import FileRange, damaged
from zwizard.image.tree import UnreadableError

_LAYOUT = struct.Struct("<II12xII4xI4xI14xH16xI8xH2xIII16s16s118xH4xI72xI248xII28xI")

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
# With sparse_super these groups begin with a copy of the superblock.
_POWERS = frozenset(base**power for base in (3, 5, 7) for power in range(1, 21))


@dataclass(frozen=True, slots=True)
class Superblock:
    """The superblock, as far as it matters here; ``filesystem`` is ext2, ext3 or ext4."""

    filesystem: str
    block_size: int
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

    @property
    def groups(self) -> int:
        """The number of block groups."""
        return -(-(self.blocks - self.first_block) // self.per_group)

    def descriptor_offset(self, group: int) -> int:
        """Where the descriptor of ``group`` is: all in one place, or spread over the groups."""
        per_block = self.block_size // self.descriptor
        number, index = divmod(group, per_block)
        block = 1024 // self.block_size + 1 + number  # behind the superblock's
        if self.incompatible & _META_BG and number >= self.first_meta:
            first = number * per_block
            block = self.first_block + first * self.per_group + self._has_backup(first)
        return block * self.block_size + index * self.descriptor

    def _has_backup(self, group: int) -> bool:
        """Whether the group begins with a copy of the superblock."""
        if group == 0:
            return True
        if self.compatible & _SPARSE_SUPER2:
            return group in self.backups
        if not self.read_only & _SPARSE_SUPER or group == 1:
            return True
        return group in _POWERS


def read_superblock(volume: FileRange) -> Superblock:
    """The superblock of the file system in ``volume``; raises UnreadableError."""
    data = volume.exact(1024, 1024, "the superblock")
    if data[56:58] != b"\x53\xef":
        raise damaged("there is no ext4 superblock")
    (
        inodes, blocks, first, log_size, per_group, inodes_per_group, state, revision, inode_size,
        compatible, incompatible, read_only, own, label, descriptor, first_meta, blocks_high,
        *backups, stored_seed,
    ) = _LAYOUT.unpack_from(data)  # fmt: skip
    if not revision:
        inode_size, compatible, incompatible, read_only = 128, 0, 0, 0
    if incompatible & _64BIT:
        blocks |= blocks_high << 32
    seed = None
    if read_only & _CHECKSUMS:
        if crc32c(data[:1020]) != int.from_bytes(data[1020:], "little"):
            raise damaged("the checksum of its superblock is wrong")
        seed = stored_seed if incompatible & _SEED else crc32c(own)
    found = Superblock(
        _filesystem(compatible, incompatible), 1024 << min(log_size, 10), blocks, first, per_group,
        inodes, inodes_per_group, inode_size, descriptor if incompatible & _64BIT else 32,
        incompatible, read_only, compatible, first_meta, (backups[0], backups[1]),
        bool(state & 1) and not state & 2, seed, str(uuid.UUID(bytes=own)),
        os.fsdecode(label.partition(b"\x00")[0]),
    )  # fmt: skip
    _check(found, log_size, volume)
    return found


def _check(found: Superblock, log_size: int, volume: FileRange) -> None:
    strange = found.incompatible & ~_KNOWN
    if strange:
        name = _FEATURES.get(strange, f"feature {strange:#x}")
        raise UnreadableError(
            f"the {found.filesystem} file system uses {name}, which cannot be read here",
            "Make it with the usual features of mkfs.ext4.",
        )
    if (
        log_size > 6
        or not found.per_group
        or not found.inodes_per_group
        or not 128 <= found.inode_size <= found.block_size
        or not 32 <= found.descriptor <= 1024
        or found.inode_size & (found.inode_size - 1)
    ):
        raise damaged("its superblock makes no sense")
    if found.blocks * found.block_size > volume.size:
        raise damaged(
            f"the file system says it has {found.blocks * found.block_size} bytes, its partition"
            f" {volume.size}"
        )


def _filesystem(compatible: int, incompatible: int) -> str:
    if incompatible & (0x40 | _64BIT | 0x200 | 0x8000):
        return "ext4"
    return "ext3" if compatible & _HAS_JOURNAL else "ext2"
