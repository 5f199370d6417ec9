"""The wizard as an app: which screen is shown when, and what they all need."""

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
_SETTLED = 0.4  # seconds until what was begun is there

# The screens that open from anywhere: a new one is a file with its entry, and a line here.
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
        look: Callable[[], HostState] = inspect_host,
        library: SuggestionService | None = None,
        driver: type[Driver] | None = None,
    ) -> None:
        super().__init__(driver_class=driver)
        self.clock = clock
        self.library = library or SuggestionService()
        self.force_exit: Callable[[int], None] = lambda _: None
        self._look = look
        self._recipe = recipe
        self._host: asyncio.Task[HostState] | None = None
        self._boot_tests: dict[Path, BootTest] = {}  # by artefact; they end with this process
        self._ended_builds = Notifications()
        self.terminal_title = Title(self._send)
        for theme in THEMES:
            self.register_theme(theme)
        self.preferences = preferences.load()
        # Shades of grey are lost where there are sixteen colours.
        few = self.console.color_system == "standard"
        self.theme = self.preferences.theme or (CONTRAST if few else preferences.THEMES[0])

        for entry in SCREENS:
            if entry.key:
                self.bind(entry.key, f"open_screen({entry.name!r})", description=entry.title)

    def get_default_screen(self) -> Screen[None]:
        """Home is below every other screen."""
        return HomeScreen()

    def on_mount(self) -> None:
        """Home; and the recipe's pages, if one was named."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            # Textual leaves these to end the process at once, the terminal unrestored.
            with contextlib.suppress(RuntimeError, ValueError):  # not the main thread (tests)
                loop.add_signal_handler(number, partial(self._exit_on_signal, number))
        self._set_keys()
        self._announce_builds()
        self.set_interval(_EVERY, self._announce_builds)
        if not self.is_headless:
            # A thread that computes gives way ten times sooner than usual.
            sys.setswitchinterval(0.0005)
            # What is there by now stays: a key need not wait while all of it is looked through.
            self.set_timer(_SETTLED, gc.freeze)
        if self._recipe:
            self.run_worker(self._open(self._recipe))

    def _set_keys(self) -> None:
        """Use the keys that the user prefers; say what in the preferences is ignored."""
        liked = self.preferences
        self.set_keymap({name: key for name, key in liked.keys.items() if name in NAMES})
        unknown = [
            f"{paths.preferences()}: no key is called {name!r}{_near(name)}"
            for name in liked.keys
            if name not in NAMES
        ]
        for said in (*liked.complaints, *unknown):
            self.notify(plain(said).plain, severity="warning", timeout=8, markup=False)

    def _exit_on_signal(self, number: signal.Signals) -> None:
        self.force_exit(128 + number)
        self.exit(return_code=128 + number)

    @work(exclusive=True, group="notifications")
    async def _announce_builds(self) -> None:
        """Tell what the builds do where it is seen from afar: in the title, by a bell."""
        for ended in await in_background(self._ended_builds.look):
            self.bell()
            if not (isinstance(self.screen, BuildScreen) and self.screen.build.id == ended.name):
                self.notify(plain(ended.message).plain, timeout=8, markup=False)
        self.terminal_title.show(self._ended_builds.title)

    def _send(self, sequence: str) -> None:
        if self._driver is not None and not self.is_headless:
            self._driver.write(sequence)

    # --- what screens ask for ---

    def collect_garbage_soon(self) -> None:
        """Collect what a change has left, in a moment: else it is done while a key waits."""
        if not self.is_headless:
            self.set_timer(_SETTLED, gc.collect)

    async def host(self) -> HostState:
        """What this computer is to a build; found out once, off this thread."""
        if self._host is None:
            self._host = asyncio.create_task(in_background(self._look))
        return await asyncio.shield(self._host)

    def forget_host(self) -> None:
        """Something was installed: look again."""
        self._host = None

    def show_error(self, error: Exception) -> None:
        """Show what went wrong and what to do about it."""
        dialogs.show_error(self, error)

    def run_in_terminal(self, work: Callable[[], object]) -> bool:
        """Do ``work`` in the bare terminal, where it can ask and be read; whether it went well."""
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
        """Have sudo ask for the password where builds need it; whether it was given."""
        privilege = (await self.host()).privilege
        return privilege.mode != "sudo" or self.run_in_terminal(privilege.authorise)

    def on_notify(self, event: Notify) -> None:
        """What is being said in passing is not said twice, however often a key was pressed."""
        said = event.notification.message
        if any(note.message == said for note in self._notifications):
            event.prevent_default()

    # --- from screen to screen ---

    def home(self) -> None:
        """Leave everything on top of home."""
        while len(self.screen_stack) > 1:
            self.pop_screen()

    def _on_home(self, screen: Screen[None]) -> None:
        self.home()
        self.push_screen(screen)

    def _coming_from(self, build: Build | None) -> None:
        for screen in self.screen_stack:
            if isinstance(screen, HomeScreen):
                screen.coming_from(build)

    def continue_draft(self) -> None:
        """The pages, where the answers in the draft have got to."""
        navigation = Navigation(self.draft())
        page = navigation.first_open()
        if page == REVIEW:
            self.show_review(navigation)
        else:
            self.show_page(navigation, page)

    def show_page(self, navigation: Navigation, page: str, key: str = "") -> None:
        """A page of questions."""
        self._navigation = navigation
        self._on_home(PageScreen(navigation, page, key))

    def show_review(self, navigation: Navigation) -> None:
        """The review."""
        self._navigation = navigation
        self._on_home(ReviewScreen(navigation))

    def show_build(self, build: Build) -> None:
        """A build at work, or what became of it."""
        self._coming_from(build)
        self._on_home(BuildScreen(build))

    def show_report(self, build: Build) -> None:
        """The checklist of a build."""
        self._coming_from(build)
        self.push_screen(CheckScreen(build))

    def show_boot_test(self, path: Path, disk_size: int | None = None) -> None:
        """Boot a file or directory as Zero-OS would; ``disk_size`` (bytes) is an image's disk."""
        self.push_screen(BootTestScreen(BootTestRequest(path.resolve(), disk_size=disk_size)))

    async def boot_test(self, request: BootTestRequest, *, again: bool) -> BootTest | None:
        """The boot test of the artefact, or a new one (``again``); None if sudo refused."""
        known = self._boot_tests.get(request.artefact)
        if known and (known.running() or not again):
            return known
        if not await self.authorise():
            return None
        started = await in_background(lambda: session.start(request))
        self._boot_tests[request.artefact] = started
        return started

    def show_check(self, path: Path) -> None:
        """The checklist of any file or directory."""
        self.push_screen(CheckScreen(path))

    async def start_build(self, build: Build, *, rebuild_all: bool = False) -> bool:
        """Start (or resume) a build; whether it runs. What is wrong is shown.

        ``rebuild_all`` ignores cached layers, and takes today's packages.
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
        """Home; the answers are kept."""
        self._coming_from(None)
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
        said = getattr(screen, "HELP", "") or ""
        if isinstance(screen, PageScreen):
            said = screen.explanation()
        elif focused := getattr(screen.focused, "HELP", None):
            said = f"{said}\n\n{focused}"
        topic = getattr(screen, "TOPIC", BaseScreen.TOPIC)
        self.push_screen(explain(said.strip(), shown(screen), self.get_key_display, topic))

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
            said = f"{binding.tooltip or binding.description}  ({key})"
            yield SystemCommand(binding.description, said, press)
        yield SystemCommand("Open recipe", "Open a recipe from a file", self.open_recipe)
        for theme in preferences.THEMES:
            now = " (as now)" if theme == self.theme else ""
            wear = partial(self.use_theme, theme)
            yield SystemCommand(f"Theme: {theme}", f"Look {theme}{now}", wear)
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
        """Change the theme, now and for later."""
        self.theme = theme
        try:
            await in_background(lambda: preferences.keep_theme(theme))
        except OSError as error:
            said = f"The theme could not be saved: {error.strerror or error}"
            self.notify(plain(said).plain, severity="warning", markup=False)


def _near(name: str) -> str:
    near = get_close_matches(name, NAMES, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _start(build: Build, rebuild_all: bool) -> None:
    from zwizard.jobs import supervisor

    supervisor.start(build, *(["rebuild-all"] if rebuild_all else []))


def run(recipe: Path | None) -> int:
    """The wizard, until the user leaves; with the answers of ``recipe``, if one is named."""
    terminal.keep_alt_digits()
    app = ZwizardApp(recipe, driver=linux_console.driver())
    app.force_exit = terminal.exit_soon
    try:
        app.run()
    finally:
        with contextlib.suppress(OSError):  # the terminal may be gone
            sys.stderr.write(app.terminal_title.ending)
            sys.stderr.flush()
    if app.return_code == 1:  # an exception of its own, shown above this
        sys.stderr.write("\nzwizard failed. Your draft is kept, and builds keep running.\n")
    return app.return_code or 0
