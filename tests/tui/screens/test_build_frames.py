"""Frames of the build screen: running, failed and searched, at three sizes."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest
from textual.pilot import Pilot

from tests.tui.conftest import NOW, Held, MakeApp, a_build, fail, frame, press, until
from tests.tui.frames import matches_frame
from zwizard.jobs import events, journal
from zwizard.tui.app import ZwizardApp

pytestmark = pytest.mark.slow

SIZES = pytest.mark.parametrize(
    "size", [(80, 24), (120, 40), (60, 18)], ids=["80x24", "120x40", "60x18"]
)
LOG = b"".join(b"Setting up package-%d (1:9.2p1-2+deb12u%d) ...\n" % (n, n) for n in range(40))
COMMAND = "in_tree apt-get install --yes -o Acquire::Retries=3 openssh-server htpo"


@pytest.fixture(autouse=True)
def fixed_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Date every event of a journal 30 seconds ago, so that no step is overdue."""
    monkeypatch.setattr(journal, "time", SimpleNamespace(time=lambda: NOW - 30))


async def wait_for(pilot: Pilot[None], app: ZwizardApp, *texts: str) -> None:
    """Wait until the screen shows these texts and no longer changes."""
    frames: list[str] = []

    def settled() -> bool:
        frames.append(frame(app))
        return (
            len(frames) > 5
            and len(set(frames[-5:])) == 1
            and all(text in frames[-1] for text in texts)
        )

    await until(pilot, settled)


@SIZES
async def test_a_running_build(make_app: MakeApp, size: tuple[int, int]) -> None:
    older = a_build("older", 6)
    journal.append(older.journal, events.StepFinished(step="pack", seconds=12.0, bytes=1))
    build = a_build("web", 1, logs={2: LOG})
    journal.append(build.journal, events.StepProgress(step="packages", written=65_011_712))
    log = build.step_log(2, "packages")
    os.utime(log, (NOW - 7, NOW - 7))
    app = make_app()
    with Held(build):
        async with app.run_test(size=size) as pilot:
            app.show_build(build)
            await wait_for(pilot, app, "to go", "package-39")
            matches_frame(app, "build")


@SIZES
async def test_a_failed_build(make_app: MakeApp, size: tuple[int, int]) -> None:
    build = a_build("web", 1, logs={2: LOG + b"E: Unable to locate package htpo\n"})
    fail(
        build,
        "packages",
        error=f"packages: exit status 100: {COMMAND}",
        command=COMMAND,
        cause="Not in this suite: htpo. Correct the package names in 'More packages'.",
        key="source.packages",
    )
    app = make_app()
    async with app.run_test(size=size) as pilot:
        app.show_build(build)
        await wait_for(pilot, app, "E: Unable to locate")
        matches_frame(app, "build-failed")
        await press(pilot, "/", *"package-2", "enter")
        await wait_for(pilot, app, " of 41")
        matches_frame(app, "build-searched")
