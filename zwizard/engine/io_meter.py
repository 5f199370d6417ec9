"""How much a step's commands have written to the disk so far, told now and then."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

_EVERY = 2.0  # seconds between looks
_LEAST = 2**20  # bytes more that are worth a word


class IoMeter:
    """Tells ``tell`` the bytes written since it was made, at most every two seconds.

    It sums what the kernel has counted (``write_bytes`` in /proc/PID/io) for the processes of this
    PID namespace; of those that have ended, their parents carry the count. It says nothing while
    nothing is written, nor where the kernel does not count.
    """

    def __init__(self, tell: Callable[[int], None], clock: Callable[[], float] = time.monotonic):
        self._tell, self._clock = tell, clock
        self._before = written()
        self._told = 0
        self._next = clock() + _EVERY

    def look(self) -> None:
        """Tell what was written, if it is time and there is more."""
        if self._clock() < self._next:
            return
        self._next = self._clock() + _EVERY
        count = written() - self._before
        if count >= self._told + _LEAST:
            self._told = count
            self._tell(count)


def written(proc: Path = Path("/proc")) -> int:
    """Bytes that the processes in ``proc``, and those they waited for, have sent to the disk."""
    return sum(_written(process) for process in _processes(proc))


def _processes(proc: Path) -> Iterator[Path]:
    return (entry for entry in proc.iterdir() if entry.name.isdecimal())


def _written(process: Path) -> int:
    with contextlib.suppress(OSError, ValueError):  # it has ended, or may not be looked at
        for line in (process / "io").read_text("ascii").splitlines():
            name, _, count = line.partition(": ")
            if name == "write_bytes":
                return int(count)
    return 0
