"""A log file read where it lies: an index of its lines, never its contents, in memory."""

from __future__ import annotations

import os
import re
import time
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from zwizard.tui.widgets.ansi import Line, parse

_LONGEST = 16 * 1024  # bytes of one line that are looked at
_CHUNK = 1 << 18  # bytes looked at in one go: no thread waits long for another's
_NEWLINE = re.compile(b"\n")


def matcher(text: str) -> re.Pattern[str]:
    """Finds ``text`` in a line. Case matters only if it has capitals."""
    return re.compile(re.escape(text), 0 if text != text.lower() else re.IGNORECASE)


class LogFile:
    """The lines of a file that may be growing, may not exist yet, and may begin anew.

    Memory: 8 bytes a line. Not thread-safe, but :meth:`find` only reads.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._starts = array("Q", [0])  # where each line starts; the last may be empty so far
        self._indexed = 0
        self._descriptor: int | None = None
        self._there = 0
        self.touched = 0.0  # when it was last written to, in seconds since 1970

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __len__(self) -> int:
        return len(self._starts) - (self._starts[-1] == self._indexed)

    @property
    def size(self) -> int:
        """Bytes that are indexed."""
        return self._indexed

    @property
    def behind(self) -> bool:
        """Whether :meth:`grow` left some of the file for the next time."""
        return self._indexed < self._there

    def grow(self, budget: float = 0.006) -> bool:
        """Index what was written since, for about ``budget`` seconds; whether anything changed."""
        if self._descriptor is None:
            try:
                self._descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                return False  # not there yet
        now = os.fstat(self._descriptor)
        self._there, self.touched = now.st_size, now.st_mtime
        anew = self._there < self._indexed
        if anew:
            self._starts, self._indexed = array("Q", [0]), 0
        before, until = self._indexed, time.monotonic() + budget
        while self.behind and (self._indexed == before or time.monotonic() < until):
            data = self._read(self._indexed, self._indexed + _CHUNK)
            if not data:
                break
            base = self._indexed + 1
            self._starts.extend(base + found.start() for found in _NEWLINE.finditer(data))
            self._indexed += len(data)
        return self._indexed != before or anew

    def line(self, number: int) -> str:
        """Line ``number`` (from 0) as it would stand on a terminal, safe to show."""
        return self.look(number).text

    def look(self, number: int) -> Line:
        """The same with its colours.

        Of a line that a progress display wrote over and over, what it shows last.
        """
        data, cut = self._bytes(number)
        line = parse(data.decode("utf-8", "replace"))
        return replace(line, text=f"{line.text} … {cut} bytes more") if cut else line

    def _bytes(self, number: int) -> tuple[bytes, int]:
        """A line's bytes without its newline, and how many were left out at its end."""
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
        """The nearest line that shows ``text``, from line ``start`` (itself included) on.

        ``back`` looks towards the beginning. Case matters only if ``text`` has capitals.
        """
        shown = matcher(text)
        wanted = re.compile(re.escape(text.encode()), shown.flags & re.IGNORECASE)
        for number in self._candidates(wanted, start, back=back):
            if stop():
                return None
            if number < len(self) and shown.search(self.line(number)):
                return number
        return None

    def _candidates(self, wanted: re.Pattern[bytes], start: int, *, back: bool) -> Iterator[int]:
        """Lines whose bytes match, nearest first; some may not show what matched."""
        if not len(self):
            return
        last = None
        for begin, end in self._stretches(start, back=back):
            data = self._read(begin, end)
            found = [begin + match.start() for match in wanted.finditer(data)]
            for offset in reversed(found) if back else found:
                number = bisect_right(self._starts, offset) - 1
                if number != last:
                    yield number
                    last = number

    def _stretches(self, start: int, *, back: bool) -> Iterator[tuple[int, int]]:
        """Whole lines a chunk at a time, from line ``start`` to one end of the file."""
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
    """The last ``most`` bytes of a log as safe text, and whether that is all of it.

    Terminals take about 256 KiB into their clipboard (OSC 52).
    """
    log = LogFile(path)
    try:
        while log.grow():
            pass
        lines: list[str] = []
        room = most
        for number in reversed(range(len(log))):
            lines.append(log.line(number))
            room -= len(lines[-1].encode()) + 1
            if room < 0:
                break
        return "\n".join(reversed(lines)) + "\n", len(lines) == len(log)
    finally:
        log.close()
