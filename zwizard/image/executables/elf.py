"""ELF files, programs and kernels alike: their headers, segments, loader and libraries."""

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
_PATH = 4096
_MOST_LIBRARIES = 256
_DYNAMIC_SIZE = 1 << 16
_STRINGS_SIZE = 4 << 20

# Tags of the dynamic section (System V ABI, "Dynamic Section"; its GNU extensions).
_NEEDED, _STRINGS, _NAME, _RPATH, _RUNPATH = 1, 5, 14, 15, 29
_STRINGS_LENGTH = 10
_PROVIDES, _REQUIRES = 0x6FFFFFFC, 0x6FFFFFFE
_WEAK = 2


class Segment(NamedTuple):
    """One program header: its type, and where its bytes are in the file and in memory."""

    kind: int
    offset: int
    address: int
    size: int


@dataclass(frozen=True, slots=True)
class Dynamic:
    """What a dynamic loader reads of an ELF file (64-bit ones only).

    ``libraries`` are the names in DT_NEEDED, ``name`` is DT_SONAME, ``rpath`` and ``runpath`` are
    lists of directories with colons. ``requires`` holds (library, version) for each symbol version
    that another library must have, ``provides`` the versions that this one has.
    """

    libraries: tuple[str, ...] = ()
    name: str = ""
    rpath: str = ""
    runpath: str = ""
    requires: tuple[tuple[str, str], ...] = ()
    provides: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Elf:
    """The headers of an ELF file of ``size`` bytes (System V ABI, "Program Header").

    ``table``, ``segment_header_size`` and ``segment_count`` are where its program headers are, as
    the file says; ``segments`` are those that could be read. ``loader`` is what PT_INTERP names,
    "" for a static program; ``dynamic`` is for the loader, empty for a static program.
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
    dynamic: Dynamic

    @property
    def libraries(self) -> tuple[str, ...]:
        """The names of the shared libraries that it needs."""
        return self.dynamic.libraries

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
    dynamic = _dynamic(file, segments, order) if bits == 64 else Dynamic()
    size = file.seek(0, io.SEEK_END)
    return Elf(
        bits, order == ">", machine, kind, entry, table, width, count, size, segments, loader,
        dynamic,
    )  # fmt: skip


def _segments(data: bytes, order: str, bits: int) -> Iterator[Segment]:
    header = struct.Struct(f"{order}IIQQQQQQ" if bits == 64 else f"{order}IIIIIIII")
    for fields in header.iter_unpack(data[: len(data) // header.size * header.size]):
        kind, offset, address, _, size = fields[:1] + (fields[2:6] if bits == 64 else fields[1:5])
        yield Segment(kind, offset, address, size)


class _Memory:
    """The bytes of a file at the addresses that its loaded segments have."""

    def __init__(self, file: BinaryIO, segments: tuple[Segment, ...], order: str) -> None:
        self._file = file
        self._loaded = [s for s in segments if s.kind == LOAD]
        self._order = order

    def read(self, address: int, size: int) -> bytes:
        home = next((s for s in self._loaded if s.address <= address < s.address + s.size), None)
        if home is None:
            return b""
        return read_at(self._file, home.offset + address - home.address, size)

    def fields(self, form: str, address: int) -> tuple[int, ...]:
        """The numbers at ``address``; zeros where there is nothing."""
        layout = struct.Struct(self._order + form)
        return layout.unpack(self.read(address, layout.size).ljust(layout.size, b"\x00"))


def _dynamic(file: BinaryIO, segments: tuple[Segment, ...], order: str) -> Dynamic:
    """The dynamic section; its strings lie at an address, which a loaded segment has."""
    section = next((s for s in segments if s.kind == DYNAMIC), None)
    if section is None:
        return Dynamic()
    table = read_at(file, section.offset, min(section.size, _DYNAMIC_SIZE))
    entries = list(struct.iter_unpack(f"{order}QQ", table[: len(table) // 16 * 16]))
    values = dict(reversed(entries))  # the first of a tag counts
    memory = _Memory(file, segments, order)
    length = min(values.get(_STRINGS_LENGTH, _STRINGS_SIZE), _STRINGS_SIZE)
    strings = memory.read(values.get(_STRINGS, 0), length)

    def string(offset: int) -> str:
        end = strings.find(b"\x00", offset, offset + _PATH)
        return strings[offset : max(end, offset)].decode("utf-8", "surrogateescape")

    def named(tag: int) -> str:
        return string(values[tag]) if tag in values else ""

    needed = [string(value) for tag, value in entries if tag == _NEEDED][:_MOST_LIBRARIES]
    return Dynamic(
        tuple(filter(None, needed)), named(_NAME), named(_RPATH), named(_RUNPATH),
        tuple((string(file), string(name)) for file, name in _required(memory, values)),
        frozenset(string(name) for name in _provided(memory, values)),
    )  # fmt: skip


def _required(memory: _Memory, values: dict[int, int]) -> Iterator[tuple[int, int]]:
    """Library and version (offsets of their names) of each symbol version that must be there."""
    at = values.get(_REQUIRES, 0)
    for _ in range(_MOST_LIBRARIES if at else 0):
        _, count, library, first, following = memory.fields("HHIII", at)
        one = at + first
        for _ in range(min(count, _MOST_LIBRARIES)):
            _, flags, _, name, further = memory.fields("IHHII", one)
            if not flags & _WEAK:
                yield library, name
            one += further
        if not following:
            return
        at += following


def _provided(memory: _Memory, values: dict[int, int]) -> Iterator[int]:
    """The symbol versions (offsets of their names) that a library has."""
    at = values.get(_PROVIDES, 0)
    for _ in range(_MOST_LIBRARIES if at else 0):
        first, following = memory.fields("HHHHIII", at)[-2:]
        yield memory.fields("II", at + first)[0]
        if not following:
            return
        at += following


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
