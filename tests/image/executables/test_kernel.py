"""Kernels: what a file is, and whether Zero-OS can start it."""

from __future__ import annotations

import io
import lzma

import pytest

from tests.support.executables import PACKERS, PVH, VERSION, bzimage, elf, note, starts
from zwizard.image.executables.kernel import read_kernel


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "an empty file"),
        (b"hello\n", "a text file"),
        (lzma.compress(elf()), "an xz file"),
        (bzimage(b"what is this"), f"a compressed kernel (bzImage: {VERSION})"),
        (bzimage(PACKERS["xz"](elf())), f"a compressed kernel (bzImage: {VERSION}, xz)"),
    ],
)
def test_another_file_type_is_named(data: bytes, expected: str) -> None:
    assert read_kernel(io.BytesIO(data)).description == expected
    assert not starts(data)


def test_a_good_kernel_starts() -> None:
    data = elf(configuration="CONFIG_MODULES=y\n")
    kernel = read_kernel(io.BytesIO(data))
    assert starts(data)
    assert kernel.version == VERSION
    assert kernel.configuration == "CONFIG_MODULES=y\n"
    assert kernel.pvh == 0x1000850
    assert kernel.notes == ("GNU 0x3", "Xen 0x12")


def changed(data: bytes, place: int, value: bytes) -> bytes:
    return data[:place] + value + data[place + len(value) :]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x7fELF", "it ends inside the ELF header"),
        (elf(bits=1), "it is a 32-bit ELF"),
        (elf(order=2), "it is a big-endian ELF"),
        (elf(machine=183), "an ELF for another processor (machine 183)"),
        (elf(load=False), "no PT_LOAD segment"),
        (elf(entry=0x400), "its entry point 0x400 is below 0x100000"),
        (changed(elf(), 54, b"\x20\x00"), "its program headers are not those of an ELF64"),
        (changed(elf(), 56, b"\xff\xff"), "it ends inside its program headers"),
        (changed(elf(), 32, b"\xff" * 8), "it ends inside its program headers"),
    ],
)
def test_a_kernel_that_the_loader_rejects_has_a_fault(data: bytes, expected: str) -> None:
    kernel = read_kernel(io.BytesIO(data))
    assert expected in kernel.fault
    assert kernel.fault.startswith("it")
    assert not starts(data)


@pytest.mark.parametrize(
    "notes",
    [
        note(b"GNU\x00", 3, bytes(20)),
        note(b"Xen\x00", 0x12, b"\x01\x02"),
        note(b"Xen\x00", 0x11, bytes(4)),
        note(b"XEN\x00", 0x12, bytes(4)),
        b"\xff" * 12 + PVH,
    ],
)
def test_a_kernel_without_a_pvh_note_does_not_start(notes: bytes) -> None:
    kernel = read_kernel(io.BytesIO(elf(notes=notes)))
    assert kernel.fault == ""
    assert kernel.pvh is None
    assert not starts(elf(notes=notes))


def test_a_kernel_that_ends_before_one_of_its_segments_does_not_start() -> None:
    data = elf(notes=PVH + b"\x00" * 8)[:-4]
    kernel = read_kernel(io.BytesIO(data))
    assert kernel.elf is not None
    assert kernel.elf.truncated is not None
    assert not starts(data)


def test_version_and_compression_of_a_bzimage_are_read_without_unpacking() -> None:
    kernel = read_kernel(io.BytesIO(bzimage(PACKERS["zstd"](elf()))))
    assert kernel.version == VERSION
    assert kernel.bzimage is not None
    assert kernel.bzimage.form is not None
    assert kernel.bzimage.form.name == "zstd"


def test_a_banner_across_two_pieces_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    data = elf()
    place = data.index(b"Linux version") + 5
    for piece in (place, place + 1, place + 20):
        monkeypatch.setattr("zwizard.image.executables.kernel._PIECE", piece)
        assert read_kernel(io.BytesIO(data)).version == VERSION


def test_a_program_is_not_accepted_as_a_kernel() -> None:
    with open("/bin/true", "rb") as file:  # noqa: PTH123
        data = file.read()
    assert not starts(data)
