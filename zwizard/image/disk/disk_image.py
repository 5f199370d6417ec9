"""A raw disk image: its partitions, what is on each, and the system that starts from it."""

import re
import struct
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from zwizard.image.disk.ext4 import Ext4Tree
from zwizard.image.disk.ext4_superblock import Superblock, read_superblock
from zwizard.image.disk.fat import FatTree, read_geometry
from zwizard.image.disk.gpt import ESP, LINUX_ROOT, Gpt, Partition, read_gpt
from zwizard.image.disk.ranges import FileRange
from zwizard.image.magic import HEAD, file_type
from zwizard.image.tree import Entry, EntryType, FileTree, UnreadableError

_FSTAB = 64 << 10
_EXT = frozenset({"ext2", "ext3", "ext4"})
# No machine has more partitions, and each is looked at.
_VOLUMES = 128

# What else may be on a partition: (offset, magic, name, uuid's offset, label's offset, length).
_OTHERS = (
    (0, b"XFSB", "xfs", 32, 108, 12),
    (0x10040, b"_BHRfS_M", "btrfs", 0x10020, 0x1012B, 256),
    (1024, b"\x10\x20\xf5\xf2", "f2fs", 1024 + 108, 0, 0),
    (4086, b"SWAPSPACE2", "swap", 1036, 1052, 16),
    (512, b"LABELONE", "LVM2_member", 0, 0, 0),
    (0, b"LUKS\xba\xbe", "crypto_LUKS", 0, 0, 0),
    (4096, b"\xfc\x4e\x2b\xa9", "linux_raid_member", 0, 0, 0),
    (0, b"hsqs", "squashfs", 0, 0, 0),
    (3, b"NTFS    ", "ntfs", 0, 0, 0),
)


@dataclass(frozen=True, slots=True)
class Volume:
    """A partition and what is on it: ``filesystem`` as blkid names it, "" if unknown."""

    partition: Partition
    raw: FileRange
    filesystem: str
    uuid: str
    label: str

    def named(self, device: str) -> bool:
        """Whether fstab's or GRUB's ``device`` (``UUID=…``, ``/dev/vda2``) means this one."""
        by = re.fullmatch(r"/dev/disk/by-([a-z]+)/(.+)", device)
        key, _, value = (f"{by[1]}={by[2]}" if by else device).partition("=")
        key, value = key.upper(), value.strip("\"'")
        if key in {"UUID", "PARTUUID"}:
            own = self.uuid if key == "UUID" else self.partition.id
            return own != "" and value.upper() == own.upper()
        if key in {"LABEL", "PARTLABEL"}:
            own = self.label if key == "LABEL" else self.partition.name
            return own != "" and value == own
        return device == f"/dev/vda{self.partition.number}"  # as Zero-OS attaches it

    def open(self, path: Path) -> FileTree:
        """Its tree; raises UnreadableError for other file systems."""
        if self.filesystem in _EXT:
            return Ext4Tree(path, self.raw)
        if self.filesystem == "vfat":
            return FatTree(path, self.raw)
        kind = f"{self.filesystem}, which" if self.filesystem else "of a kind that"
        raise UnreadableError(
            f"partition {self.partition.number} is {kind} cannot be read here",
            "Use ext4, or boot the image to be sure.",
        )


class MountedTree(FileTree):
    """``root`` with other trees in place of some of its directories, by their paths.

    So a running system mounts them.
    """

    def __init__(self, root: FileTree, mounts: Mapping[str, FileTree]) -> None:
        self.path = root.path
        self.root = root
        self._mounts = sorted(mounts.items(), key=lambda mount: -len(mount[0]))

    def node(self, path: str) -> Entry | None:
        """The entry stored at exactly ``path`` of what is mounted there."""
        prefix, tree = self.at(path)
        found = tree.node(path[len(prefix) :] or "/")
        return None if found is None else _moved(found, prefix)

    def children(self, path: str) -> tuple[Entry, ...]:
        """What is directly in the directory stored at ``path``."""
        prefix, tree = self.at(path)
        return tuple(_moved(entry, prefix) for entry in tree.children(path[len(prefix) :] or "/"))

    def open_entry(self, entry: Entry) -> BinaryIO:
        """The contents of a file of one of the trees; raises UnreadableError."""
        prefix, tree = self.at(entry.path)
        return tree.open_entry(replace(entry, path=entry.path[len(prefix) :]))

    def at(self, path: str) -> tuple[str, FileTree]:
        """Where the tree that has ``path`` is mounted, "" for the root; and that tree."""
        for prefix, tree in self._mounts:
            if path == prefix or path.startswith(f"{prefix}/"):
                return prefix, tree
        return "", self.root


def _moved(entry: Entry, prefix: str) -> Entry:
    if not prefix:
        return entry
    return replace(entry, path=prefix if entry.path == "/" else f"{prefix}{entry.path}")


class DiskImage:
    """A raw disk image in ``file``, which is ``size`` bytes long. ``path`` is the artefact's."""

    def __init__(self, path: Path, file: BinaryIO, size: int) -> None:
        self.path = path
        self.size = size
        self.raw = FileRange(file, 0, size)

    @cached_property
    def content(self) -> str:
        """Its file type by its first bytes, with an article."""
        head = self.raw.read(0, HEAD)
        if self.size >= 512 and self.raw.read(self.size - 512, 8) == b"conectix":
            return "a vhd disk image"  # of fixed size: only its end has a signature
        return file_type(head)

    @cached_property
    def gpt(self) -> Gpt:
        """Its partition table."""
        return read_gpt(self.raw)

    @cached_property
    def volumes(self) -> tuple[Volume, ...]:
        """Its partitions, in the order of the table."""
        return tuple(_volume(self.raw, part) for part in self.gpt.partitions[:_VOLUMES])

    @cached_property
    def esp(self) -> Volume | None:
        """The first partition of the ESP's type, which the firmware uses."""
        return next((v for v in self.volumes if v.partition.type == ESP), None)

    @cached_property
    def esp_tree(self) -> FatTree:
        """The ESP's tree; raises UnreadableError."""
        if self.esp is None:
            raise UnreadableError("there is no EFI system partition", "Create one with FAT32.")
        return FatTree(self.path, self.esp.raw)

    @cached_property
    def root(self) -> Volume:
        """The partition that holds the root file system; raises UnreadableError."""
        closed: list[str] = []
        ordered = sorted(self.volumes, key=lambda volume: volume.partition.type != LINUX_ROOT)
        for volume in ordered:
            if volume.filesystem in {"vfat", "swap"}:
                continue
            try:
                if _is_root(volume.open(self.path)):
                    return volume
            except UnreadableError as error:
                closed.append(error.message)
        reason = f": {'; '.join(closed[:3])}" if closed else ""
        raise UnreadableError(
            f"no root file system was found in the disk image{reason}",
            "It must be on a partition of its own, ext4 if it is to be checked.",
        )

    @property
    def root_superblock(self) -> Superblock:
        """The root file system's superblock; raises UnreadableError."""
        return read_superblock(self.root.raw)

    @cached_property
    def system(self) -> MountedTree:
        """The root file system with the other partitions where fstab puts them."""
        root = self.root.open(self.path)
        mounts: dict[str, FileTree] = {}
        left = [v for v in self.volumes if v is not self.root and v.filesystem in {"vfat", *_EXT}]
        for device, place in _fstab(root):
            volume = next((v for v in left if v.named(device)), None)
            if volume is not None:
                left.remove(volume)  # what is mounted twice is there once: it bounds the work
                mounts[place] = volume.open(self.path)
        return MountedTree(root, mounts)


def _volume(disk: FileRange, partition: Partition) -> Volume:
    raw = disk.part(partition.offset, partition.size)
    form, own, label = _identify(raw)
    return Volume(partition, raw, form, own, label)


def _identify(raw: FileRange) -> tuple[str, str, str]:
    for offset, magic, form, own, label, length in _OTHERS:
        if raw.read(offset, len(magic)) == magic:
            found = raw.read(own, 16)
            name = raw.read(label, length).partition(b"\x00")[0].decode("utf-8", "replace")
            has_uuid = own and len(found) == 16
            return form, str(uuid.UUID(bytes=found)) if has_uuid else "", name
    try:
        if raw.read(1080, 2) == b"\x53\xef":
            superblock = read_superblock(raw)
            return superblock.filesystem, superblock.uuid, superblock.label
        if raw.read(510, 2) == b"\x55\xaa":
            geometry = read_geometry(raw)
            return "vfat", geometry.serial, geometry.label
    except (UnreadableError, struct.error):
        return ("ext4" if raw.read(1080, 2) == b"\x53\xef" else ""), "", ""
    return "", "", ""


def _is_root(tree: FileTree) -> bool:
    """Whether it has /etc and a directory of programs; some /home have /etc alone."""
    entry = tree.node("/etc")
    return (
        entry is not None
        and entry.kind is EntryType.DIRECTORY
        and any(tree.node(path) is not None for path in ("/usr", "/sbin", "/bin"))
    )


def _fstab(root: FileTree) -> list[tuple[str, str]]:
    """Device and place of each mount below the root, parents first."""
    found = root.resolve("/etc/fstab").file
    if found is None or found.size > _FSTAB:
        return []
    text = root.read("/etc/fstab", _FSTAB).decode("utf-8", "replace")
    fields = [line.split() for line in text.splitlines() if not line.lstrip().startswith("#")]
    places = [(words[0], words[1].rstrip("/")) for words in fields if len(words) > 2]
    return sorted(
        [(device, place) for device, place in places if place.startswith("/")],
        key=lambda pair: pair[1],
    )
