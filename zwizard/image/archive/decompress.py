"""An archive's bytes, decompressed by whichever compression its first bytes name."""

from __future__ import annotations

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
    return detect(head) in _KNOWN


def decompressed(file: BinaryIO) -> ByteStream:
    """The tar archive in ``file``, compressed or not; raises ArchiveError for anything else.

    Knows gzip, xz, bzip2, zstd and lzma, also as several streams one after the other.
    """
    head = file.read(HEAD)
    file.seek(0)
    form = detect(head)
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
            if detect(file.read(6)) is not form:
                break  # padding, or something that only follows
    except CompressionError as error:
        raise ArchiveError(str(error)) from error
