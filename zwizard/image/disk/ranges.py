"""Parts of a file read by offset, and files made of pieces of another."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Sequence
from typing import BinaryIO

from zwizard.image.tree import UnreadableError

_BUFFER = 1 << 16


class FileRange:
    """The ``size`` bytes of ``file`` from ``start`` on, read by offset."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self.start = start
        self.size = max(size, 0)
        self._file = file

    def read(self, offset: int, size: int) -> bytes:
        """The bytes there; fewer where the range or the file ends, none outside."""
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

    def part(self, offset: int, size: int) -> FileRange:
        """A part of this range."""
        return FileRange(self._file, self.start + offset, min(size, self.size - offset))

    def open(self) -> BinaryIO:
        """The range as a file of its own."""
        return in_pieces(self, [(0, 0, self.size)], self.size)


def damaged(what: str) -> UnreadableError:
    """The error for a structure that cannot be right."""
    return UnreadableError(
        f"the disk image is damaged: {what}", "Make the image again, and copy it whole."
    )


Run = tuple[int, int, int]
"""A piece of a file: offset in the file, offset in the range, length; gaps read as zeros."""


def add_run(runs: list[Run], run: Run) -> None:
    """Add ``run``, as part of the last one if it continues that."""
    if runs:
        place, start, length = runs[-1]
        if place + length == run[0] and start + length == run[1]:
            runs[-1] = (place, start, length + run[2])
            return
    runs.append(run)


def in_pieces(source: FileRange, runs: Sequence[Run], size: int) -> BinaryIO:
    """A seekable file of ``size`` bytes made of ``runs``, sorted by offset, of ``source``."""
    return io.BufferedReader(_PiecedFile(source, runs, size), _BUFFER)


class _PiecedFile(io.RawIOBase):
    def __init__(self, source: FileRange, runs: Sequence[Run], size: int) -> None:
        self._source = source
        self._runs = runs
        self._starts = [run[0] for run in runs]
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(base + offset, 0)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        size = min(len(buffer), self._size - self._at)
        data = self._read(size) if size > 0 else b""
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def _read(self, size: int) -> bytes:
        """One to ``size`` bytes, up to the end of a piece or of a gap."""
        number = bisect_right(self._starts, self._at)
        if number:
            place, start, length = self._runs[number - 1]
            inside = self._at - place
            if inside < length:
                size = min(size, length - inside)
                return self._source.exact(start + inside, size, "a file's data")
        following = self._starts[number : number + 1]
        return bytes(min([size, *(place - self._at for place in following)]))
