"""A gzip file as a stream: checksums are verified, and nothing may follow the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO

from isal import igzip_lib

from zwizard.image.archive.byte_stream import ArchiveError, ByteStream, size_of
from zwizard.image.archive.compression import GZIP, IsalError

_INPUT = 256 << 10
_OUTPUT = 1 << 20
# Input goes in by growing portions, the first as large as the member before: what a small member
# leaves over is small too, and one of many large ones is read as fast as a single one.
_FIRST_INPUT = 1 << 10
_SMALLEST_MEMBER = 1 << 10

# A disk image of zeros packs a thousandfold and is still meant; beyond both of these bounds
# reading to the end takes too long, here and on the hub.
BOMB_BYTES = 8 << 30
BOMB_RATIO = 200


class GzipStream(ByteStream):
    """The unpacked bytes of ``file``, in order and counted.

    Reads no more of the file than it has now, even if it grows meanwhile. ``position`` is
    the number of unpacked bytes handed out. Raises ArchiveError where the data is broken, where
    it ends too early, or where something other than zeros follows it.
    """

    def __init__(self, file: BinaryIO, progress: Callable[[int], None] | None = None) -> None:
        super().__init__(self._unpack())
        self._file = file
        self._progress = progress
        self._raw = b""
        self._raw_at = 0
        self._gzip_members = 0
        self._taken = 0
        self._left = size_of(file) - file.tell()
        self._made = 0

    def _unpack(self) -> Iterator[bytes]:
        """Member after member, as gzip itself reads them, in pieces that are not empty."""
        portion = _FIRST_INPUT
        while self._peek(2) == GZIP.magic:
            self._count_member()
            start = self._place
            decoder = igzip_lib.IgzipDecompressor(igzip_lib.DECOMP_GZIP)
            while not decoder.eof:
                data = self._feed(portion) if decoder.needs_input else b""
                if decoder.needs_input and not data:
                    raise ArchiveError(
                        f"truncated: the compressed data ends at byte {self._place}"
                    )
                if piece := self._step(decoder, data):
                    yield piece
                portion = min(2 * portion, _INPUT)
            self._raw_at -= len(decoder.unused_data)
            portion = max(_FIRST_INPUT, min(self._place - start, _INPUT))
        self._expect_padding()

    def _count_member(self) -> None:
        """A gzip file may be many; one made of nothing but beginnings is there to waste time."""
        self._gzip_members += 1
        if self._gzip_members > 1000 + self._taken // _SMALLEST_MEMBER:
            raise ArchiveError("it consists of too many empty gzip files", bounded=True)

    def _step(self, decoder: igzip_lib.IgzipDecompressor, data: bytes) -> bytes:
        try:
            piece: bytes = decoder.decompress(data, _OUTPUT)
        except IsalError as error:
            raise ArchiveError(
                f"the compressed data is damaged before byte {self._place} ({error})"
            ) from error
        self._made += len(piece)
        if self._made > BOMB_BYTES and self._made > self._taken * BOMB_RATIO:
            raise ArchiveError(
                f"it unpacks to more than {self._made >> 30} GiB,"
                f" over {BOMB_RATIO} times what it takes packed",
                bounded=True,
            )
        return piece

    def _expect_padding(self) -> None:
        while data := self._feed(_INPUT):
            if data.count(0) != len(data):
                raise ArchiveError("other data follows the end of the compressed data")

    def _feed(self, size: int) -> bytes:
        """The next packed bytes, at most ``size``; none only at the end of the file."""
        if self._raw_at == len(self._raw):
            self._raw, self._raw_at = self._read(), 0
        data = self._raw[self._raw_at : self._raw_at + size]
        self._raw_at += len(data)
        return data

    def _peek(self, size: int) -> bytes:
        if len(self._raw) - self._raw_at < size:
            self._raw, self._raw_at = self._raw[self._raw_at :] + self._read(), 0
        return self._raw[self._raw_at : self._raw_at + size]

    def _read(self) -> bytes:
        data = self._file.read(min(_INPUT, self._left))
        self._taken += len(data)
        self._left -= len(data)
        if self._progress is not None:
            self._progress(self._taken)
        return data

    @property
    def _place(self) -> int:
        """The offset of the next packed byte."""
        return self._taken - len(self._raw) + self._raw_at
