"""The bytes of an archive, in order and counted."""

import os
from collections.abc import Iterator
from typing import BinaryIO


class ArchiveError(Exception):
    """Why an archive is not whole. ``bounded``: a limit of ours, not damage."""

    def __init__(self, message: str, *, bounded: bool = False) -> None:
        super().__init__(message)
        self.bounded = bounded


class ByteStream:
    """The bytes that ``pieces`` (none of them empty) give; ``position`` is how many were taken."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self.position = 0
        self._buffer = b""
        self._at = 0
        self._pieces = pieces

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes, fewer only at the end."""
        end = self._at + size
        if end <= len(self._buffer):
            data = self._buffer[self._at : end]
            self._at = end
            self.position += size
            return data
        return b"".join(self.pieces(size))

    def give_back(self, data: bytes) -> None:
        """Have ``data``, the last bytes taken, be the next ones again."""
        self.position -= len(data)
        if len(data) <= self._at:
            self._at -= len(data)
        else:
            self._buffer, self._at = data + self._buffer[self._at :], 0

    def skip(self, size: int) -> int:
        """Pass over ``size`` bytes; returns how many there were."""
        end = self._at + size
        if end <= len(self._buffer):
            self._at = end
            self.position += size
            return size
        return sum(map(len, self.pieces(size)))

    def skip_zeros(self) -> bool:
        """Pass over bytes of zero; whether anything else follows."""
        while self._fill():
            rest = self._buffer[self._at :]
            # Most are nothing else: comparing takes a twentieth of the time.
            rest = b"" if rest == bytes(len(rest)) else rest.lstrip(b"\x00")
            skipped = len(self._buffer) - self._at - len(rest)
            self._at += skipped
            self.position += skipped
            if rest:
                return True
        return False

    def pieces(self, size: int | None = None) -> Iterator[bytes]:
        """The next ``size`` bytes (None: all the rest) in pieces of at most 1 MiB."""
        while size is None or size > 0:
            if not self._fill():
                return
            end = len(self._buffer) if size is None else self._at + size
            piece = self._buffer[self._at : end]
            self._at += len(piece)
            self.position += len(piece)
            if size is not None:
                size -= len(piece)
            yield piece

    def _fill(self) -> bool:
        """Have unread bytes in the buffer; False at the end."""
        if self._at == len(self._buffer):
            self._buffer, self._at = next(self._pieces, b""), 0
        return bool(self._buffer)


def size_of(file: BinaryIO) -> int:
    """The bytes of a file, which may be a member of an archive; its place stays."""
    here = file.tell()
    size = file.seek(0, os.SEEK_END)
    file.seek(here)
    return size


def plain(file: BinaryIO) -> ByteStream:
    """The bytes of a file as they are."""
    return ByteStream(iter(lambda: file.read(1 << 20), b""))
