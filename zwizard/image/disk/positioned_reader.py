"""Read-only file objects over bytes stored elsewhere."""

from __future__ import annotations

import io
from abc import abstractmethod
from typing import BinaryIO

_BUFFER = 1 << 16


class PositionedReader(io.RawIOBase):
    """A file of ``size`` bytes, with its own offset."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._at = 0

    @abstractmethod
    def read_at(self, offset: int, size: int) -> bytes:
        """One to ``size`` bytes from ``offset`` on, all within the file."""

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move to an offset."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(base + offset, 0)
        return self._at

    def tell(self) -> int:
        """The current offset."""
        return self._at

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        """Fill ``buffer`` as far as one read goes."""
        size = min(len(buffer), self._size - self._at)
        data = self.read_at(self._at, size) if size > 0 else b""
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def buffered(self) -> BinaryIO:
        """The file to hand out: small reads are gathered."""
        return io.BufferedReader(self, _BUFFER)
