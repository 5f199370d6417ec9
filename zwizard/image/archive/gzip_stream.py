"""A gzip file as a stream: checksums are verified, and nothing may follow the end."""

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

    Reads no more of the file than it has now, even if it grows meanwhile, and calls ``taken``
    with what it read. ``position`` is the number of unpacked bytes handed out. Raises
    ArchiveError where the data is broken, where it ends too early, or where something other than
    zeros follows it.
    """

    def __init__(self, file: BinaryIO, taken: Callable[[bytes], None] | None = None) -> None:
        super().__init__(self._unpack())
        self._packed = ByteStream(_read(file, size_of(file) - file.tell(), taken))
        self._made = 0

    def _unpack(self) -> Iterator[bytes]:
        """Member after member, as gzip itself reads them, in pieces that are not empty."""
        portion, gzip_members = _FIRST_INPUT, 0
        while self._is_member():
            start = self._packed.position
            gzip_members += 1
            if gzip_members > 1000 + start // _SMALLEST_MEMBER:  # made to waste time
                raise ArchiveError("it consists of too many empty gzip files", bounded=True)
            decoder = igzip_lib.IgzipDecompressor(igzip_lib.DECOMP_GZIP)
            while not decoder.eof:
                data = self._packed.take(portion) if decoder.needs_input else b""
                if decoder.needs_input and not data:
                    raise ArchiveError(
                        f"truncated: the compressed data ends at byte {self._packed.position}"
                    )
                if piece := self._step(decoder, data):
                    yield piece
                portion = min(2 * portion, _INPUT)
            self._packed.give_back(decoder.unused_data)
            portion = max(_FIRST_INPUT, min(self._packed.position - start, _INPUT))
        if self._packed.skip_zeros():
            raise ArchiveError("other data follows the end of the compressed data")

    def _is_member(self) -> bool:
        head = self._packed.take(len(GZIP.magic))
        self._packed.give_back(head)
        return head == GZIP.magic

    def _step(self, decoder: igzip_lib.IgzipDecompressor, data: bytes) -> bytes:
        packed = self._packed.position
        try:
            piece: bytes = decoder.decompress(data, _OUTPUT)
        except IsalError as error:
            raise ArchiveError(
                f"the compressed data is damaged before byte {packed} ({error})"
            ) from error
        self._made += len(piece)
        if self._made > BOMB_BYTES and self._made > packed * BOMB_RATIO:
            raise ArchiveError(
                f"it unpacks to more than {self._made >> 30} GiB,"
                f" over {BOMB_RATIO} times what it takes packed",
                bounded=True,
            )
        return piece


def _read(file: BinaryIO, size: int, taken: Callable[[bytes], None] | None) -> Iterator[bytes]:
    """The next ``size`` bytes of ``file``, fewer only at its end."""
    left = size
    while data := file.read(min(_INPUT, left)):
        left -= len(data)
        if taken is not None:
            taken(data)
        yield data
