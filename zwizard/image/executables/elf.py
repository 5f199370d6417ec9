"""ELF files, programs and kernels alike: their headers, segments, loader and libraries."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

ELF_MAGIC = b"\x7fELF"
LOAD, DYNAMIC, INTERPRETER, NOTE = 1, 2, 3, 4  # types of segments
HEADER_SIZE = 64
SEGMENT_HEADER_SIZE = {32: 32, 64: 56}

_X86_64 = 62
_MACHINES = {3: "x86 (32-bit)", 40: "ARM", 62: "x86-64", 183: "ARM64", 243: "RISC-V", 21: "POWER"}
_PROGRAMS = (2, 3)  # ET_EXEC and ET_DYN; others are objects and core dumps
_NEEDED, _STRINGS = 1, 5
_PATH = 4096
_MOST_LIBRARIES = 64
_DYNAMIC_SIZE = 1 << 16


class Segment(NamedTuple):
    """One program header: its type, and where its bytes are in the file and in memory."""

    kind: int
    offset: int
    address: int
    size: int


@dataclass(frozen=True, slots=True)
class Elf:
    """The headers of an ELF file of ``size`` bytes (System V ABI, "Program Header").

    ``table``, ``segment_header_size`` and ``segment_count`` are where its program headers are, as
    the file says; ``segments`` are those that could be read. ``loader`` is what PT_INTERP names,
    "" for a static program; ``libraries`` are the names in DT_NEEDED (64-bit programs only).
    """

    bits: int
    big_endian: bool
    machine: int
    kind: int
    entry: int
    table: int
    segment_header_size: int
    segment_count: int
    size: int
    segments: tuple[Segment, ...]
    loader: str
    libraries: tuple[str, ...]

    @property
    def x86_64(self) -> bool:
        """It is a 64-bit one for x86-64."""
        return self.bits == 64 and self.machine == _X86_64

    @property
    def runs(self) -> bool:
        """It is a program, not a part of one."""
        return self.kind in _PROGRAMS

    @property
    def words(self) -> str:
        """``ELF64, x86-64``."""
        return f"ELF{self.bits}, {_MACHINES.get(self.machine, f'processor {self.machine}')}"

    @property
    def end(self) -> int:
        """The size that a complete file has at least."""
        headers = self.table + self.segment_header_size * self.segment_count
        return max([headers, *(segment.offset + segment.size for segment in self.segments)])

    @property
    def truncated(self) -> Segment | None:
        """The first segment that does not lie inside the file."""
        return next((s for s in self.segments if s.offset + s.size > self.size), None)


def read_elf(file: BinaryIO) -> Elf | None:
    """The headers of the seekable ``file``; None for anything but an ELF file."""
    head = read_at(file, 0, HEADER_SIZE)
    if not head.startswith(ELF_MAGIC) or len(head) < HEADER_SIZE:
        return None
    bits, order = 64 if head[4] == 2 else 32, ">" if head[5] == 2 else "<"
    kind, machine = struct.unpack_from(f"{order}HH", head, 16)
    entry, table = struct.unpack_from(f"{order}{'QQ' if bits == 64 else 'II'}", head, 24)
    width, count = struct.unpack_from(f"{order}HH", head, 54 if bits == 64 else 42)
    expected = width == SEGMENT_HEADER_SIZE[bits]
    data = read_at(file, table, width * count) if expected else b""
    segments = tuple(_segments(data, order, bits))
    loader = next((_text(file, s.offset, s.size) for s in segments if s.kind == INTERPRETER), "")
    libraries = tuple(_libraries(file, segments, order)) if bits == 64 else ()
    size = file.seek(0, io.SEEK_END)
    return Elf(
        bits, order == ">", machine, kind, entry, table, width, count, size, segments, loader,
        libraries,
    )  # fmt: skip


def _segments(data: bytes, order: str, bits: int) -> Iterator[Segment]:
    header = struct.Struct(f"{order}IIQQQQQQ" if bits == 64 else f"{order}IIIIIIII")
    for fields in header.iter_unpack(data[: len(data) // header.size * header.size]):
        kind, offset, address, _, size = fields[:1] + (fields[2:6] if bits == 64 else fields[1:5])
        yield Segment(kind, offset, address, size)


def _libraries(file: BinaryIO, segments: tuple[Segment, ...], order: str) -> Iterator[str]:
    """The DT_NEEDED names; their strings lie at an address, which a loaded segment has."""
    dynamic = next((s for s in segments if s.kind == DYNAMIC), None)
    if dynamic is None:
        return
    table = read_at(file, dynamic.offset, min(dynamic.size, _DYNAMIC_SIZE))
    entries = list(struct.iter_unpack(f"{order}QQ", table[: len(table) // 16 * 16]))
    strings = next((value for tag, value in entries if tag == _STRINGS), 0)
    loaded = (s for s in segments if s.kind == LOAD)
    home = next((s for s in loaded if s.address <= strings < s.address + s.size), None)
    if home is None:
        return
    names = [value for tag, value in entries if tag == _NEEDED][:_MOST_LIBRARIES]
    for value in names:
        if name := _text(file, home.offset + strings - home.address + value, _PATH):
            yield name


def _text(file: BinaryIO, offset: int, size: int) -> str:
    """The text at ``offset``, to its NUL."""
    found = read_at(file, offset, min(size, _PATH)).partition(b"\x00")[0]
    return found.decode("utf-8", "surrogateescape")


def read_at(file: BinaryIO, offset: int, size: int) -> bytes:
    """``size`` bytes of ``file`` from ``offset`` on, fewer at its end."""
    if offset > 1 << 62:  # no file is that long, and no seek takes more than 63 bits
        return b""
    file.seek(offset)
    return file.read(size)
