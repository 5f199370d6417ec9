"""Parts of a file read by offset, and files made of pieces of another."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import BinaryIO

from zwizard.image.disk.positioned_reader import PositionedReader
from zwizard.image.tree import UnreadableError


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


def damaged(what: str) -> UnreadableError:
    """The error for a structure that cannot be right."""
    return UnreadableError(
        f"the disk image is damaged: {what}", "Make the image again, and copy it whole."
    )


Run = tuple[int, int, int]
"""A piece of a file: offset in the file, offset in the range, length; gaps read as zeros."""


class FileRanges(PositionedReader):
    """A file of ``size`` bytes made of ``runs``, sorted by offset, of ``source``."""

    def __init__(self, source: FileRange, runs: Sequence[Run], size: int) -> None:
        super().__init__(size)
        self._source = source
        self._runs = runs
        self._starts = [run[0] for run in runs]

    def read_at(self, offset: int, size: int) -> bytes:
        """What is there, up to the end of a piece or of a gap."""
        number = bisect_right(self._starts, offset) - 1
        data = self._piece(number, offset, size)
        if data:
            return data
        following = self._starts[number + 1 : number + 2]
        return bytes(min([size, *(start - offset for start in following)]))

    def _piece(self, number: int, at: int, size: int) -> bytes:
        if number < 0:
            return b""
        start, offset, length = self._runs[number]
        inside = at - start
        if inside >= length:
            return b""
        return self._source.exact(offset + inside, min(size, length - inside), "a file's data")


def in_pieces(source: FileRange, runs: Sequence[Run], size: int) -> BinaryIO:
    """A seekable file of ``size`` bytes made of ``runs`` of ``source``."""
    return FileRanges(source, runs, size).buffered()
