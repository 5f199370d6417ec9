"""Every screen of the wizard's own as text, at the two sizes people mostly have."""

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
from tests.tui.frames import looks_as_before
from zwizard.engine import requirements
from zwizard.host import tools
from zwizard.jobs import journal
from zwizard.tui.screens.home import BuildRows
from zwizard.tui.screens.picker import PickerScreen
from zwizard.tui.widgets.field import Field, field_id

pytestmark = pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])


@pytest.fixture(autouse=True)
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which nothing changes: its space, its tools, its time."""
    monkeypatch.setattr(requirements, "free_space", lambda _: 70 * 2**30)
    monkeypatch.setattr(requirements, "_place_problem", lambda *_: [])
    monkeypatch.setattr(tools, "find", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(journal, "time", SimpleNamespace(time=lambda: NOW - 7200))


async def test_the_first_start(make_app: MakeApp, size: tuple[int, int]) -> None:
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        looks_as_before(app, "home-first")


async def test_home_with_builds(make_app: MakeApp, size: tuple[int, int]) -> None:
    failed = a_build("broken", 2)
    fail(failed, "initramfs", error="initramfs: exit status 1", hint="", command="")
    finish(a_build("web", 6), {"ready": True, "findings": []})
    draft().set("name", "begun")
    app = make_app()
    with Held(a_build("jammy", 1)):
        async with app.run_test(size=size) as pilot:
            await settle(pilot)
            on_row = app.screen.query_one(BuildRows)
            on_row.go("build:web")
            await settle(pilot)
            looks_as_before(app, "home")
            await press(pilot, "d")
            await settle(pilot)
            # How much a directory takes depends on the file system it is on.
            assert "frees" in str(app.screen.query_one("#options").render_line(1))


async def test_the_pages(make_app: MakeApp, size: tuple[int, int]) -> None:
    draft().set("output.directory", "/srv/images")
    app = make_app(fetch=a_list)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await press(pilot, "enter", "alt+1")
        looks_as_before(app, "target")
        await press(pilot, "f3")
        app.screen.query_one(f"#{field_id('source.packages')}", Field).control.focus()
        await press(pilot, *"hto", "x", "space")
        await settle(pilot)
        looks_as_before(app, "source")
        await press(pilot, "f4")
        on(app, PickerScreen)
        looks_as_before(app, "pick")
        await press(pilot, "enter", "escape", "f3")
        looks_as_before(app, "kernel")
        await press(pilot, "f1")
        looks_as_before(app, "help")
        await press(pilot, "escape", "f3", "ctrl+u", *"paris", "tab")
        looks_as_before(app, "system")
        await press(pilot, "alt+5")
        looks_as_before(app, "output")
        await press(pilot, "f3")
        await settle(pilot)
        looks_as_before(app, "review")
        await press(pilot, "down", "enter")
        looks_as_before(app, "commands")
        await press(pilot, "escape", "s")
        looks_as_before(app, "save")
