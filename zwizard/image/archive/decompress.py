"""An archive's bytes, decompressed by whichever compression its first bytes name."""

from collections.abc import Iterator
from typing import BinaryIO

from zwizard.image.archive.byte_stream import ArchiveError, ByteStream, plain, size_of
from zwizard.image.archive.compression import (
    BZIP2,
    GZIP,
    LZMA,
    XZ,
    ZSTD,
    CompressionError,
    Format,
    Stream,
    detect,
)
from zwizard.image.archive.gzip_stream import GzipStream
from zwizard.image.magic import HEAD, file_type

_TAR = "a tar archive that is not compressed"
_KNOWN = {GZIP, BZIP2, LZMA, XZ, ZSTD}


def is_compressed(file: BinaryIO) -> bool:
    """Whether ``file`` is compressed in a way that ``decompressed`` knows; its place stays."""
    here = file.tell()
    head = file.read(HEAD)
    file.seek(here)
    return _form(head) in _KNOWN


def _form(head: bytes) -> Format | None:
    """The compression, that of zstd's skippable frames too, which pzstd writes first."""
    skippable = head[1:4] == b"\x2a\x4d\x18" and head[0] & 0xF0 == 0x50
    return ZSTD if skippable else detect(head)


def decompressed(file: BinaryIO) -> ByteStream:
    """The tar archive in ``file``, compressed or not; raises ArchiveError for anything else.

    Knows gzip, xz, bzip2, zstd and lzma, also as several streams one after the other.
    """
    head = file.read(HEAD)
    file.seek(0)
    form = _form(head)
    if form is GZIP:
        return GzipStream(file)
    if form in _KNOWN:
        return ByteStream(_streams(form, file))
    if file_type(head) != _TAR:
        raise ArchiveError(f"it is {file_type(head)}, not a tar archive")
    return plain(file)


def _streams(form: Format, file: BinaryIO) -> Iterator[bytes]:
    end, size = 0, size_of(file)
    try:
        while end < size:
            stream = Stream(form, file, end)
            yield from filter(None, stream)
            end = stream.end
            file.seek(end)
            if _form(file.read(6)) is not form:
                break  # padding, or something that only follows
    except CompressionError as error:
        raise ArchiveError(str(error)) from error
