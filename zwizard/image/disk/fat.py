"""FAT12, FAT16 and FAT32 file systems: names long and short, any case, read in place."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from zwizard.image.disk.ranges import FileRange, Run, add_run, damaged, in_pieces
from zwizard.image.disk.volume_tree import VolumeTree
from zwizard.image.tree import Entry, EntryType, UnreadableError

# A directory has no more than 65,536 entries (Microsoft's specification, “File Size”).
_DIRECTORY = 65536 * 32
_CHAIN = 1 << 20  # clusters of one file: an ESP's are far fewer, and following more takes seconds
_ENTRY = struct.Struct("<11sBBBHHHHHHHI")
_DELETED, _LONG, _VOLUME, _SUBDIRECTORY = 0xE5, 0x0F, 0x08, 0x10
_CACHE = 64
_CHUNK = 4096


@dataclass(frozen=True, slots=True)
class Geometry:
    """The layout that the boot sector describes; offsets and sizes in bytes."""

    bits: int
    clusters: int
    cluster_size: int
    fat: int
    root: int
    root_size: int
    root_cluster: int
    data: int
    label: str
    serial: str


def read_geometry(volume: FileRange) -> Geometry:
    """The layout of the FAT file system in ``volume``; raises UnreadableError.

    The kind follows from the number of clusters alone, as firmware decides it (Microsoft's
    specification, “FAT Type Determination”).
    """
    boot = volume.exact(0, 512, "the boot sector")
    sector, per_cluster, reserved, fats, entries, total16 = struct.unpack_from("<HBHBHH", boot, 11)
    (fat16,) = struct.unpack_from("<H", boot, 22)
    total32, fat32 = struct.unpack_from("<II", boot, 32)
    total, fat_size = total16 or total32, fat16 or fat32
    if sector not in {512, 1024, 2048, 4096} or per_cluster not in {1, 2, 4, 8, 16, 32, 64, 128}:
        raise damaged("its FAT boot sector has invalid sizes of sectors or clusters")
    root_sectors = (entries * 32 + sector - 1) // sector
    data = reserved + fats * fat_size + root_sectors
    if not reserved or not fats or not fat_size or data >= total:
        raise damaged("its FAT boot sector leaves no room for data")
    clusters = (total - data) // per_cluster
    bits = 12 if clusters < 4085 else 16 if clusters < 65525 else 32
    extended = 64 if not fat16 else 36
    return Geometry(
        bits, clusters, sector * per_cluster, reserved * sector,
        (reserved + fats * fat_size) * sector, entries * 32,
        struct.unpack_from("<I", boot, 44)[0] if not fat16 else 0, data * sector,
        boot[extended + 7 : extended + 18].decode("latin-1").strip(" \x00").replace("NO NAME", ""),
        "{:04X}-{:04X}".format(*struct.unpack_from("<HH", boot, extended + 3)[::-1]),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Item:
    """An entry of a directory; ``cluster`` is where its data begins."""

    name: str
    directory: bool
    size: int
    cluster: int


class FatTree(VolumeTree[_Item]):
    """The tree of a FAT file system; names are found in any case and shown as stored."""

    def __init__(self, path: Path, volume: FileRange) -> None:
        super().__init__(path, volume)
        self.geometry = read_geometry(volume)
        self._fat: dict[int, bytes] = {}

    @property
    def free(self) -> int:
        """The bytes in unused clusters; raises UnreadableError."""
        size = (self.geometry.clusters + 2) * self.geometry.bits // 8 + 1
        if size > 8 << 20:
            raise UnreadableError(
                f"its FAT file system has {self.geometry.clusters} clusters", "Check that file."
            )
        table = self._volume.exact(self.geometry.fat, size, "the allocation table")
        if self.geometry.bits == 32:
            values: tuple[int, ...] = struct.unpack_from(f"<{self.geometry.clusters}I", table, 8)
            used = sum(value & 0x0FFFFFFF != 0 for value in values)
        else:
            used = sum(self._next(at) != 0 for at in range(2, self.geometry.clusters + 2))
        return (self.geometry.clusters - used) * self.geometry.cluster_size

    def open_entry(self, entry: Entry) -> BinaryIO:
        """The contents of a file; raises UnreadableError."""
        runs = self._runs(entry.inode, entry.size) if entry.size else []
        return in_pieces(self._volume, runs, entry.size)

    def _root(self) -> Entry:
        return Entry("/", EntryType.DIRECTORY, 0o755, inode=self.geometry.root_cluster)

    def _key(self, name: str) -> str:
        return name.upper()

    def _read_directory(self, number: int) -> dict[str, _Item]:
        return {item.name.upper(): item for item in _items(self._directory_data(number))}

    def _entry(self, parent: str, name: str, item: _Item) -> Entry:  # noqa: ARG002 - the item's
        kind = EntryType.DIRECTORY if item.directory else EntryType.FILE
        return Entry(f"{parent}/{item.name}", kind, 0o755, item.size, inode=item.cluster)

    def _directory_data(self, cluster: int) -> bytes:
        if cluster == 0 and not self.geometry.root_cluster:
            return self._volume.exact(self.geometry.root, self.geometry.root_size, "the root")
        runs = self._runs(cluster or self.geometry.root_cluster, None)
        with in_pieces(self._volume, runs, sum(run[2] for run in runs)) as file:
            return file.read(_DIRECTORY)

    def _runs(self, cluster: int, size: int | None) -> list[Run]:
        """The runs of the chain from ``cluster``; ``size`` None follows it to its end mark."""
        unit = self.geometry.cluster_size
        most = -(-size // unit) if size is not None else _DIRECTORY // unit + 1
        if most > _CHAIN:
            raise UnreadableError(
                f"a file of {size} bytes on the FAT file system is too large to follow",
                "Check the file system.",
            )
        runs: list[Run] = []
        for number in range(most):
            if not 2 <= cluster < self.geometry.clusters + 2:
                if size is None and number:
                    return runs
                raise damaged("a chain of its FAT file system ends too early")
            start = self.geometry.data + (cluster - 2) * unit
            add_run(runs, (number * unit, start, unit))
            cluster = self._next(cluster)
        if size is None:
            raise damaged("a directory of its FAT file system has no end")
        return runs

    def _next(self, cluster: int) -> int:
        """The entry of ``cluster`` in the allocation table; marks of an end are beyond all."""
        offset, shift = divmod(cluster * self.geometry.bits, 8)
        mask = (1 << min(self.geometry.bits, 28)) - 1
        value = self._word(offset, 4 if self.geometry.bits == 32 else 2) >> shift & mask
        return value if value < mask - 15 else 0x0FFFFFFF

    def _word(self, offset: int, size: int) -> int:
        chunk = offset // _CHUNK
        if chunk not in self._fat:
            if len(self._fat) > _CACHE:
                self._fat.clear()
            # One byte more than a chunk, for the pair of bytes across its end.
            self._fat[chunk] = self._volume.read(self.geometry.fat + chunk * _CHUNK, _CHUNK + 2)
        data = self._fat[chunk][offset % _CHUNK :][:size]
        if len(data) < size:
            raise damaged("its allocation table lies beyond its end")
        return int.from_bytes(data, "little")


def _items(data: bytes) -> Iterator[_Item]:
    """The names in a directory's data; a long name precedes its short one, in reverse."""
    long: dict[int, bytes] = {}
    checksum = 0
    for at in range(0, len(data) - 31, 32):
        if data[at] == 0:
            return
        raw = data[at : at + 32]
        if raw[0] == _DELETED:
            long = {}
            continue
        if raw[11] & 0x3F == _LONG:
            long[raw[0] & 0x3F] = raw[1:11] + raw[14:26] + raw[28:32]
            checksum = raw[13]
            continue
        name, flags, case, _, _, _, _, high, _, _, low, size = _ENTRY.unpack(raw)
        # A long name left behind by a system that knows only short ones names nothing.
        own = _long_name(long) if checksum == _checksum(name) else ""
        text = own or _short_name(name, case)
        long = {}
        if flags & _VOLUME or text in {".", "..", ""}:
            continue
        directory = bool(flags & _SUBDIRECTORY)
        yield _Item(text, directory, 0 if directory else size, high << 16 | low)


def _long_name(parts: dict[int, bytes]) -> str:
    if not parts or sorted(parts) != list(range(1, len(parts) + 1)):
        return ""
    data = b"".join(parts[number] for number in sorted(parts))
    name = data.decode("utf-16-le", "replace").partition("\x00")[0]
    return name.replace("/", "\ufffd")


def _checksum(name: bytes) -> int:
    total = 0
    for byte in name:
        total = ((total >> 1 | total << 7) + byte) & 0xFF
    return total


def _short_name(name: bytes, case: int) -> str:
    """``BOOTX64 EFI``: eight and three, each in small letters if its bit is set."""
    name = b"\xe5" + name[1:] if name[0] == 0x05 else name
    base = name[:8].decode("cp437").rstrip(" ")
    extension = name[8:].decode("cp437").rstrip(" ")
    base = base.lower() if case & 0x08 else base
    extension = extension.lower() if case & 0x10 else extension
    return (f"{base}.{extension}" if extension else base).replace("/", "\ufffd")
