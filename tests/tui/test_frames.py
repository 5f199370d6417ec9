"""Frames of home, pages and review at two common sizes."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.tui.conftest import (
    NOW,
    Held,
    MakeApp,
    a_build,
    a_list,
    draft,
    fail,
    finish,
    on,
    press,
    settle,
)
from tests.tui.frames import matches_frame
from zwizard.engine import requirements
from zwizard.host import tools
from zwizard.jobs import journal
from zwizard.tui.screens.home import BuildRows
from zwizard.tui.screens.picker import PickerScreen
from zwizard.tui.widgets.field import Field, field_id
from zwizard.util import places

pytestmark = pytest.mark.parametrize(
    "size",
    [
        pytest.param((80, 24), id="80x24"),
        pytest.param((120, 40), id="120x40", marks=pytest.mark.slow),
    ],
)


@pytest.fixture(autouse=True)
def fixed_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host whose free space, tools and time never change."""
    monkeypatch.setattr(places, "free_space", lambda _: 70 * 2**30)
    monkeypatch.setattr(requirements, "_place_problem", lambda *_: [])
    monkeypatch.setattr(tools, "find", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(journal, "time", SimpleNamespace(time=lambda: NOW - 7200))


async def test_the_first_start(make_app: MakeApp, size: tuple[int, int]) -> None:
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        matches_frame(app, "home-first")


async def test_home_with_builds(make_app: MakeApp, size: tuple[int, int]) -> None:
    failed = a_build("broken", 2)
    fail(failed, "initramfs", error="initramfs: exit status 1", hint="", command="")
    finish(a_build("web", 6), {"ready": True, "findings": []})
    draft().set("name", "unfinished")
    app = make_app()
    with Held(a_build("jammy", 1)):
        async with app.run_test(size=size) as pilot:
            await settle(pilot)
            app.screen.query_one(BuildRows).go("build:web")
            await settle(pilot)
            matches_frame(app, "home")
            await press(pilot, "d")
            await settle(pilot)
            # Not a frame: the size of a directory depends on its file system.
            assert "frees" in str(app.screen.query_one("#options").render_line(1))


async def test_the_pages(make_app: MakeApp, size: tuple[int, int]) -> None:
    draft().set("output.directory", "/srv/images")
    app = make_app(fetch=a_list)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await press(pilot, "enter", "alt+1")
        matches_frame(app, "target")
        await press(pilot, "f3")
        packages = app.screen.query_one(f"#{field_id('source.packages')}", Field)
        packages.control.focus(scroll_visible=False)
        await press(pilot, *"hto", "x", "space")
        await settle(pilot)
        matches_frame(app, "source")
        await press(pilot, "f4")
        on(app, PickerScreen)
        matches_frame(app, "pick")
        await press(pilot, "enter", "escape", "f3")
        matches_frame(app, "kernel")
        await press(pilot, "f1")
        matches_frame(app, "help")
        await press(pilot, "escape", "f3", "ctrl+u", *"paris", "tab")
        matches_frame(app, "system")
        await press(pilot, "alt+5")
        matches_frame(app, "output")
        await press(pilot, "f3")
        await settle(pilot)
        matches_frame(app, "review")
        await press(pilot, "down", "enter")
        matches_frame(app, "commands")
        await press(pilot, "escape", "s")
        matches_frame(app, "save")
