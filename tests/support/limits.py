"""Limits to the processor time and memory of what hostile input is given to."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

SECONDS = 5
MEMORY = 250 << 20


class TooLongError(AssertionError):
    """It used the processor for too long."""


class TooMuchError(AssertionError):
    """It took more memory than MEMORY."""


@contextlib.contextmanager
def bounds(seconds: float = SECONDS) -> Iterator[None]:
    """What is within may use so much of this process's time, and MEMORY beside what it has."""

    def out_of_time(number: int, frame: FrameType | None) -> None:
        raise TooLongError(f"more than {seconds} s")

    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forget the peak so far
    before = _memory("VmRSS")
    kept = signal.signal(signal.SIGPROF, out_of_time)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, kept)
    taken = _memory("VmHWM") - before
    if taken > MEMORY:
        raise TooMuchError(f"{taken >> 20} MiB")


def _memory(key: str) -> int:
    lines = Path("/proc/self/status").read_text("ascii", "replace").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(key))) << 10
