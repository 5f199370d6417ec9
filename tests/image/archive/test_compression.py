"""Compressed streams in every format: contents, damage and bounds."""

from __future__ import annotations

import io

import pytest

from tests.support.executables import PACKERS, elf
from zwizard.image.archive.compression import CompressionError, Stream, detect

FOLLOWS = b"\x00\x00\x00\xff what follows"


def unpack(data: bytes, limit: int = 1 << 30) -> bytes:
    form = detect(data)
    assert form is not None
    stream = Stream(form, io.BytesIO(data), 0)
    contents = stream.read_all(limit)
    assert stream.end == len(data) or data[stream.end :] == FOLLOWS
    return contents


@pytest.mark.parametrize("form", PACKERS)
@pytest.mark.parametrize("behind", [b"", FOLLOWS])
def test_contents_are_unpacked_unchanged_from_every_compression(form: str, behind: bytes) -> None:
    kernel = elf()
    assert unpack(PACKERS[form](kernel) + behind) == kernel


@pytest.mark.slow
def test_lz4_of_many_blocks_is_read() -> None:
    kernel = elf() + bytes(range(256)) * (20 << 12)
    assert unpack(PACKERS["lz4"](kernel)) == kernel


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x89LZO" + bytes(50), "lzo compression is not supported"),
        (PACKERS["xz"](elf())[:-40], "xz data ends too early"),
        (PACKERS["zstd"](elf())[:60], "zstd"),
        (PACKERS["gzip"](elf())[:-90], "gzip data ends too early"),
        (PACKERS["lz4"](elf())[:-90], "lz4 data ends too early"),
    ],
    ids=("lzo", "xz", "zstd", "gzip", "lz4"),
)
def test_damaged_and_unsupported_data_is_refused_by_name(data: bytes, expected: str) -> None:
    with pytest.raises(CompressionError, match=expected):
        unpack(data)


@pytest.mark.slow
@pytest.mark.parametrize("form", PACKERS)
def test_a_bomb_is_bounded(form: str) -> None:
    with pytest.raises(CompressionError, match="it unpacks to more than 4 MiB"):
        unpack(PACKERS[form](bytes(64 << 20)), 4 << 20)
