"""Initramfs images: every part of them, in every compression, to the end."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from tests.support.executables import MICROCODE, PACKERS, VERSION, cpio, initramfs
from zwizard.image.executables import initramfs as reader
from zwizard.image.executables.initramfs import Initramfs, read_initramfs

MODULES = {"virtiofs", "virtio_pci", "virtio_blk", "fuse", "virtio"}


def read(data: bytes) -> Initramfs:
    with read_initramfs(io.BytesIO(data)) as found:
        return found


@pytest.mark.parametrize("form", ["", *PACKERS])
@pytest.mark.parametrize("before", [b"", MICROCODE, MICROCODE + bytes(5000), MICROCODE * 3])
def test_modules_are_found_behind_microcode_in_every_compression(form: str, before: bytes) -> None:
    body = initramfs()
    found = read(before + (PACKERS[form](body) if form else body))
    assert found.fault == ""
    assert found.resolve("/init").file is not None
    assert found.modules == {VERSION: MODULES}
    assert found.compressions[-1] == form


@pytest.mark.parametrize("first", sorted(PACKERS.keys() - {"lz4"}))  # it ends at zeros
def test_compressed_parts_may_follow_one_another(first: str) -> None:
    early = PACKERS[first](cpio({"etc/early": b"x" * 5000}))
    found = read(early + PACKERS["zstd"](initramfs()) + bytes(600))
    assert found.fault == ""
    assert found.compressions == [first, "zstd"]
    assert found.resolve("/init").file is not None


def test_module_names_always_have_underscores() -> None:
    name = f"./lib/modules/{VERSION}/kernel/fs/nls/nls_iso8859-1.ko.zst"
    found = read(cpio({"init": b"", name: b"x"}))
    assert found.has("nls_iso8859_1", VERSION)


@pytest.mark.parametrize("form", PACKERS)
@pytest.mark.parametrize("kept", [0.3, 0.7, 0.95])
def test_a_truncated_image_is_reported(form: str, kept: float) -> None:
    data = PACKERS[form](initramfs(others={"zz": bytes(range(256)) * 400}))
    assert read(data[: int(len(data) * kept)]).fault


def test_a_truncated_archive_is_reported() -> None:
    data = initramfs()
    place = data.index(b"virtiofs.ko\x00")
    assert read(data[: place + 20]).fault.startswith("truncated inside usr/lib/modules")
    assert "ends inside a header" in read(data[: data.index(b"TRAILER") - 50]).fault


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (MICROCODE + b"\x89LZO" + bytes(20), "lzo compression is not supported"),
        (b"070701" + b"zz" * 60, "a cpio member's header is damaged"),
        (b"070701" + b"f" * 200, "a cpio member's header is damaged"),
    ],
    ids=["lzo", "no-digits", "no-sense"],
)
def test_what_is_no_initramfs_has_a_fault(data: bytes, fault: str) -> None:
    assert fault in read(data).fault


def test_what_the_kernel_leaves_out_is_no_fault() -> None:
    found = read(b"hello\n")
    assert (found.fault, found.count) == ("", 0)
    assert found.ignored == "at byte 0 there is a text file, not a cpio archive"
    assert read(PACKERS["gzip"](b"x" * 500)).ignored == "behind 0 files there is no cpio member"


def test_an_unsupported_compression_is_unknown() -> None:
    assert read(b"\x89LZO" + bytes(20)).bounded
    assert not read(b"hello\n").bounded


def test_an_empty_image_has_nothing() -> None:
    found = read(b"")
    assert (found.fault, found.node("/init"), found.count) == ("", None, 0)


@pytest.mark.slow
@pytest.mark.parametrize("form", PACKERS)
def test_a_bomb_is_bounded(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_UNPACKED", 1 << 20)
    found = read(PACKERS[form](cpio({"zeros": bytes(8 << 20)})))
    assert found.fault == "it unpacks to more than 1 MiB"
    assert found.bounded


def test_endless_parts_and_entries_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "more than 64 parts" in read(PACKERS["gzip"](b"") * 1000).fault
    monkeypatch.setattr(reader, "_ENTRIES", 10)
    assert "more than 10 files" in read(cpio({str(n): b"" for n in range(20)})).fault


def test_nothing_stays_open_when_its_disk_fails() -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    before = sorted(Path("/proc/self/fd").iterdir())
    with pytest.raises(OSError, match="Input/output") as error:
        read_initramfs(Failing(b"07070"))
    assert sorted(Path("/proc/self/fd").iterdir()) == before
    assert error.traceback  # it holds what it went through
