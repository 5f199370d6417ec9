"""Kernels: the ELF inside a bzImage in every compression, and whether Zero-OS can start it."""

from __future__ import annotations

import io
import lzma

import pytest

from tests.support.executables import PACKERS, PVH, VERSION, bzimage, elf, note
from zwizard.image.executables.kernel import KernelError, extract, read_kernel, verify


@pytest.mark.parametrize("form", PACKERS)
def test_the_elf_is_extracted_unchanged_from_every_compression(form: str) -> None:
    kernel = elf()
    assert extract(bzimage(PACKERS[form](kernel))) == kernel


def test_an_elf_is_returned_unchanged() -> None:
    assert extract(elf()) == elf()


def test_lz4_of_many_blocks_is_read() -> None:
    kernel = elf() + bytes(range(256)) * (20 << 12)
    assert extract(bzimage(PACKERS["lz4"](kernel))) == kernel


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "the kernel is an empty file, neither an ELF nor a bzImage"),
        (b"hello\n", "the kernel is a text file, neither"),
        (lzma.compress(elf()), "the kernel is an xz file, neither"),
        (bzimage(b"\x89LZO" + bytes(50)), "lzo compression is not supported"),
        (bzimage(b"what is this"), "its payload has an unknown compression"),
        (bzimage(PACKERS["xz"](b"no kernel")), "holds a text file, not an ELF"),
        (bzimage(PACKERS["xz"](elf())[:-40]), "xz data ends too early"),
        (bzimage(PACKERS["zstd"](elf())[:60]), "zstd"),
        (bzimage(PACKERS["gzip"](elf()))[:-90], "gzip data ends too early"),
        (bzimage(PACKERS["lz4"](elf()))[:-90], "lz4 data ends too early"),
    ],
)
def test_another_file_type_is_refused_as_kernel_by_name(data: bytes, expected: str) -> None:
    with pytest.raises(KernelError) as caught:
        extract(data)
    assert expected in caught.value.message
    assert caught.value.hint


@pytest.mark.slow
@pytest.mark.parametrize("form", PACKERS)
def test_a_bomb_in_a_kernel_is_bounded(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zwizard.image.executables.kernel._KERNEL_BYTES", 4 << 20)
    with pytest.raises(KernelError, match="it unpacks to more than 4 MiB"):
        extract(bzimage(PACKERS[form](bytes(64 << 20))))


def test_a_good_kernel_is_verified() -> None:
    kernel = verify(elf(configuration="CONFIG_MODULES=y\n"))
    assert kernel.version == VERSION
    assert kernel.configuration == "CONFIG_MODULES=y\n"
    assert kernel.pvh == 0x1000850
    assert kernel.notes == ("GNU 0x3", "Xen 0x12")


def changed(data: bytes, place: int, value: bytes) -> bytes:
    return data[:place] + value + data[place + len(value) :]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (bzimage(PACKERS["xz"](elf())), f"a compressed kernel (bzImage: {VERSION}, xz)"),
        (b"\x7fELF", "it ends inside the ELF header"),
        (elf(bits=1), "it is a 32-bit ELF"),
        (elf(order=2), "it is a big-endian ELF"),
        (elf(machine=183), "an ELF for another processor (machine 183)"),
        (elf(load=False), "no PT_LOAD segment"),
        (elf(entry=0x400), "its entry point 0x400 is below 0x100000"),
        (changed(elf(), 54, b"\x20\x00"), "its program headers are not those of an ELF64"),
        (changed(elf(), 56, b"\xff\xff"), "it ends inside its program headers"),
        (changed(elf(), 32, b"\xff" * 8), "it ends inside its program headers"),
        (elf(notes=note(b"GNU\x00", 3, bytes(20))), "it has no PVH note"),
        (elf(notes=note(b"Xen\x00", 0x12, b"\x01\x02")), "it has no PVH note"),
        (elf(notes=note(b"Xen\x00", 0x11, bytes(4))), "it has no PVH note"),
        (elf(notes=note(b"XEN\x00", 0x12, bytes(4))), "it has no PVH note"),
        (elf(notes=b"\xff" * 12 + PVH), "it has no PVH note"),
        (elf(notes=PVH + b"\x00" * 8)[:-4], "ends before one of its segments does"),
    ],
)
def test_a_kernel_that_zero_os_cannot_start_is_refused_with_the_reason(
    data: bytes, expected: str
) -> None:
    with pytest.raises(KernelError) as caught:
        verify(data)
    assert caught.value.message.startswith("Zero-OS cannot start this kernel: it")
    assert expected in caught.value.message


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
    with pytest.raises(KernelError, match="Zero-OS cannot start this kernel"):
        verify(data)
