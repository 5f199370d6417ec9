"""What all screens share."""

from __future__ import annotations

import asyncio
import threading

from textual import work
from textual.app import ComposeResult
from textual.widgets import Static

from tests.tui.conftest import MakeApp
from zwizard.tui.screens.base import BaseScreen


class _Slow(Static):
    """A widget that leaves some time after the others."""

    async def on_unmount(self) -> None:
        screen = self.screen
        assert isinstance(screen, _Screen)
        screen.release.set()
        for worker in self.workers:
            if worker.node is screen:
                await worker._task  # type: ignore[misc]
        await asyncio.sleep(0)


class _Screen(BaseScreen[None]):
    def __init__(self) -> None:
        super().__init__()
        self.release = threading.Event()
        self.changed = False

    def content(self) -> ComposeResult:
        yield Static(id="soon")
        yield _Slow()

    def on_mount(self) -> None:
        self.look()

    @work
    async def look(self) -> None:
        await self.in_background(self.release.wait)
        self.changed = True


async def test_a_closing_screen_is_not_changed_any_more(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test() as pilot:
        screen = _Screen()
        await app.push_screen(screen)
        await pilot.pause()
        await app.pop_screen()
        assert screen.release.is_set()
        assert not screen.changed
