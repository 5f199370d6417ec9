"""The wizard as an app: which screen is shown when, and what all screens need."""

import asyncio
import contextlib
import gc
import re
import signal
import sys
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

from textual import work
from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.events import Event, Key
from textual.notifications import Notify
from textual.screen import Screen

from zwizard import manual
from zwizard.boottest.request import BootTestRequest
from zwizard.engine.builds import Build
from zwizard.tui import linux_console, preferences, terminal
from zwizard.tui.background import in_background
from zwizard.tui.base_app import BaseApp
from zwizard.tui.format import block
from zwizard.tui.navigation import REVIEW, Navigation
from zwizard.tui.notifications import Notifications, Title
from zwizard.tui.pending import PendingActions
from zwizard.tui.screens import keys
from zwizard.tui.screens.base import LEAST, BaseScreen, ScreenEntry
from zwizard.tui.screens.dialogs import Help, Reader, explain
from zwizard.tui.screens.home import HomeScreen
from zwizard.tui.themes import CONTRAST, THEMES
from zwizard.tui.widgets.keys import NAMES, named, shown
from zwizard.util import paths

_EVERY = 1.0  # seconds between looks at which builds run
_SETTLED = 0.4  # seconds until a change is drawn

# The screens that open from anywhere: each is a module with its ENTRY, listed here.
SCREENS: list[ScreenEntry] = [keys.ENTRY]


class ZwizardApp(BaseApp):
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
            Binding("f1,question_mark", "help", "Help", tooltip="Help on what has the focus"),
            Binding("ctrl+q", "leave", "Quit", show=False, priority=True),
        ],
    )

    def __init__(self, recipe: Path | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.force_exit: Callable[[int], None] = lambda _: None
        self._recipe = recipe
        self._build_notifications = Notifications()
        self.terminal_title = Title(self._send)
        self._pending_actions = PendingActions(self)
        for theme in THEMES:
            self.register_theme(theme)
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
            self.set_timer(_SETTLED, self._load_screens)
        if self._recipe:
            self.run_worker(self._open(self._recipe))

    @work
    async def _load_screens(self) -> None:
        """Import the other screens, so that each opens at once."""
        await in_background(_import_screens)
        # The objects made so far stay: the garbage collector need not visit them again.
        gc.freeze()

    def _set_keys(self) -> None:
        """Use the keys of the preferences; show what in the preferences is ignored."""
        keys = self.preferences.keys
        self.set_keymap({name: key for name, key in keys.items() if name in NAMES})
        complaints = [*self.preferences.complaints, *filter(None, [self.draft().damaged])]
        for name in keys.keys() - NAMES.keys():
            near = "".join(f"; did you mean {n!r}?" for n in get_close_matches(name, NAMES, n=1))
            complaints.append(f"{paths.preferences()}: no key is called {name!r}{near}")
        for complaint in complaints:
            self.notify(complaint, severity="warning", timeout=8)

    def _exit_on_signal(self, number: signal.Signals) -> None:
        self.force_exit(128 + number)
        self.exit(return_code=128 + number)

    @work(exclusive=True, group="notifications")
    async def _announce_builds(self) -> None:
        """Show the running builds in the terminal's title; announce the ones that ended."""
        for name, message in (await in_background(self._build_notifications.look)).items():
            self.bell()
            shown = getattr(self.screen, "build", None)
            if shown is None or shown.id != name:
                self.notify(message, timeout=8)
        self.terminal_title.show(self._build_notifications.title)
        self.terminal_title.show_progress(self._build_notifications.percent)

    def _send(self, sequence: str) -> None:
        if self._driver is not None and not self.is_headless:
            self._driver.write(sequence)

    # --- what screens ask for ---

    def collect_garbage_soon(self) -> None:
        """Collect garbage soon after a change, so that it does not hold up a key later."""
        if not self.is_headless:
            self.set_timer(_SETTLED, gc.collect)

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

    # Home appears before the other screens are imported.

    def show_page(self, navigation: Navigation, page: str, key: str = "") -> None:
        """Show a page of questions, at the question ``key``, or the review."""
        from zwizard.tui.screens.pages import PageScreen
        from zwizard.tui.screens.review import ReviewScreen

        self._navigation = navigation
        is_review = page == REVIEW
        self._on_home(ReviewScreen(navigation) if is_review else PageScreen(navigation, page, key))

    def show_build(self, build: Build) -> None:
        """Show a build's steps and log."""
        from zwizard.tui.screens.build import BuildScreen

        self._select_on_home(build)
        self._on_home(BuildScreen(build))

    def show_check(self, subject: Build | Path, *, again: bool = False) -> None:
        """Show the checklist of a build (checked ``again``), or check any file or directory."""
        from zwizard.tui.screens.check import CheckScreen

        if isinstance(subject, Build):
            self._select_on_home(subject)
        self.push_screen(CheckScreen(subject, again=again))

    def show_boot_test(self, path: Path, disk_size: int | None = None) -> None:
        """Boot a file or directory as Zero-OS would; ``disk_size`` (bytes) is an image's disk."""
        from zwizard.tui.screens.boot_test import BootTestScreen

        self.push_screen(BootTestScreen(BootTestRequest(path.resolve(), disk_size=disk_size)))

    def show_upload(self, path: Path) -> None:
        """Upload an archive to a hub."""
        from zwizard.tui.screens.upload import UploadScreen

        self.push_screen(UploadScreen(path.resolve()))

    def leave_draft(self) -> None:
        """Go home; the draft is kept."""
        self._select_on_home(None)
        self.home()
        if not (self._navigation and self._navigation.answers.unsaved):
            self.notify("Your draft is kept.")

    # --- keys that work everywhere ---

    async def on_event(self, event: Event) -> None:
        """Handle a key, unless an action is pending."""
        if not isinstance(event, Key):
            await super().on_event(event)
        elif not self._pending_actions.holds(event):
            before = set(self.workers)
            await super().on_event(event)
            self._pending_actions.started(event, before)

    def get_key_display(self, binding: Binding) -> str:
        """Keys as keyboards name them."""
        if binding.key_display:
            return binding.key_display
        names = {"escape": "Esc", "enter": "Enter", "tab": "Tab", "slash": "/"}
        name = names.get(binding.key, binding.key)
        return name.upper() if re.fullmatch(r"f\d+", name) else name

    async def action_quit(self) -> None:
        self.action_leave()

    def action_help_quit(self) -> None:
        """Say how to quit: people press Ctrl+C for it."""
        self.notify("Press Ctrl+Q to quit. Builds keep running.")

    def action_help(self) -> None:
        screen = self.screen
        if isinstance(screen, Help):
            self.read_manual(screen.topic)
        if isinstance(screen, Reader):
            return
        help_of = (
            screen.explanation if isinstance(screen, BaseScreen) else lambda: screen.HELP or ""
        )
        text = help_of()
        topic = getattr(screen, "TOPIC", BaseScreen.TOPIC)
        self.push_screen(explain(text, shown(screen), self.get_key_display, topic))

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
        yield SystemCommand("Open recipe", "Open a recipe from a file", self.action_open)
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
            self.notify(message, severity="warning")


def _import_screens() -> None:
    for name in ("pages", "review", "build", "check", "boot_test", "upload"):
        import_module(f"zwizard.tui.screens.{name}")


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
