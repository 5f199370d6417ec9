"""Parts of a file read by offset, and files that lie in pieces of another."""

from __future__ import annotations

import io
from bisect import bisect_right
from typing import TYPE_CHECKING, BinaryIO

from zwizard.artefact.view import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Sequence

_BUFFER = 1 << 16


class Stretch:
    """The ``size`` bytes of ``file`` from ``start`` on, read by offset."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self.start = start
        self.size = max(size, 0)
        self._file = file

    def read(self, offset: int, size: int) -> bytes:
        """The bytes there; fewer where the stretch or the file ends, none outside."""
        size = min(size, self.size - offset)
        if offset < 0 or size <= 0:
            return b""
        self._file.seek(self.start + offset)
        return self._file.read(size)

    def exact(self, offset: int, size: int, name: str) -> bytes:
        """Just ``size`` bytes of what is called ``name``; raises UnreadableError."""
        data = self.read(offset, size)
        if len(data) < size:
            raise damaged(f"{name} lies beyond its end")
        return data

    def part(self, offset: int, size: int) -> Stretch:
        """A stretch of this one."""
        return Stretch(self._file, self.start + offset, min(size, self.size - offset))


def damaged(what: str) -> UnreadableError:
    """The error for a structure that cannot be right."""
    return UnreadableError(
        f"the disk image is damaged: {what}", "Make the image again, and copy it whole."
    )


Run = tuple[int, int, int]
"""A piece of a file: offset in the file, offset in the stretch, length; gaps read as zeros."""


class Pieces(io.RawIOBase):
    """A file of ``size`` bytes that lies in ``runs``, sorted by offset, of ``source``."""

    def __init__(self, source: Stretch, runs: Sequence[Run], size: int) -> None:
        self._source = source
        self._runs = runs
        self._starts = [run[0] for run in runs]
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to an offset."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(base + offset, 0)
        return self._at

    def tell(self) -> int:
        """Where it is."""
        return self._at

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        """What is there, up to the end of a piece or of a gap."""
        wanted = max(min(len(buffer), self._size - self._at), 0)
        if not wanted:
            return 0
        number = bisect_right(self._starts, self._at) - 1
        data = self._piece(number, wanted)
        if not data:
            following = self._starts[number + 1 : number + 2]
            data = bytes(min([wanted, *(start - self._at for start in following)]))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def _piece(self, number: int, wanted: int) -> bytes:
        if number < 0:
            return b""
        start, offset, length = self._runs[number]
        inside = self._at - start
        if inside >= length:
            return b""
        return self._source.exact(offset + inside, min(wanted, length - inside), "a file's data")


def in_pieces(source: Stretch, runs: Sequence[Run], size: int) -> BinaryIO:
    """A seekable file of ``size`` bytes made of ``runs`` of ``source``."""
    return io.BufferedReader(Pieces(source, runs, size), _BUFFER)
