"""The wizard as an app: which screen is shown when, and what all screens need."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual import work
from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.driver import Driver
from textual.notifications import Notify
from textual.screen import Screen

from zwizard import manual
from zwizard.boottest import session
from zwizard.boottest.request import BootTest, BootTestRequest
from zwizard.engine.builds import Build
from zwizard.tui import linux_console, preferences, terminal
from zwizard.tui.background import in_background
from zwizard.tui.draft_app import DraftApp
from zwizard.tui.format import block, plain
from zwizard.tui.navigation import REVIEW, Navigation
from zwizard.tui.notifications import Notifications, Title
from zwizard.tui.screens import dialogs, keys
from zwizard.tui.screens.base import LEAST, BaseScreen, ScreenEntry
from zwizard.tui.screens.boot_test import BootTestScreen
from zwizard.tui.screens.build import BuildScreen
from zwizard.tui.screens.check import CheckScreen
from zwizard.tui.screens.dialogs import Help, Reader, explain
from zwizard.tui.screens.home import HomeScreen
from zwizard.tui.screens.pages import PageScreen
from zwizard.tui.screens.review import ReviewScreen
from zwizard.tui.themes import CONTRAST, THEMES
from zwizard.tui.widgets.keys import NAMES, named, shown
from zwizard.util import paths
from zwizard.util.errors import ZwizardError
from zwizard.wizard.review import HostState, inspect_host
from zwizard.wizard.suggestion_service import SuggestionService

_EVERY = 1.0  # seconds between looks at which builds run
_SETTLED = 0.4  # seconds until a change is drawn

# The screens that open from anywhere: each is a module with its ENTRY, listed here.
SCREENS: list[ScreenEntry] = [keys.ENTRY]


class ZwizardApp(DraftApp):
    """The wizard. Screens are views of the draft, the plan and the journal."""

    TITLE = "zwizard"
    CSS_PATH = "zwizard.tcss"
    NOTIFICATION_TIMEOUT = 3
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 - as Textual declares it
        (0, "-tiny"),
        (LEAST[0], "-narrow"),
        (76, "-normal"),
        (110, "-wide"),
    ]
    VERTICAL_BREAKPOINTS = [  # noqa: RUF012
        (0, "-flat"),
        (LEAST[1], "-tall"),
    ]
    BINDINGS: ClassVar[list[BindingType]] = named(
        "app",
        [
            Binding("f1", "help", "Help", tooltip="Help on what has the focus"),
            Binding("ctrl+q", "leave", "Quit", show=False, priority=True),
        ],
    )

    def __init__(
        self,
        recipe: Path | None = None,
        *,
        clock: Callable[[], float] = time.time,
        inspect: Callable[[], HostState] = inspect_host,
        suggestion_service: SuggestionService | None = None,
        driver: type[Driver] | None = None,
    ) -> None:
        super().__init__(driver_class=driver)
        self.clock = clock
        self.suggestion_service = suggestion_service or SuggestionService()
        self.force_exit: Callable[[int], None] = lambda _: None
        self._inspect = inspect
        self._recipe = recipe
        self._host: asyncio.Task[HostState] | None = None
        self._boot_tests: dict[Path, BootTest] = {}  # by artefact; they end when this process does
        self._build_notifications = Notifications()
        self.terminal_title = Title(self._send)
        for theme in THEMES:
            self.register_theme(theme)
        self.preferences = preferences.load()
        # Sixteen colours have no shades of grey.
        few = self.console.color_system == "standard"
        self.theme = self.preferences.theme or (CONTRAST if few else preferences.THEMES[0])

        for entry in SCREENS:
            if entry.key:
                self.bind(entry.key, f"open_screen({entry.name!r})", description=entry.title)

    def get_default_screen(self) -> Screen[None]:
        """Home is below every other screen."""
        return HomeScreen()

    def on_mount(self) -> None:
        """Show home, and the pages of the recipe if the command line names one."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            # By default these end the process at once and leave the terminal unusable.
            with contextlib.suppress(RuntimeError, ValueError):  # not the main thread (tests)
                loop.add_signal_handler(number, partial(self._exit_on_signal, number))
        self._set_keys()
        self._announce_builds()
        self.set_interval(_EVERY, self._announce_builds)
        if not self.is_headless:
            # Threads that compute hold up a key ten times shorter than by default.
            sys.setswitchinterval(0.0005)
            # The objects made so far stay: the garbage collector need not visit them again.
            self.set_timer(_SETTLED, gc.freeze)
        if self._recipe:
            self.run_worker(self._open(self._recipe))

    def _set_keys(self) -> None:
        """Use the keys of the preferences; show what in the preferences is ignored."""
        keys = self.preferences.keys
        self.set_keymap({name: key for name, key in keys.items() if name in NAMES})
        unknown = [
            f"{paths.preferences()}: no key is called {name!r}{_near(name)}"
            for name in keys
            if name not in NAMES
        ]
        for complaint in (*self.preferences.complaints, *unknown):
            self.notify(plain(complaint).plain, severity="warning", timeout=8, markup=False)

    def _exit_on_signal(self, number: signal.Signals) -> None:
        self.force_exit(128 + number)
        self.exit(return_code=128 + number)

    @work(exclusive=True, group="notifications")
    async def _announce_builds(self) -> None:
        """Show the running builds in the terminal's title; announce the ones that ended."""
        for ended in await in_background(self._build_notifications.look):
            self.bell()
            if not (isinstance(self.screen, BuildScreen) and self.screen.build.id == ended.name):
                self.notify(plain(ended.message).plain, timeout=8, markup=False)
        self.terminal_title.show(self._build_notifications.title)

    def _send(self, sequence: str) -> None:
        if self._driver is not None and not self.is_headless:
            self._driver.write(sequence)

    # --- what screens ask for ---

    def collect_garbage_soon(self) -> None:
        """Collect garbage soon after a change, so that it does not hold up a key later."""
        if not self.is_headless:
            self.set_timer(_SETTLED, gc.collect)

    async def host(self) -> HostState:
        """The state of this host; inspected once, in the background."""
        if self._host is None:
            self._host = asyncio.create_task(in_background(self._inspect))
        return await asyncio.shield(self._host)

    def forget_host(self) -> None:
        """Inspect the host again: something was installed."""
        self._host = None

    def show_error(self, error: Exception) -> None:
        """Show what went wrong and what to do about it."""
        dialogs.show_error(self, error)

    def run_in_terminal(self, work: Callable[[], object]) -> bool:
        """Run ``work`` in the terminal outside the app, where it can ask; whether it succeeded."""
        failed: Exception | None = None
        with self.suspend():
            try:
                work()
            except (ZwizardError, OSError, subprocess.SubprocessError) as error:
                failed = error
                terminal.wait_for_enter()
        if failed:
            self.show_error(failed)
        return failed is None

    async def authorise(self) -> bool:
        """Ask for the sudo password if builds need it; False if sudo refused."""
        privilege = (await self.host()).privilege
        return privilege.mode != "sudo" or self.run_in_terminal(privilege.authorise)

    def on_notify(self, event: Notify) -> None:
        """Show a notification once, however often a key was pressed."""
        message = event.notification.message
        if any(note.message == message for note in self._notifications):
            event.prevent_default()

    # --- from screen to screen ---

    def home(self) -> None:
        """Close every screen above home."""
        while len(self.screen_stack) > 1:
            self.pop_screen()

    def _on_home(self, screen: Screen[None]) -> None:
        self.home()
        self.push_screen(screen)

    def _select_on_home(self, build: Build | None) -> None:
        for screen in self.screen_stack:
            if isinstance(screen, HomeScreen):
                screen.select(build)

    def continue_draft(self) -> None:
        """Show the page that the draft has reached, or the review."""
        navigation = Navigation(self.draft())
        page = navigation.first_open()
        if page == REVIEW:
            self.show_review(navigation)
        else:
            self.show_page(navigation, page)

    def show_page(self, navigation: Navigation, page: str, key: str = "") -> None:
        """Show a page of questions, at the question ``key``."""
        self._navigation = navigation
        self._on_home(PageScreen(navigation, page, key))

    def show_review(self, navigation: Navigation) -> None:
        """Show the review."""
        self._navigation = navigation
        self._on_home(ReviewScreen(navigation))

    def show_build(self, build: Build) -> None:
        """Show a build's steps and log."""
        self._select_on_home(build)
        self._on_home(BuildScreen(build))

    def show_report(self, build: Build) -> None:
        """Show the checklist of a build."""
        self._select_on_home(build)
        self.push_screen(CheckScreen(build))

    def show_boot_test(self, path: Path, disk_size: int | None = None) -> None:
        """Boot a file or directory as Zero-OS would; ``disk_size`` (bytes) is an image's disk."""
        self.push_screen(BootTestScreen(BootTestRequest(path.resolve(), disk_size=disk_size)))

    async def boot_test(self, request: BootTestRequest, *, again: bool) -> BootTest | None:
        """The boot test of the artefact, or a new one (``again``); None if sudo refused."""
        test = self._boot_tests.get(request.artefact)
        if test and (test.running() or not again):
            return test
        if not await self.authorise():
            return None
        test = await in_background(lambda: session.start(request))
        self._boot_tests[request.artefact] = test
        return test

    def show_check(self, path: Path) -> None:
        """Check any file or directory, and show the checklist."""
        self.push_screen(CheckScreen(path))

    async def start_build(self, build: Build, *, rebuild_all: bool = False) -> bool:
        """Start or resume a build; whether it runs. Errors are shown.

        ``rebuild_all`` ignores cached layers and uses today's packages.
        """
        if not await self.authorise():
            return False
        try:
            await in_background(lambda: _start(build, rebuild_all))
        except (ZwizardError, OSError) as error:
            self.show_error(error)
            return False
        return True

    # --- recipes as files ---

    def leave_draft(self) -> None:
        """Go home; the draft is kept."""
        self._select_on_home(None)
        self.home()
        if not (self._navigation and self._navigation.answers.unsaved):
            self.notify("Your draft is kept.", markup=False)

    # --- keys that work everywhere ---

    def get_key_display(self, binding: Binding) -> str:
        """Keys as keyboards name them."""
        if binding.key_display:
            return binding.key_display
        names = {"escape": "Esc", "enter": "Enter", "tab": "Tab", "slash": "/"}
        name = names.get(binding.key, binding.key)
        return name.upper() if re.fullmatch(r"f\d+", name) else name

    async def action_quit(self) -> None:
        """The palette's Quit."""
        self.action_leave()

    def action_help(self) -> None:
        """Help on what has the focus, and the keys that work now."""
        screen = self.screen
        if isinstance(screen, Help):
            self.read_manual(screen.topic)
        if isinstance(screen, Reader):
            return
        text = getattr(screen, "HELP", "") or ""
        if isinstance(screen, PageScreen):
            text = screen.explanation()
        elif focused := getattr(screen.focused, "HELP", None):
            text = f"{text}\n\n{focused}"
        topic = getattr(screen, "TOPIC", BaseScreen.TOPIC)
        self.push_screen(explain(text.strip(), shown(screen), self.get_key_display, topic))

    def read_manual(self, topic: str) -> None:
        """Show a page of the manual."""
        width = (
            min(int(self.size.width * 0.96), 110) - 6
        )  # of a tall dialog, inside (zwizard.tcss)
        self.push_screen(Reader(f"Manual: {topic}", block(manual.text(topic, width))))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """What the palette offers: the keys that work here, then theme and quit."""
        for active in shown(screen):
            binding = active.binding
            press = partial(self.call_later, self.run_action, binding.action, active.node)
            key = self.get_key_display(binding)
            text = f"{binding.tooltip or binding.description}  ({key})"
            yield SystemCommand(binding.description, text, press)
        yield SystemCommand("Open recipe", "Open a recipe from a file", self.open_recipe)
        for theme in preferences.THEMES:
            current = " (current)" if theme == self.theme else ""
            use = partial(self.use_theme, theme)
            yield SystemCommand(f"Theme: {theme}", f"Use this theme{current}", use)
        for topic in manual.topics():
            read = partial(self.read_manual, topic)
            yield SystemCommand(f"Manual: {topic}", "Read this page of the manual", read)
        for entry in SCREENS:
            opens = partial(self.action_open_screen, entry.name)
            yield SystemCommand(entry.title, entry.text, opens)
        yield SystemCommand("Quit", "Quit; builds keep running", self.action_leave)

    def action_open_screen(self, name: str) -> None:
        """Open one of SCREENS by its name."""
        entry = next(entry for entry in SCREENS if entry.name == name)
        self.push_screen(entry.make(self))

    @work
    async def use_theme(self, theme: str) -> None:
        """Change the theme, and save it in the preferences."""
        self.theme = theme
        try:
            await in_background(lambda: preferences.save_theme(theme))
        except OSError as error:
            message = f"The theme could not be saved: {error.strerror or error}"
            self.notify(plain(message).plain, severity="warning", markup=False)


def _near(name: str) -> str:
    near = get_close_matches(name, NAMES, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _start(build: Build, rebuild_all: bool) -> None:
    from zwizard.jobs import supervisor

    supervisor.start(build, *(["rebuild-all"] if rebuild_all else []))


def run(recipe: Path | None) -> int:
    """Run the wizard until the user quits; it opens ``recipe`` if one is named."""
    terminal.keep_alt_digits()
    app = ZwizardApp(recipe, driver=linux_console.driver())
    app.force_exit = terminal.exit_soon
    try:
        app.run()
    finally:
        with contextlib.suppress(OSError):  # the terminal may be closed
            sys.stderr.write(app.terminal_title.ending)
            sys.stderr.flush()
    if app.return_code == 1:  # an unexpected exception, printed above this
        sys.stderr.write("\nzwizard failed. Your draft is kept, and builds keep running.\n")
    return app.return_code or 0
