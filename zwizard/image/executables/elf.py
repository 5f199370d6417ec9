"""An ELF program's head: for which processor it is, and what has to be there for it to run."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

X86_64 = 62
_MACHINES = {3: "x86 (32-bit)", 40: "ARM", 62: "x86-64", 183: "ARM64", 243: "RISC-V", 21: "POWER"}
_PROGRAMS = (2, 3)  # ET_EXEC and ET_DYN; others are objects and core dumps
_LOAD, _DYNAMIC, _INTERPRETER = 1, 2, 3
_NEEDED, _STRINGS = 1, 5
_HEADER = 64
_PATH = 4096
_MOST = 64  # program headers, and libraries, that are looked at
_DYNAMIC_SIZE = 1 << 16


@dataclass(frozen=True, slots=True)
class Elf:
    """An ELF file: ``bits`` and ``machine`` of its header, ``runs`` if it is a program at all.

    ``loader`` is what its PT_INTERP names, "" for a static program; ``libraries`` are the names of
    what it is linked with (DT_NEEDED; 64-bit programs only). A file shorter than ``end`` is cut.
    """

    bits: int
    machine: int
    runs: bool
    loader: str
    libraries: tuple[str, ...] = ()
    end: int = 0

    @property
    def x86_64(self) -> bool:
        """It is a 64-bit one for x86-64."""
        return self.bits == 64 and self.machine == X86_64

    @property
    def words(self) -> str:
        """``ELF64, x86-64``."""
        return f"ELF{self.bits}, {_MACHINES.get(self.machine, f'processor {self.machine}')}"


class _Segment(NamedTuple):
    kind: int
    offset: int
    address: int
    size: int


def read_elf(file: BinaryIO) -> Elf | None:
    """What the seekable ``file`` is; None if it is no ELF (System V ABI, "Program Header")."""
    head = _at(file, 0, _HEADER)
    if not head.startswith(b"\x7fELF") or len(head) < _HEADER:
        return None
    order = ">" if head[5] == 2 else "<"
    bits = 64 if head[4] == 2 else 32
    kind, machine = struct.unpack_from(f"{order}HH", head, 16)
    segments = list(_segments(file, head, order, bits))
    loader = next((_text(file, s.offset, s.size) for s in segments if s.kind == _INTERPRETER), "")
    libraries = tuple(_libraries(file, segments, order)) if bits == 64 else ()
    start, size, count = _table(head, order, bits)
    end = max([start + size * count, *(s.offset + s.size for s in segments)])
    return Elf(bits, machine, kind in _PROGRAMS, loader, libraries, end)


def _table(head: bytes, order: str, bits: int) -> tuple[int, int, int]:
    """Where the program headers are, the size of one, and how many there are."""
    wide = bits == 64
    (start,) = struct.unpack_from(f"{order}{'Q' if wide else 'I'}", head, 32 if wide else 28)
    return (start, *struct.unpack_from(f"{order}HH", head, 54 if wide else 42))


def _segments(file: BinaryIO, head: bytes, order: str, bits: int) -> Iterator[_Segment]:
    wide = bits == 64
    start, size, count = _table(head, order, bits)
    for number in range(min(count, _MOST)):
        header = _at(file, start + number * size, 56 if wide else 32)
        if len(header) < 32 or (wide and len(header) < 56):
            return
        (kind,) = struct.unpack_from(f"{order}I", header)
        if wide:
            offset, address, _, length = struct.unpack_from(f"{order}QQQQ", header, 8)
        else:
            offset, address, _, length = struct.unpack_from(f"{order}IIII", header, 4)
        yield _Segment(kind, offset, address, length)


def _libraries(file: BinaryIO, segments: list[_Segment], order: str) -> Iterator[str]:
    """The DT_NEEDED names; their strings lie at an address, which a loaded segment has."""
    dynamic = next((s for s in segments if s.kind == _DYNAMIC), None)
    if dynamic is None:
        return
    table = _at(file, dynamic.offset, min(dynamic.size, _DYNAMIC_SIZE))
    entries = list(struct.iter_unpack(f"{order}QQ", table[: len(table) // 16 * 16]))
    strings = next((value for tag, value in entries if tag == _STRINGS), 0)
    loaded = (s for s in segments if s.kind == _LOAD)
    home = next((s for s in loaded if s.address <= strings < s.address + s.size), None)
    if home is None:
        return
    names = [value for tag, value in entries if tag == _NEEDED][:_MOST]
    for value in names:
        if name := _text(file, home.offset + strings - home.address + value, _PATH):
            yield name


def _text(file: BinaryIO, offset: int, size: int) -> str:
    """The text at ``offset``, to its NUL."""
    found = _at(file, offset, min(size, _PATH)).partition(b"\x00")[0]
    return found.decode("utf-8", "surrogateescape")


def _at(file: BinaryIO, offset: int, size: int) -> bytes:
    if offset >= 1 << 62:
        return b""
    file.seek(offset)
    return file.read(size)
