"""File contents kept in one unnamed temporary file instead of in memory."""

import tempfile
from collections.abc import Iterable
from typing import BinaryIO

from zwizard.image.disk.ranges import FileRange
from zwizard.util import places
from zwizard.util.errors import naming

_BLOCK = 64 << 10
_ZEROS = bytes(_BLOCK)


class TempStore:
    """An unnamed file that grows by whole contents, and is gone when the process ends."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        self._end = 0

    def keep(self, size: int, pieces: Iterable[tuple[int, bytes]]) -> tuple[int, int]:
        """Store contents of ``size`` bytes given as (offset, bytes); returns where they are.

        What no piece covers reads as zeros; blocks of zeros take no room. Raises OSError when
        there is none left.
        """
        start = self._end
        with naming(places.temporary()):
            self._write(start, pieces)
            self._end = start + size
            self._file.truncate(self._end)
        return start, size

    def _write(self, start: int, pieces: Iterable[tuple[int, bytes]]) -> None:
        for offset, data in pieces:
            for at in range(0, len(data), _BLOCK):
                block = data[at : at + _BLOCK]
                if block != _ZEROS[: len(block)]:
                    self._file.seek(start + offset + at)
                    self._file.write(block)

    def open(self, start: int, size: int) -> BinaryIO:
        """What was kept there, seekable; reads do not disturb each other."""
        return FileRange(self._file, start, size).open()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
