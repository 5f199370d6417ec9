"""A new screen is one module and one entry in a list."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from tests.tui.conftest import MakeApp, frame, press, settle
from zwizard.tui import app as app_module

SCREEN = """
from textual.app import ComposeResult
from textual.widgets import Static

from zwizard.tui.screens.base import BaseScreen, ScreenEntry


class HelloScreen(BaseScreen[None]):
    HELP = "A new screen."

    def content(self) -> ComposeResult:
        yield Static("Hello from a new screen")


ENTRY = ScreenEntry("hello", "Hello", "Say hello", lambda _: HelloScreen(), key="f12")
"""


@pytest.fixture
def new_screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hello_screen.py").write_text(SCREEN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "hello_screen", raising=False)
    entry = importlib.import_module("hello_screen").ENTRY
    monkeypatch.setattr(app_module, "SCREENS", [*app_module.SCREENS, entry])


@pytest.mark.slow
@pytest.mark.usefixtures("new_screen")
async def test_a_new_screen_opens_by_its_key_and_from_the_palette(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "f12")
        assert "Hello from a new screen" in frame(app)
        app.pop_screen()
        await settle(pilot)
        command = next(c for c in app.get_system_commands(app.screen) if c.title == "Hello")
        command.callback()
        await settle(pilot)
        assert "Hello from a new screen" in frame(app)
