"""Read a log file by an index of its lines: its contents are never held in memory."""

import os
import re
import time
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.text import Text

from zwizard.tui.widgets.ansi import parse

_LONGEST = 16 * 1024  # bytes that are read of one line
_CHUNK = 1 << 18  # bytes read at a time: no other thread waits long
_NEWLINE = re.compile(b"\n")


def matcher(text: str) -> re.Pattern[str]:
    """A pattern that finds ``text``. Ignores case unless ``text`` has capital letters."""
    return re.compile(re.escape(text), 0 if text != text.lower() else re.IGNORECASE)


class LogFile:
    """The lines of a file that may grow, may not exist yet, and may be truncated.

    Uses 8 bytes a line. Not thread-safe, but :meth:`find` only reads.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._starts = array("Q", [0])  # where each line starts; the last may be empty so far
        self._indexed = 0
        self._descriptor: int | None = None
        self._size = 0

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __len__(self) -> int:
        return len(self._starts) - (self._starts[-1] == self._indexed)

    @property
    def behind(self) -> bool:
        """Whether :meth:`grow` has not indexed the whole file yet."""
        return self._indexed < self._size

    def grow(self, budget: float = 0.006) -> bool:
        """Index new data for about ``budget`` seconds; return whether the index changed."""
        if self._descriptor is None:
            try:
                self._descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                return False  # it does not exist yet
        self._size = os.fstat(self._descriptor).st_size
        truncated = self._size < self._indexed
        if truncated:
            self._starts, self._indexed = array("Q", [0]), 0
        before, until = self._indexed, time.monotonic() + budget
        while self.behind and (self._indexed == before or time.monotonic() < until):
            data = self._read(self._indexed, self._indexed + _CHUNK)
            if not data:
                break
            base = self._indexed + 1
            self._starts.extend(base + match.start() for match in _NEWLINE.finditer(data))
            self._indexed += len(data)
        return self._indexed != before or truncated

    def line(self, number: int) -> str:
        """Line ``number`` (from 0) as a terminal would show it, without control sequences."""
        return self.look(number).plain

    def look(self, number: int) -> Text:
        """Line ``number`` with its colours; of an overwritten line, the last text."""
        data, cut = self._bytes(number)
        line = parse(data.decode("utf-8", "replace"))
        return line.append(f" … {cut} bytes more") if cut else line

    def _bytes(self, number: int) -> tuple[bytes, int]:
        """A line's bytes without its newline, and how many at its end were omitted."""
        start = self._starts[number]
        last = number + 1 == len(self._starts)
        end = self._indexed if last else self._starts[number + 1] - 1
        if end - start <= _LONGEST:
            return self._read(start, end), 0
        tail = self._read(end - _LONGEST, end)
        if b"\r" in tail.rstrip(b"\r"):
            return tail, 0
        return self._read(start, start + _LONGEST), end - start - _LONGEST

    def _read(self, start: int, end: int) -> bytes:
        return b"" if self._descriptor is None else os.pread(self._descriptor, end - start, start)

    # --- searching ---

    def find(
        self, text: str, start: int, *, back: bool, stop: Callable[[], bool] = lambda: False
    ) -> int | None:
        """The nearest line that shows ``text``, from line ``start`` (included) on.

        ``back`` searches towards the beginning. Ignores case as :func:`matcher` does.
        """
        shown = matcher(text)
        pattern = re.compile(re.escape(text.encode()), shown.flags & re.IGNORECASE)
        for number in self._candidates(pattern, start, back=back):
            if stop():
                return None
            if number < len(self) and shown.search(self.line(number)):
                return number
        return None

    def _candidates(self, pattern: re.Pattern[bytes], start: int, *, back: bool) -> Iterator[int]:
        """Lines whose bytes match, nearest first; their visible text may not match."""
        if not len(self):
            return
        last = None
        for begin, end in self._chunks(start, back=back):
            data = self._read(begin, end)
            offsets = [begin + match.start() for match in pattern.finditer(data)]
            for offset in reversed(offsets) if back else offsets:
                number = bisect_right(self._starts, offset) - 1
                if number != last:
                    yield number
                    last = number

    def _chunks(self, start: int, *, back: bool) -> Iterator[tuple[int, int]]:
        """The byte ranges of chunks of whole lines, from line ``start`` to one end of the file."""
        lines = self._starts
        if back:
            end = self._indexed if start + 1 >= len(lines) else lines[start + 1]
            while end > 0:
                first = max(0, bisect_right(lines, max(0, end - _CHUNK)) - 1)
                begin = lines[first] if lines[first] < end else 0
                yield begin, end
                end = begin
        else:
            begin = lines[min(start, len(lines) - 1)]
            while begin < self._indexed:
                after = bisect_right(lines, begin + _CHUNK)
                end = lines[after] if after < len(lines) else self._indexed
                yield begin, end
                begin = end


def end_of_log(path: Path, most: int = 256 * 1024) -> tuple[str, bool]:
    """The last ``most`` bytes of a log without control sequences, and whether that is all.

    Terminals accept about 256 KiB for their clipboard (OSC 52).
    """
    log = LogFile(path)
    try:
        while log.grow():
            pass
        lines: list[str] = []
        left = most
        for number in reversed(range(len(log))):
            lines.append(log.line(number))
            left -= len(lines[-1].encode()) + 1
            if left < 0:
                break
        return "\n".join(reversed(lines)) + "\n", len(lines) == len(log)
    finally:
        log.close()
