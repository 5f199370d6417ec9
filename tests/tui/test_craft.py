"""What holds on every screen: sizes, keys, help, palette, and ways to end."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from tests.tui.conftest import (
    Held,
    MakeApp,
    a_build,
    draft,
    fail,
    finding,
    finish,
    frame,
    press,
    settle,
    until,
)
from zwizard.tui.app import ZwizardApp
from zwizard.tui.walk import Walk
from zwizard.tui.widgets.keys import shown


def to_home(_: ZwizardApp) -> None:
    a_build("somewhat-long-name-of-a-build", 2)


def to_page(app: ZwizardApp) -> None:
    app.turn_to(Walk(draft()), "source")


def to_review(app: ZwizardApp) -> None:
    app.review(Walk(draft()))


def to_build(app: ZwizardApp) -> None:
    build = a_build(done=1)
    fail(build, "packages", error="packages: exit status 1", command="false", hint="")
    app.show_build(build)


def to_checklist(app: ZwizardApp) -> None:
    build = a_build(done=6)
    finish(build, {"ready": False, "findings": [finding("kernel-elf", outcome="fail")]})
    app.show_report(build)


SCREENS = {f.__name__: f for f in (to_home, to_page, to_review, to_build, to_checklist)}
Go = Callable[[ZwizardApp], None]


@pytest.mark.parametrize("go", SCREENS.values(), ids=SCREENS)
async def test_every_screen_fits_60_by_18_and_says_so_where_it_does_not(
    app: ZwizardApp, go: Go
) -> None:
    async with app.run_test(size=(60, 18)) as pilot:
        await settle(pilot)
        go(app)
        await settle(pilot)
        shown_lines = frame(app).splitlines()
        assert max(map(len, shown_lines)) <= 60
        footer = " ".join(shown_lines[-3:])
        assert "F1 Help" in footer  # the keys are all there, the last one too
        focused = app.screen.focused
        if focused is not None and go is not to_home:
            assert app.screen.find_widget(focused).visible_region.area > 0
        await pilot.resize_terminal(59, 18)
        await settle(pilot)
        assert "needs 60×18" in " ".join(frame(app).split())
        await pilot.resize_terminal(80, 24)
        await settle(pilot)
        assert "F1 Help" in frame(app)


@pytest.mark.parametrize("go", SCREENS.values(), ids=SCREENS)
async def test_every_key_in_the_footer_does_something_and_help_names_it(
    app: ZwizardApp, go: Go
) -> None:
    async with app.run_test(size=(80, 40)) as pilot:
        await settle(pilot)
        go(app)
        await settle(pilot)
        offered = shown(app.screen)
        for active in offered:
            action = active.binding.action.split("(")[0].rpartition(".")
            node = app if action[0] == "app" else active.node
            assert hasattr(node, f"action_{action[2]}"), active.binding
        await press(pilot, "f1")
        told = frame(app)
        assert all(app.get_key_display(active.binding) in told for active in offered)


async def test_the_palette_offers_what_is_valid_now(app: ZwizardApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        titles = {command.title for command in app.get_system_commands(app.screen)}
        assert {"New", "Check a file", "Quit"} <= titles
        assert "Resume" not in titles
        await press(pilot, "ctrl+p")
        await until(pilot, lambda: "Check a file" in frame(app))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_ends_the_app_in_order(make_app: MakeApp, number: signal.Signals) -> None:
    app = make_app()
    build = a_build(done=1)
    draft().give("name", "begun")
    with Held(build):
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            os.kill(os.getpid(), number)
            await until(pilot, lambda: app.return_code is not None)
        assert app.return_code == 128 + number
        assert not build.cancel_request.exists()
    assert draft()["name"] == "begun"


async def test_without_colour_everything_is_still_said(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = make_app()
    to_home(app)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "■ interrupted" in frame(app)
