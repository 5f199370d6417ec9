"""How soon the wizard is there, and how soon it answers a key: python tests/bench/tui.py."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import select
import shutil
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import ClassVar

ZWIZARD = Path(sys.executable).with_name("zwizard")
_SIZE = (80, 24)


def first_frame(environment: dict[str, str]) -> tuple[float, float]:
    """Seconds from exec to the footer of home, in a terminal; and seconds of CPU, with the end."""
    since = time.monotonic()
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(environment)
        os.execv(ZWIZARD, [str(ZWIZARD)])
    seen = b""
    try:
        while b"Quit" not in seen:
            if not select.select([terminal], [], [], 20)[0]:
                sys.exit("the wizard did not appear")
            seen += os.read(terminal, 65536)
        wall = time.monotonic() - since
    finally:
        os.kill(pid, signal.SIGTERM)
        with contextlib.suppress(OSError):  # until it has let go of the terminal
            while os.read(terminal, 65536):
                pass
        used = os.wait4(pid, 0)[2]
        os.close(terminal)
    return wall, used.ru_utime + used.ru_stime


async def page_to_page(rounds: int) -> list[tuple[float, float]]:
    """Seconds, and seconds of CPU, from a key to the frame that shows the page it leads to."""
    from textual.screen import Screen

    from tests.tui.conftest import a_list, settle
    from zwizard import questions
    from zwizard.engine.library import Library
    from zwizard.tui import app as module
    from zwizard.tui.app import ZwizardApp
    from zwizard.tui.screens.pages import Pages
    from zwizard.tui.widgets.field import Field

    class Timed(ZwizardApp):
        """Notes when a page is first painted with its questions."""

        CSS_PATH = str(Path(module.__file__).with_name("zwizard.tcss"))
        wanted = ""
        painted: ClassVar[list[tuple[float, float]]] = []

        def _display(self, screen: Screen[object], renderable: object) -> None:
            super()._display(screen, renderable)  # type: ignore[arg-type]  # as it came
            there = isinstance(screen, Pages) and screen.page == self.wanted
            if there and not self.painted and screen.query(Field):
                self.painted.append((time.perf_counter(), time.process_time()))

    app = Timed(library=Library(a_list))
    app.animation_level = "none"
    taken = []
    async with app.run_test(size=_SIZE) as pilot:
        await settle(pilot)
        await pilot.press("n", "alt+1")
        await settle(pilot)
        for number in range(rounds * 5):
            app.wanted = questions.pages({})[(number + 1) % 5].name
            app.painted.clear()
            since = time.perf_counter(), time.process_time()
            app.simulate_key(f"alt+{(number + 1) % 5 + 1}")
            while not app.painted:
                await asyncio.sleep(0.001)
            wall, cpu = app.painted[0]
            taken.append((wall - since[0], cpu - since[1]))
            await asyncio.sleep(0.3)  # what is looked up meanwhile comes later
    return taken


def main() -> None:
    """Measure both, and say how they stand against their bars."""
    place = Path(tempfile.mkdtemp(prefix="zwizard-bench-", dir="/var/tmp"))
    kinds = ("STATE", "CACHE", "CONFIG")
    environment = {f"XDG_{kind}_HOME": str(place / kind.lower()) for kind in kinds}
    os.environ.update(environment)
    try:
        first = [first_frame(environment) for _ in range(5)]
        taken = asyncio.run(page_to_page(5))
        rows = [
            ("first frame", statistics.median(wall for wall, _ in first), 0.8),
            ("first frame, CPU", statistics.median(cpu for _, cpu in first), 0.8),
            ("page to page, median", statistics.median(wall for wall, _ in taken), 0.1),
            ("page to page, worst", max(wall for wall, _ in taken), 0.1),
            ("page to page, CPU", statistics.median(cpu for _, cpu in taken), 0.1),
        ]
    finally:
        shutil.rmtree(place, ignore_errors=True)
    for what, value, bar in rows:
        mark = "✓" if value <= bar else "✗"
        print(f"{mark} {what:<24} {value * 1000:7.0f} ms  (≤ {bar * 1000:.0f} ms)")
    print(f"  load: {os.getloadavg()[0]:.2f}")
    sys.exit(not all(value <= bar for _, value, bar in rows))


if __name__ == "__main__":
    main()
