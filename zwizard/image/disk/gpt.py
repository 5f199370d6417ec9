"""GUID partition tables: checksums verified, backup compared (UEFI 2.10, 5.3)."""

import struct
import uuid
import zlib
from dataclasses import dataclass

from zwizard.image.disk.ranges import FileRange

SECTOR = 512
ESP = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
LINUX_ROOT = "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709"

_HEADER = struct.Struct("<8s4sIIIQQQQ16sQIII")
_ENTRY = struct.Struct("<16s16sQQQ72s")
_TABLE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition: its type and id as GUIDs, first and last sector (both its own)."""

    number: int
    type: str
    id: str
    name: str
    first: int
    last: int

    @property
    def offset(self) -> int:
        """The offset of its first byte."""
        return self.first * SECTOR

    @property
    def size(self) -> int:
        """Its size in bytes."""
        return max(self.last - self.first + 1, 0) * SECTOR


@dataclass(frozen=True, slots=True)
class Gpt:
    """A partition table, as far as it can be read.

    ``fault`` is what is wrong with the table at the disk's beginning, ``backup_fault`` with
    the one at its end or with the places of the partitions; "" if nothing is.
    """

    fault: str
    backup_fault: str = ""
    first_usable: int = 0
    entry_size: int = 0
    partitions: tuple[Partition, ...] = ()


@dataclass(frozen=True, slots=True)
class _Header:
    fault: str
    other: int
    first_usable: int
    last_usable: int
    table: int
    count: int
    entry_size: int
    table_crc: int


def read_gpt(disk: FileRange) -> Gpt:
    """The partition table of a disk with sectors of 512 bytes; never fails on contents."""
    header = _header(disk, 1)
    if header is None:
        return Gpt(_instead(disk))
    table, fault = _table(disk, header)
    partitions = tuple(_partitions(table, header.entry_size)) if table else ()
    return Gpt(
        header.fault or fault,
        _backup_fault(disk, header, table) or _outside(disk, partitions, header),
        header.first_usable,
        header.entry_size,
        partitions,
    )


def _header(disk: FileRange, sector: int) -> _Header | None:
    data = disk.read(sector * SECTOR, SECTOR)
    if len(data) < SECTOR or data[:8] != b"EFI PART":
        return None
    (_, _, size, crc, _, here, other, first, last, _, table, count, entry, table_crc) = (
        _HEADER.unpack_from(data)
    )
    fault = ""
    if not _HEADER.size <= size <= SECTOR:
        fault = f"its header claims to have {size} bytes"
    elif zlib.crc32(data[:16] + bytes(4) + data[20:size]) != crc:
        fault = "the checksum of its header is wrong"
    elif here != sector:
        fault = f"its header in sector {sector} claims to be in sector {here}"
    return _Header(fault, other, first, last, table, count, entry, table_crc)


def _table(disk: FileRange, header: _Header) -> tuple[bytes, str]:
    """The table's bytes, as far as there are any, and what is wrong with them."""
    size = header.count * header.entry_size
    sound = 128 <= header.entry_size <= 4096 and 0 < size <= _TABLE_BYTES
    table = disk.read(header.table * SECTOR, size) if sound else b""
    if not table or len(table) < size:
        shown = f"its table of {header.count} entries of {header.entry_size} bytes"
        return table, f"{shown} does not exist"
    whole = zlib.crc32(table) == header.table_crc
    return table, "" if whole else "the checksum of its table is wrong"


def _partitions(table: bytes, entry_size: int) -> list[Partition]:
    found = []
    for number, at in enumerate(range(0, len(table) - 127, entry_size), 1):
        kind, own, first, last, _, name = _ENTRY.unpack_from(table, at)
        if kind.count(0) < len(kind):
            text = name.decode("utf-16-le", "replace").partition("\x00")[0]
            found.append(Partition(number, _guid(kind), _guid(own), text, first, last))
    return found


def _guid(data: bytes) -> str:
    return str(uuid.UUID(bytes_le=data)).upper()


def _backup_fault(disk: FileRange, header: _Header, table: bytes) -> str:
    """Whether the last sector holds the same table: if not, the image was truncated or grew."""
    last = disk.size // SECTOR - 1
    if disk.size % SECTOR:
        return f"the image does not end with a whole sector ({disk.size} bytes)"
    if header.other > last:
        return f"the image is truncated: its backup should be in sector {header.other} of {last}"
    backup = _header(disk, last)
    if backup is None and header.other != last:
        return f"the backup is in sector {header.other}, the image's last is {last}"
    if backup is None:
        return "the last sector holds no backup"
    if backup.fault:
        return f"in the backup, {backup.fault}"
    other, fault = _table(disk, backup)
    if fault or (table and other != table):
        return "the backup's table differs from the first one"
    return ""


def _outside(disk: FileRange, partitions: tuple[Partition, ...], header: _Header) -> str:
    end = disk.size // SECTOR
    before = None
    for part in sorted(partitions, key=lambda part: part.first):
        if part.last < part.first or part.last >= end or part.first < header.first_usable:
            return f"partition {part.number} ({part.first} to {part.last}) lies outside the disk"
        if part.last > header.last_usable:
            return f"partition {part.number} reaches into the backup"
        if before is not None and part.first <= before.last:
            return f"partitions {before.number} and {part.number} overlap"
        before = part
    return ""


def _instead(disk: FileRange) -> str:
    """What a disk without a partition table in sector 1 has."""
    if disk.read(4096, 8) == b"EFI PART":
        return "its GPT is for sectors of 4096 bytes; Zero-OS's firmware reads those of 512"
    sector = disk.read(0, SECTOR)
    if disk.size < 67 * SECTOR:
        return f"the image has only {disk.size} bytes"
    kinds = {sector[450 + 16 * n] for n in range(4)} if sector[510:512] == b"\x55\xaa" else set()
    if 0xEE in kinds:
        return "its MBR announces a GPT that does not exist"
    if kinds - {0}:
        return "it has an MBR partition table and no GPT"
    return "it has no partition table"
