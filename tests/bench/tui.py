"""How soon the wizard is there, and how soon it answers a key: python -m tests.bench.tui."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import shutil
import signal
import statistics
import struct
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from zwizard.wizard import questions

ZWIZARD = Path(sys.executable).with_name("zwizard")
_ROUNDS = 3
_NEXT, _BACK = "\x1bOR", "\x1bOQ"  # F3, F2


@dataclass(frozen=True)
class Terminal:
    """The wizard in a terminal of 80 × 24: what it writes is read, not drawn."""

    pid: int
    descriptor: int

    def until(self, text: str) -> None:
        """Read until ``text`` was written."""
        seen = b""
        while text.encode() not in seen:
            if not select.select([self.descriptor], [], [], 20)[0]:
                sys.exit(f"the wizard did not show {text!r}")
            seen += os.read(self.descriptor, 65536)

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self.descriptor, keys.encode())

    def rest(self, seconds: float) -> None:
        """Read what comes meanwhile."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([self.descriptor], [], [], left)[0]:
                os.read(self.descriptor, 65536)


@contextlib.contextmanager
def wizard(environment: dict[str, str]) -> Iterator[Terminal]:
    """The wizard, started; ended afterwards."""
    pid, descriptor = pty.fork()
    if pid == 0:
        os.environ.update(environment)
        os.execv(ZWIZARD, [str(ZWIZARD)])
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    try:
        yield Terminal(pid, descriptor)
    finally:
        os.kill(pid, signal.SIGTERM)
        with contextlib.suppress(OSError):  # until it has let go of the terminal
            while os.read(descriptor, 65536):
                pass
        os.waitpid(pid, 0)
        os.close(descriptor)


def first_frame(environment: dict[str, str]) -> float:
    """Seconds from exec to the footer of home."""
    since = time.monotonic()
    with wizard(environment) as terminal:
        terminal.until("Quit")
        return time.monotonic() - since


def page_to_page(environment: dict[str, str]) -> list[tuple[str, float]]:
    """Each page and the seconds from a key to its heading, painted with its questions."""
    taken = []
    pages = [page for page in questions.pages({}) if page.name != "review"]
    with wizard(environment) as terminal:
        terminal.until("Quit")
        terminal.rest(1)
        terminal.press("n")
        terminal.until(pages[0].heading)
        terminal.rest(1)
        forth = [(_NEXT, page) for page in pages[1:]]
        back = [(_BACK, page) for page in reversed(pages[:-1])]
        for key, page in (forth + back) * _ROUNDS:
            since = time.monotonic()
            terminal.press(key)
            terminal.until(page.heading)
            taken.append((page.name, time.monotonic() - since))
            terminal.rest(0.5)  # what is looked up meanwhile comes later
    return taken


def main() -> None:
    """Measure both, and say how they stand against their bars."""
    place = Path(tempfile.mkdtemp(prefix="zwizard-bench-", dir="/var/tmp"))
    kinds = ("STATE", "CACHE", "CONFIG")
    environment = {f"XDG_{kind}_HOME": str(place / kind.lower()) for kind in kinds}
    environment["TERM"] = "xterm-256color"
    try:
        first = [first_frame(environment) for _ in range(5)]
        taken = page_to_page(environment)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    slowest, worst = max(taken, key=lambda one: one[1])
    rows = [
        ("first frame", statistics.median(first), 0.5),
        ("page to page, median", statistics.median(wall for _, wall in taken), 0.06),
        (f"page to page, worst ({slowest})", worst, 0.1),
    ]
    for what, value, bar in rows:
        mark = "✓" if value <= bar else "✗"
        print(f"{mark} {what:<32} {value * 1000:5.0f} ms  (≤ {bar * 1000:.0f} ms)")
    print(f"  load: {os.getloadavg()[0]:.2f}")
    sys.exit(not all(value <= bar for _, value, bar in rows))


if __name__ == "__main__":
    main()
