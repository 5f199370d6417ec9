"""The log view on a million lines, and the wizard beside a silent build: to be run by hand."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import gc
import os
import pty
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from zwizard.engine import builds
from zwizard.engine.builds import Build
from zwizard.jobs import events, journal
from zwizard.plan.targets import make
from zwizard.recipe.model import Recipe
from zwizard.tui.app import ZwizardApp
from zwizard.tui.widgets.log_file import LogFile
from zwizard.tui.widgets.log_view import LogView

LINES = 1_000_000
TEXT = b"Setting up libpython3.11-minimal:amd64 (3.11.2-6+deb12u6) ... [%07d]\n"
ZWIZARD = Path(sys.executable).with_name("zwizard")
SILENT = 30  # seconds

rows: list[bool] = []


def row(what: str, value: float, bar: float, unit: str, *, least: bool = False) -> None:
    """Report one figure against its bar."""
    good = value >= bar if least else value <= bar
    rows.append(good)
    sign = "≥" if least else "≤"
    print(f"{'✓' if good else '✗'} {what:<58} {value:12,.1f} {unit}  ({sign} {bar:,} {unit})")


def resident() -> int:
    """Bytes of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


def ingest(log: Path) -> None:
    """The index alone."""
    file, since, worst = LogFile(log), time.perf_counter(), 0.0
    while True:
        began = time.perf_counter()
        if not file.grow():
            break
        worst = max(worst, time.perf_counter() - began)
    took = time.perf_counter() - since
    assert len(file) == LINES
    row("ingest", LINES / took, 500_000, "lines/s", least=True)
    row("ingest, longest step", worst * 1000, 50, "ms")
    since = time.perf_counter()
    assert file.find("nowhere", 0, back=False) is None
    print(f"  search of every line, none matching: {time.perf_counter() - since:.2f} s")
    file.close()


class Ticker:
    """How long the interface's loop was kept from its other work, at worst.

    ``busy`` is how much of that its thread was at work; the rest the machine gave to others.
    """

    def __init__(self) -> None:
        self.worst = self.busy = 0.0

    async def run(self) -> None:
        """Look on until cancelled."""
        while True:
            before, busy = time.perf_counter(), time.thread_time()
            await asyncio.sleep(0.002)
            self.worst = max(self.worst, time.perf_counter() - before - 0.002)
            self.busy = max(self.busy, time.thread_time() - busy)


@contextlib.asynccontextmanager
async def watched(what: str, bar: float) -> AsyncIterator[None]:
    """Report the longest stall while the block runs."""
    ticker = Ticker()
    task = asyncio.create_task(ticker.run())
    since = time.perf_counter()
    yield
    task.cancel()
    row(f"{what} ({time.perf_counter() - since:.2f} s)", ticker.worst * 1000, bar, "ms stall")
    print(f"  of that at work itself: {ticker.busy * 1000:.1f} ms at most")


async def on_screen(build: Build, log: Path) -> None:
    """The build screen while a million lines come in, jump about, and are searched."""
    app = ZwizardApp()
    app.animation_level = "none"
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause(1)
        gc.freeze()  # as the app does by itself where it has a terminal
        app.show_build(build)
        await pilot.pause(3)
        view = app.screen.query_one(LogView)
        assert view.file is not None
        before = resident()
        writer = subprocess.Popen([sys.executable, __file__, str(log)])
        async with watched("a million lines written while they are shown", 50):
            while len(view.file) < LINES:
                await asyncio.sleep(0.01)
        writer.wait()
        view.focus()
        await pilot.pause(1)
        async with watched("to the beginning and the end, 20 times", 50):
            for _ in range(20):
                view.action_start()
                await pilot.pause()
                view.action_follow()
                await pilot.pause()
        async with watched("search to the beginning", 50):
            view.search("[0000002]", back=True)
            while view.match is None:
                await asyncio.sleep(0.01)
        assert view.match == 2
        row("more memory", (resident() - before) / 2**20, 50, "MiB")


def fill(log: Path) -> None:
    """Write the lines, as a command that prints as fast as it can."""
    with log.open("ab") as file:
        for number in range(LINES):
            file.write(TEXT % number)


def silent(build: Build) -> None:
    """The real program in a terminal, showing a build that prints nothing."""
    child, terminal = pty.fork()
    if child == 0:
        os.execve(ZWIZARD, [str(ZWIZARD)], {**os.environ, "TERM": "xterm-256color"})
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    sent = [0]

    def drain() -> None:
        with contextlib.suppress(OSError):
            while data := os.read(terminal, 1 << 16):
                sent[0] += len(data)

    threading.Thread(target=drain, daemon=True).start()
    time.sleep(5)
    os.write(terminal, b"\r")  # opens the build
    time.sleep(5)
    before, sent[0] = used(child), 0
    time.sleep(SILENT)
    row("beside a silent build", (used(child) - before) / SILENT * 100, 3, "% of a core")
    print(f"  sent to the terminal: {sent[0] / SILENT:.0f} bytes/s; shows {build.id}")
    os.write(terminal, b"qq")
    os.waitpid(child, 0)


def used(process: int) -> float:
    """Seconds of processor time that a process has taken."""
    fields = Path(f"/proc/{process}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def at_work(place: Path) -> Iterator[Build]:
    """A build whose lock is held and whose journal says that it is in its second step."""
    recipe = Recipe()
    build = builds.open_for(recipe, place)
    steps = [{"name": step.name, "title": step.title} for step in make(recipe).steps]
    journal.append(build.journal, events.BuildStarted(steps=steps))
    journal.append(build.journal, events.StepFinished(step="bootstrap", seconds=20.0, bytes=1))
    build.step_log(2, "packages").touch()
    journal.append(build.journal, events.StepStarted(step="packages", log=""))
    descriptor = os.open(build.lock, os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield build
    finally:
        os.close(descriptor)


def main() -> None:
    """Run it in a directory of its own, which is removed again."""
    place = Path(tempfile.mkdtemp(prefix="zwizard-bench-", dir="/var/tmp"))
    os.environ["XDG_STATE_HOME"] = str(place / "state")
    os.environ["XDG_CACHE_HOME"] = str(place / "cache")
    try:
        print(f"  load: {os.getloadavg()[0]:.1f}")
        fill(place / "log")
        ingest(place / "log")
        with at_work(place) as build:
            asyncio.run(on_screen(build, build.step_log(2, "packages")))
        shutil.rmtree(place / "state")
        with at_work(place) as build:
            silent(build)
        print(f"  load: {os.getloadavg()[0]:.1f}")
    finally:
        shutil.rmtree(place, ignore_errors=True)
    sys.exit(not all(rows))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        fill(Path(sys.argv[1]))
    else:
        main()
