"""Meter the bytes that the commands of a step write to the disk."""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from zwizard.util.units import MIB

_EVERY = 2.0  # seconds between looks
_LEAST = MIB  # more bytes that are worth a report


class IoMeter:
    """Calls ``report`` with the bytes written since it was made, at most every two seconds.

    It sums ``write_bytes`` in /proc/PID/io for the processes of this PID namespace; parents carry
    the counts of ended processes. It does not call while nothing is written, or if the kernel does
    not count.
    """

    def __init__(self, report: Callable[[int], None], clock: Callable[[], float] = time.monotonic):
        self._report, self._clock = report, clock
        self._before = written()
        self._reported = 0
        self._next = clock() + _EVERY

    def look(self) -> None:
        """Report what was written, if it is time and there is more."""
        if self._clock() < self._next:
            return
        self._next = self._clock() + _EVERY
        count = written() - self._before
        if count >= self._reported + _LEAST:
            self._reported = count
            self._report(count)


def written(proc: Path = Path("/proc")) -> int:
    """Bytes that the processes in ``proc``, and those they waited for, have written."""
    return sum(_written(entry) for entry in proc.iterdir() if entry.name.isdecimal())


def _written(process: Path) -> int:
    with contextlib.suppress(OSError, ValueError):  # it has ended, or may not be read
        for line in (process / "io").read_text("ascii").splitlines():
            name, _, count = line.partition(": ")
            if name == "write_bytes":
                return int(count)
    return 0
