"""Every compression a kernel or an initramfs may be in, as bounded streams over a file."""

from __future__ import annotations

import bz2
import lzma
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO, Protocol

import lz4.block
import zstandard
from isal import igzip_lib

# Most that one step hands out or a decoder keeps: what a kernel itself accepts is far below.
_PIECE = 1 << 20
_DICTIONARY = 128 << 20
_LZ4_BLOCK = 8 << 20
_LZ4_BOUND = _LZ4_BLOCK + _LZ4_BLOCK // 255 + 16
# A zstd block of a few bytes can stand for 128 KiB, and its decoder has no output limit: the
# input goes in so thinly that one step stays within some 40 MiB.
_ZSTD_INPUT = 1 << 10

# isal's own stubs call its exception class an instance.
IsalError: type[Exception] = igzip_lib.IsalError  # type: ignore[assignment]

_BROKEN: tuple[type[Exception], ...] = (
    lzma.LZMAError,
    zstandard.ZstdError,
    IsalError,
    lz4.block.LZ4BlockError,
    OSError,
)


class CompressionError(Exception):
    """Compressed data that is broken, cut, or in a format that cannot be read."""


class _Decoder(Protocol):
    """The interface bz2, lzma and isal share."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Format:
    """A compression: its name as the kernel's configuration has it, and its magic."""

    name: str
    magic: bytes
    stream: Callable[[Stream], Iterator[bytes]] | None


class Stream:
    """One compressed stream in a file, from ``start`` on.

    Iterating gives its contents in pieces of bounded size and raises CompressionError;
    afterwards ``end`` is the offset in the file just behind the stream.
    """

    def __init__(self, form: Format, file: BinaryIO, start: int) -> None:
        self.form = form
        self.end = start
        self._file = file

    def __iter__(self) -> Iterator[bytes]:
        if self.form.stream is None:
            raise CompressionError(f"{self.form.name} compression is not supported")
        try:
            yield from self.form.stream(self)
        except _BROKEN as error:
            raise CompressionError(f"broken {self.form.name} data: {error}") from error
        except (EOFError, MemoryError, ValueError) as error:
            raise CompressionError(f"broken {self.form.name} data") from error

    def read_all(self, limit: int) -> bytes:
        """The whole contents; raises CompressionError if they are more than ``limit`` bytes."""
        pieces: list[bytes] = []
        size = 0
        for piece in self:
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                raise CompressionError(f"it unpacks to more than {limit >> 20} MiB")
        return b"".join(pieces)

    def take(self, size: int) -> bytes:
        """The next compressed bytes, at most ``size``; ``end`` moves with them."""
        self._file.seek(self.end)
        data = self._file.read(size)
        self.end += len(data)
        return data

    def give_back(self, size: int) -> None:
        """The last ``size`` bytes taken belong to what follows the stream."""
        self.end -= size

    def cut(self) -> CompressionError:
        """The error of a stream whose file ends first."""
        return CompressionError(f"{self.form.name} data ends too early")


def _decode(make: Callable[[], _Decoder], stream: Stream) -> Iterator[bytes]:
    decoder = make()
    while not decoder.eof:
        data = b""
        if decoder.needs_input:
            data = stream.take(_PIECE)
            if not data:
                raise stream.cut()
        yield decoder.decompress(data, _PIECE)
    stream.give_back(len(decoder.unused_data))


def _zstd(stream: Stream) -> Iterator[bytes]:
    decoder = zstandard.ZstdDecompressor(max_window_size=_DICTIONARY).decompressobj()
    while not decoder.eof:
        data = stream.take(_ZSTD_INPUT)
        if not data:
            raise stream.cut()
        yield decoder.decompress(data)
    stream.give_back(len(decoder.unused_data))


def _lz4(stream: Stream) -> Iterator[bytes]:
    """The legacy frame: a magic, then blocks of a 32-bit length and at most 8 MiB of output.

    It has no end mark. Another magic may follow (the frames are one stream then); a length no
    block can have, as the size that a bzImage appends or the next cpio magic, ends it.
    """
    magic = stream.form.magic
    stream.take(len(magic))
    while True:
        head = stream.take(4)
        if head == magic:
            continue
        if len(head) < 4:
            stream.give_back(len(head))
            return
        (length,) = struct.unpack("<I", head)
        if not 0 < length <= _LZ4_BOUND:
            stream.give_back(4)
            return
        block = stream.take(length)
        if len(block) < length:
            raise stream.cut()
        yield lz4.block.decompress(block, uncompressed_size=_LZ4_BLOCK)


_GZIP = partial(igzip_lib.IgzipDecompressor, igzip_lib.DECOMP_GZIP)
_XZ = partial(lzma.LZMADecompressor, lzma.FORMAT_XZ, _DICTIONARY)
_LZMA = partial(lzma.LZMADecompressor, lzma.FORMAT_ALONE, _DICTIONARY)

GZIP = Format("gzip", b"\x1f\x8b", partial(_decode, _GZIP))
XZ = Format("xz", b"\xfd7zXZ\x00", partial(_decode, _XZ))
BZIP2 = Format("bzip2", b"BZh", partial(_decode, bz2.BZ2Decompressor))
ZSTD = Format("zstd", b"\x28\xb5\x2f\xfd", _zstd)
LZ4 = Format("lz4", b"\x02\x21\x4c\x18", _lz4)
LZO = Format("lzo", b"\x89LZO", None)
LZMA = Format("lzma", b"\x5d\x00\x00", partial(_decode, _LZMA))
FORMATS = (GZIP, XZ, BZIP2, ZSTD, LZ4, LZO, LZMA)


def detect(head: bytes) -> Format | None:
    """The compression of data that begins with ``head`` (6 bytes are enough), or None."""
    return next((form for form in FORMATS if head.startswith(form.magic)), None)
