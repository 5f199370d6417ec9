"""Linux kernels: what a file is, and whether the hypervisor can load it."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

from zwizard.image.archive.compression import CompressionError, Format, Stream, detect
from zwizard.image.executables.elf import (
    ELF_MAGIC,
    HEADER_SIZE,
    LOAD,
    NOTE,
    SEGMENT_HEADER_SIZE,
    Elf,
    Segment,
    read_at,
    read_elf,
)
from zwizard.image.magic import HEAD, file_type

# Bounds on what is believed.
_NOTE_BYTES = 1 << 20
_CONFIG_BYTES = 4 << 20
_PIECE = 4 << 20

_LOWEST_ENTRY = 0x100000
_PVH_NOTE = 0x12

_VERSION = re.compile(rb"Linux version (\d[^\x00-\x20\x7f-\xff]{0,63}) \(")
_CONFIG_START = b"IKCFG_ST"


@dataclass(frozen=True, slots=True)
class BzImage:
    """A compressed kernel's setup header (docs.kernel.org, arch/x86/boot).

    ``form`` is the payload's compression, None if it is unknown.
    """

    version: str
    form: Format | None

    def __str__(self) -> str:
        inside = ", ".join(filter(None, [self.version, self.form.name if self.form else ""]))
        return f"a compressed kernel (bzImage: {inside})" if inside else "a compressed kernel"


@dataclass(frozen=True, slots=True)
class KernelImage:
    """What a file at ``/boot/vmlinuz`` is.

    ``description`` has an article; ``version`` is "" if the file does not contain it;
    ``configuration`` is the build configuration if it is embedded (CONFIG_IKCONFIG). Of an ELF,
    ``fault`` is why the hypervisor's loader rejects it, "" if it does not; ``pvh`` is the entry
    point in the note with owner Xen and type 0x12, None without one.
    """

    description: str
    elf: Elf | None = None
    bzimage: BzImage | None = None
    version: str = ""
    configuration: str | None = None
    fault: str = ""
    pvh: int | None = None
    notes: tuple[str, ...] = ()


def read_kernel(file: BinaryIO) -> KernelImage:
    """What the kernel in ``file`` is; never fails on contents, however broken they are."""
    head = read_at(file, 0, HEAD)
    if head.startswith(ELF_MAGIC):
        return _read_elf_kernel(file)
    image = read_bzimage(file)
    if image is not None:
        return KernelImage(str(image), None, image, image.version)
    return KernelImage(file_type(head))


def read_bzimage(file: BinaryIO) -> BzImage | None:
    """The setup header of a bzImage, or None if ``file`` is none or holds no payload."""
    head = read_at(file, 0, 0x250)
    if len(head) < 0x250 or head[0x202:0x206] != b"HdrS":
        return None
    (protocol,) = struct.unpack_from("<H", head, 0x206)
    if protocol < 0x208:  # older ones do not say where the payload is (before Linux 2.6.26)
        return None
    real_mode = ((head[0x1F1] or 4) + 1) * 512
    (offset,) = struct.unpack_from("<I", head, 0x248)
    (pointer,) = struct.unpack_from("<H", head, 0x20E)
    text = read_at(file, pointer + 0x200, 64) if pointer else b""
    words = text.partition(b"\x00")[0].decode("ascii", "replace").split()
    form = detect(read_at(file, real_mode + offset, 8))
    return BzImage(words[0] if words else "", form)


def _read_elf_kernel(file: BinaryIO) -> KernelImage:
    elf = read_elf(file)
    if elf is None:
        return KernelImage("an ELF file", fault="it ends inside the ELF header")
    version, configuration = _scan(file)
    notes = list(_notes(file, elf.segments))
    entries = (
        int.from_bytes(descriptor[:8], "little")
        for owner, kind, descriptor in notes
        if owner == b"Xen\x00" and kind == _PVH_NOTE and len(descriptor) >= 4
    )
    names = ((owner.rstrip(b"\x00").decode("ascii", "replace"), kind) for owner, kind, _ in notes)
    return KernelImage(
        "an ELF file", elf, None, version, configuration, _elf_fault(elf), next(entries, None),
        tuple(f"{name[:16]} {kind:#x}" for name, kind in islice(names, 20)),
    )  # fmt: skip


def _elf_fault(elf: Elf) -> str:
    """Why the hypervisor's loader rejects an ELF, "" if it does not."""
    if elf.bits != 64:
        return "it is a 32-bit ELF; Zero-OS runs x86-64"
    if elf.big_endian:
        return "it is a big-endian ELF; Zero-OS runs x86-64"
    if not elf.x86_64:
        return f"it is an ELF for another processor (machine {elf.machine}); Zero-OS runs x86-64"
    if elf.segment_header_size != SEGMENT_HEADER_SIZE[64] or elf.table < HEADER_SIZE:
        return "its program headers are not those of an ELF64"
    if len(elf.segments) < elf.segment_count:
        return "it ends inside its program headers"
    if not any(segment.kind == LOAD for segment in elf.segments):
        return "it has nothing to load (no PT_LOAD segment)"
    if elf.entry < _LOWEST_ENTRY:
        return f"its entry point {elf.entry:#x} is below {_LOWEST_ENTRY:#x}, unlike any kernel's"
    return ""


def _notes(file: BinaryIO, segments: tuple[Segment, ...]) -> Iterator[tuple[bytes, int, bytes]]:
    """Every (owner, type, descriptor) in the PT_NOTE segments."""
    room = _NOTE_BYTES
    for segment in segments:
        if segment.kind != NOTE or room <= 0:
            continue
        data = read_at(file, segment.offset, min(segment.size, room))
        room -= len(data)
        position = 0
        while position + 12 <= len(data):
            names, size, kind = struct.unpack_from("<III", data, position)
            owner = position + 12
            descriptor = owner + (names + 3) // 4 * 4
            if descriptor + size > len(data):
                break
            yield data[owner : owner + names], kind, data[descriptor : descriptor + size]
            position = descriptor + (size + 3) // 4 * 4


def _scan(file: BinaryIO) -> tuple[str, str | None]:
    """The version in the kernel's banner and its embedded configuration, in one reading."""
    version, configuration = "", None
    position, overlap = 0, b""
    while piece := read_at(file, position, _PIECE):
        window = overlap + piece
        start = position - len(overlap)
        if not version and (found := _VERSION.search(window)):
            version = found[1].decode("ascii")
        if configuration is None and (at := window.find(_CONFIG_START)) >= 0:
            configuration = _configuration(file, start + at + len(_CONFIG_START))
        position += len(piece)
        overlap = window[-128:]
    return version, configuration


def _configuration(file: BinaryIO, offset: int) -> str | None:
    form = detect(read_at(file, offset, 8))
    if form is None:
        return None
    try:
        return Stream(form, file, offset).read_all(_CONFIG_BYTES).decode("utf-8", "replace")
    except CompressionError:
        return None
