"""Tests of every screen: sizes, keys, help, palette, themes, terminals and exits."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest
from rich.cells import cell_len
from textual.dom import DOMNode
from textual.pilot import Pilot
from textual.screen import ModalScreen
from textual.widgets import Input

from tests.tui.conftest import (
    Held,
    MakeApp,
    a_build,
    a_list,
    draft,
    fail,
    finding,
    finish,
    frame,
    notes,
    on,
    open_page,
    press,
    settle,
    until,
)
from zwizard import manual
from zwizard.host import tools
from zwizard.jobs import supervisor
from zwizard.tui import linux_console, preferences, themes
from zwizard.tui.app import ZwizardApp
from zwizard.tui.navigation import REVIEW, Navigation
from zwizard.tui.screens.base import BaseScreen
from zwizard.tui.screens.dialogs import Help
from zwizard.tui.screens.home import HomeScreen
from zwizard.tui.screens.pages import PageScreen
from zwizard.tui.widgets.keys import NAMES, Keys, shown
from zwizard.util import paths

pytestmark = pytest.mark.slow


def to_home(_: ZwizardApp) -> None:
    a_build("somewhat-long-name-of-a-build", 2)


def to_page(app: ZwizardApp) -> None:
    app.show_page(Navigation(draft()), "source")


def to_review(app: ZwizardApp) -> None:
    app.show_page(Navigation(draft()), REVIEW)


def to_build(app: ZwizardApp) -> None:
    build = a_build(done=1)
    fail(build, "packages", error="packages: exit status 1", command="false", hint="")
    app.show_build(build)


def to_checklist(app: ZwizardApp) -> None:
    build = a_build(done=6)
    finish(build, {"ready": False, "findings": [finding("kernel-elf", outcome="fail")]})
    app.show_check(build)


SCREENS = {f.__name__: f for f in (to_home, to_page, to_review, to_build, to_checklist)}
Go = Callable[[ZwizardApp], None]


@pytest.mark.parametrize("go", SCREENS.values(), ids=SCREENS)
async def test_every_screen_fits_60_by_18_and_a_smaller_terminal_gets_a_message(
    app: ZwizardApp, go: Go
) -> None:
    async with app.run_test(size=(60, 18)) as pilot:
        await settle(pilot)
        go(app)
        await settle(pilot)
        shown_lines = frame(app).splitlines()
        assert max(map(len, shown_lines)) <= 60
        footer = " ".join(shown_lines[-3:])
        assert "F1 Help" in footer  # the last key is shown, so all are
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
async def test_every_key_in_the_footer_has_an_action_and_help_lists_it(
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
        text = frame(app)
        assert all(app.get_key_display(active.binding) in text for active in offered)


async def test_opening_a_screen_styles_its_widgets_once_and_themes_reach_screens_below(
    app: ZwizardApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    restyled: list[DOMNode] = []
    update = app.update_styles

    def note(node: DOMNode, animate: bool = True) -> None:
        restyled.append(node)
        update(node, animate)

    monkeypatch.setattr(app, "update_styles", note)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_page(pilot, "source")
        assert app.screen.has_class("-normal", "-tall")
        assert not any(isinstance(node, BaseScreen) for node in restyled)
        app.theme = themes.CONTRAST
        await press(pilot, "escape")
        assert on(app, HomeScreen).background_colors[1].hex == app.current_theme.background


async def test_a_dialog_shows_and_explains_only_its_own_keys(app: ZwizardApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        to_page(app)
        await settle(pilot)
        await press(pilot, "f7")
        keys = frame(app).splitlines()[-1].strip().split("  ")
        assert keys == ["Tab Complete", "Esc Back", "F1 Help"]
        assert "F3 Next" not in frame(app)
        await press(pilot, "f1")
        assert "A path, from the directory where the wizard" in frame(app)
        await press(pilot, "escape", "escape")
        assert "F3 Next" in frame(app)


async def test_f1_in_the_help_opens_the_manual(app: ZwizardApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "f1", "f1")
        assert "Manual: wizard" in frame(app)
        first = next(line for line in manual.text("wizard", 70).splitlines() if "opens" in line)
        assert first in frame(app)
        await press(pilot, "escape", "escape")
        on(app, HomeScreen)


async def test_the_palette_offers_only_valid_actions(app: ZwizardApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        titles = {command.title for command in app.get_system_commands(app.screen)}
        assert {"New", "Check a file", "Quit", "Manual: rules"} <= titles
        assert "Resume" not in titles
        await press(pilot, "ctrl+p")
        await until(pilot, lambda: "Check a file" in frame(app))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_ends_the_app_and_keeps_draft_and_builds(
    make_app: MakeApp, number: signal.Signals
) -> None:
    app = make_app()
    build = a_build(done=1)
    draft().set("name", "started")
    with Held(build):
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            os.kill(os.getpid(), number)
            await until(pilot, lambda: app.return_code is not None)
        assert app.return_code == 128 + number
        assert not build.cancel_request.exists()
    assert draft()["name"] == "started"


async def test_states_are_readable_without_colour(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = make_app()
    to_home(app)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "■ stopped" in frame(app)


@pytest.mark.painted
async def test_pressing_any_key_never_crashes(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "start", lambda build: None)
    monkeypatch.setattr(tools, "find", lambda name: f"/usr/bin/{name}")
    app = make_app(fetch=a_list)
    to_home(app)
    draft().set("name", "started")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        for go in (None, to_page, to_review):
            app.home()
            await settle(pilot)
            if go:
                go(app)
                await settle(pilot)
            for active in shown(app.screen):
                before = app.screen
                if "leave" in active.binding.action:
                    continue  # has tests of its own
                await press(pilot, active.binding.key)
                await settle(pilot)
                while isinstance(app.screen, ModalScreen):
                    await press(pilot, "escape")
                if app.screen is not before:
                    app.home()
                    await settle(pilot)
                    if go:
                        go(app)
                        await settle(pilot)
        assert app.is_running


# --- preferences --------------------------------------------------------------------------------


def prefer(text: str) -> None:
    file = paths.preferences()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


async def test_a_theme_is_chosen_in_the_palette_and_saved(make_app: MakeApp) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert app.theme == "dark"
        titles = {command.title for command in app.get_system_commands(app.screen)}
        assert {"Theme: dark", "Theme: light", "Theme: high-contrast"} <= titles
        await press(pilot, "ctrl+p", *"contrast")
        await until(pilot, lambda: "Theme: high-contrast" in frame(app))
        await press(pilot, "down", "enter")
        await until(pilot, lambda: app.theme == "high-contrast")
        await until(pilot, lambda: preferences.load().theme == "high-contrast")
    again = make_app()
    async with again.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert again.theme == "high-contrast"


@pytest.mark.parametrize("theme", preferences.THEMES)
async def test_states_are_readable_in_every_theme(make_app: MakeApp, theme: str) -> None:
    prefer(f'theme = "{theme}"')
    app = make_app(fetch=a_list)
    to_home(app)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "■ stopped" in frame(app)
        await open_page(pilot, "source")
        assert "● Source" in frame(app)


@pytest.mark.parametrize("theme", preferences.THEMES)
async def test_borders_are_visible_in_every_theme_without_colour(
    make_app: MakeApp, theme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    prefer(f'theme = "{theme}"')
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        to_page(app)
        await settle(pilot)
        for widget, edge in (("#questions", "left"), ("#questions", "top"), ("#why", "left")):
            bordered = app.screen.query_one(widget)
            background, _ = bordered.background_colors
            border = background + getattr(bordered.styles, f"border_{edge}")[1]
            assert abs(border.brightness - background.brightness) > 0.2


async def test_preferences_change_keys(make_app: MakeApp) -> None:
    prefer('[keys]\n"home.new" = "ctrl+n"\n"page.next" = "f10,ctrl+g"\n')
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "n New" not in frame(app).splitlines()[-1].replace("ctrl+n", "")
        await press(pilot, "n")
        on(app, HomeScreen)
        await press(pilot, "ctrl+n")
        assert "F10 Next" in frame(app)
        await press(pilot, "f3")
        assert on(app, PageScreen).page == "target"
        await press(pilot, "ctrl+g")
        assert on(app, PageScreen).page == "source"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("theme = [", "cannot be read"),
        ('theme = "blue"', "allowed: dark, light"),
        ('[keys]\n"hom.new" = "x"', "no key is called 'hom.new'; did you mean 'home.new'?"),
        ('[keys]\n"home.new" = "no such key !"', ""),
        ('[keys]\n"home.new" = ","', ""),
    ],
)
async def test_invalid_preferences_are_reported_and_the_app_starts(
    make_app: MakeApp, text: str, complaint: str
) -> None:
    prefer(text)
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert any(complaint in note for note in notes(app)) or not complaint
        assert "Zero-OS" in frame(app)


async def test_a_notification_hides_no_key(app: ZwizardApp) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        for go in (to_page, to_review):  # one line of keys, and two
            go(app)
            await settle(pilot)
            before = frame(app).splitlines()
            rows = app.screen.query_one(Keys).outer_size.height
            app.notify("a notification that is long enough to take more than one line")
            await until(pilot, lambda: "a notification" in frame(app))
            assert frame(app).splitlines()[-rows:] == before[-rows:]


async def test_a_key_can_be_moved_to_another_action(make_app: MakeApp) -> None:
    prefer('[keys]\n"home.new" = "c"\n')
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "c")
        on(app, PageScreen)


async def test_the_keys_screen_lists_the_name_of_every_key(app: ZwizardApp) -> None:
    async with app.run_test(size=(120, 150)) as pilot:
        await settle(pilot)
        app.action_open_screen("keys")
        await settle(pilot)
        text = frame(app)
        assert "preferences.toml" in text
        for name in ("page.next", "review.build", "home.duplicate", "field.choose"):
            assert name in text
        example = text.partition("[keys]")[2].split('"')[1]
        assert example in NAMES


# --- terminals ----------------------------------------------------------------------------------


def test_console_substitutes_have_the_width_of_the_original() -> None:
    for character in "✓✗●○■•→×…–▁▔▎▊🮂日e\u0301é\u200b─│":
        assert cell_len(linux_console.drawable(character)) == cell_len(character), character
    assert linux_console.drawable("plain\x1b[31m ~") == "plain\x1b[31m ~"


@pytest.mark.parametrize("go", SCREENS.values(), ids=SCREENS)
async def test_the_console_gets_only_characters_that_it_can_draw(app: ZwizardApp, go: Go) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        go(app)
        await settle(pilot)
        drawn = linux_console.drawable(frame(app))
        assert all(c < "\x80" or c in linux_console._ALWAYS for c in drawn)
        assert drawn.count("?") == frame(app).count("?")  # every character has a substitute
        for line, before in zip(drawn.splitlines(), frame(app).splitlines(), strict=True):
            assert cell_len(line) == cell_len(before)


async def test_the_theme_is_high_contrast_on_sixteen_colours(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    for term, theme in (("linux", "high-contrast"), ("screen", "high-contrast"), ("foot", "dark")):
        monkeypatch.setenv("TERM", term)
        monkeypatch.setenv("COLORTERM", "truecolor" if term == "foot" else "")
        app = make_app()
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            assert app.theme == theme


def test_only_the_linux_console_gets_its_own_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    assert linux_console.driver() is None
    monkeypatch.setenv("TERM", "linux")
    assert linux_console.driver() is not None


@pytest.mark.painted
@pytest.mark.parametrize("go", SCREENS.values(), ids=SCREENS)
async def test_resizing_at_any_moment(app: ZwizardApp, go: Go) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        go(app)
        for size in ((200, 60), (1, 1), (60, 18), (20, 80), (120, 10), (80, 24)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
        await settle(pilot)
        assert "F1 Help" in frame(app)


@pytest.mark.painted
async def test_the_mouse_can_do_everything(make_app: MakeApp) -> None:
    app = make_app(fetch=a_list)
    async with app.run_test(size=(80, 40)) as pilot:
        await settle(pilot)
        await click(pilot, "New")
        assert on(app, PageScreen).page == "target"
        await click(pilot, "Next")
        assert on(app, PageScreen).page == "source"
        await click(pilot, "example: vim")
        await press(pilot, *"vi")
        await click(pilot, "F4 List")
        await settle(pilot)
        await click(pilot, "vim-nox")
        await press(pilot, "escape")
        assert draft()["source.packages"] == "vim-nox"
        await click(pilot, "Leave")
        await click(pilot, "○ draft")
        on(app, PageScreen)


async def click(pilot: Pilot[None], text: str) -> None:
    """Click on this text."""
    lines = frame(pilot.app).splitlines()  # type: ignore[arg-type]
    y = next(i for i, line in enumerate(lines) if text in line)
    await pilot.click(offset=(cell_len(lines[y][: lines[y].index(text)]) + 1, y))
    await settle(pilot)


async def test_ctrl_c_says_how_to_quit(app: ZwizardApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "ctrl+c")
        assert any("Ctrl+Q" in note or "ctrl+q" in note for note in notes(app))


async def test_a_question_mark_is_help_outside_text(app: ZwizardApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "question_mark")
        on(app, Help)
        await press(pilot, "escape")
        to_page(app)
        await settle(pilot)
        app.screen.query(Input).first().focus()
        await press(pilot, "question_mark")
        assert "?" in app.screen.query(Input).first().value
