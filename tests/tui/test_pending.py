"""Keys while something slow runs: they are answered, and start nothing twice or elsewhere."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets import Input

from tests.tui.conftest import a_build, draft, fail, frame, handled, on, open_page, settle
from zwizard.engine import bug_report, builds, gc, repair
from zwizard.jobs import supervisor
from zwizard.tui.app import ZwizardApp
from zwizard.tui.screens.build import BuildScreen
from zwizard.tui.screens.dialogs import Ask
from zwizard.tui.screens.files import AskPath
from zwizard.tui.screens.home import HomeScreen


class Slow:
    """A function that waits until the test lets it go on."""

    def __init__(self, result: Callable[..., Any]) -> None:
        self._result = result
        self._goes_on = threading.Event()
        self.calls = 0

    def __call__(self, *args: Any, **options: Any) -> Any:
        self.calls += 1
        self._goes_on.wait(30)
        return self._result(*args, **options)

    @contextmanager
    def held(self) -> Iterator[None]:
        try:
            yield
        finally:
            self._goes_on.set()


async def type_quickly(pilot: Pilot[None], *keys: str) -> None:
    """Press keys without waiting for what they do."""
    for key in keys:
        pilot.app.post_message(events.Key(key, key if len(key) == 1 else None))
    await handled(pilot)


async def press_while_held(
    pilot: Pilot[None], app: ZwizardApp, slow: Slow, *keys: str, shows: str
) -> None:
    """Press keys, the first of which starts ``slow``: they change nothing before it ends."""
    screen = app.screen
    with slow.held():
        await type_quickly(pilot, *keys)
        await waiting_for(pilot, app, shows)
        assert app.screen is screen
    await settle(pilot)


async def waiting_for(pilot: Pilot[None], app: ZwizardApp, text: str) -> None:
    """Wait until the line of the keys says what is waited for."""
    async with asyncio.timeout(10):
        while text not in "".join(frame(app).splitlines()[-2:]):
            await asyncio.sleep(0.01)
            await handled(pilot)


async def test_a_build_that_starts_slowly_is_started_once(
    app: ZwizardApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Slow(builds.open_for)
    started: list[object] = []
    monkeypatch.setattr(builds, "open_for", slow)
    monkeypatch.setattr(supervisor, "start", started.append)
    draft().set("name", "web")
    async with app.run_test(size=(80, 24)) as pilot:
        await open_page(pilot, "review")
        await press_while_held(pilot, app, slow, "f5", "f5", "x", "f2", "s", shows="● Build …")
        on(app, BuildScreen)
    assert slow.calls == len(started) == 1


async def test_a_slow_fix_takes_no_other_key(
    app: ZwizardApp, apart: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Slow(repair.remedy)
    monkeypatch.setattr(repair, "remedy", slow)
    (apart / "tree" / "etc").mkdir(parents=True)
    (apart / "tree" / "etc" / "os-release").write_text("ID=debian\nVERSION_ID=12\n")
    async with app.run_test(size=(80, 24)) as pilot:
        app.show_check(apart / "tree")
        await settle(pilot)
        await press_while_held(pilot, app, slow, "x", "x", "b", "r", "e", shows="Fix …")
        on(app, Ask)
    assert slow.calls == 1


async def test_a_slow_deletion_takes_no_other_key(
    app: ZwizardApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Slow(gc.frees)
    monkeypatch.setattr(gc, "frees", slow)
    fail(a_build("web"), "bootstrap", error="it failed")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press_while_held(pilot, app, slow, "d", "d", "r", "n", "enter", shows="Delete …")
        on(app, Ask)
    assert slow.calls == 1
    assert builds.everything()


async def test_a_slow_screen_can_be_left(app: ZwizardApp, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(bug_report.make)
    monkeypatch.setattr(bug_report, "make", slow)
    build = a_build("web")
    fail(build, "bootstrap", error="it failed")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        app.show_build(build)
        await settle(pilot)
        with slow.held():
            await type_quickly(pilot, "b", "b", "r")
            await waiting_for(pilot, app, "Bug report …")
            await type_quickly(pilot, "escape")
            on(app, HomeScreen)
        await settle(pilot)


async def test_text_typed_ahead_waits_for_its_dialog(app: ZwizardApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await type_quickly(pilot, "c", *"encbpuq.d")
        async with asyncio.timeout(10):
            while on(app, AskPath).query_one(Input).value != "encbpuq.d":
                await asyncio.sleep(0.01)
                await settle(pilot)
