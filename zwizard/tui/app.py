"""The wizard as an app: which screen is shown when, and what they all need."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import ClassVar, cast

from textual import work
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.driver import Driver
from textual.notifications import Notify
from textual.screen import Screen

from zwizard import manual
from zwizard.boottest import session
from zwizard.boottest.request import BootTest, BootTestRequest
from zwizard.engine.builds import Build
from zwizard.recipe.model import Recipe
from zwizard.sources.resolve import relocate
from zwizard.tui import linux_console, preferences
from zwizard.tui.background import in_background
from zwizard.tui.format import block, plain
from zwizard.tui.navigation import MOST_PAGES, REVIEW, Navigation
from zwizard.tui.notifications import Notifications, Title
from zwizard.tui.screens.base import LEAST, BaseScreen
from zwizard.tui.screens.boot_test import BootTestScreen
from zwizard.tui.screens.build import BuildScreen
from zwizard.tui.screens.check import CheckScreen
from zwizard.tui.screens.dialogs import Ask, AskPath, Help, Option, Reader, explain
from zwizard.tui.screens.home import HomeScreen
from zwizard.tui.screens.pages import PageScreen
from zwizard.tui.screens.review import ReviewScreen
from zwizard.tui.themes import CONTRAST, THEMES
from zwizard.tui.widgets.keys import NAMES, named, shown
from zwizard.util import paths
from zwizard.util.errors import ZwizardError
from zwizard.wizard import questions
from zwizard.wizard.draft import Draft
from zwizard.wizard.review import HostState, inspect_host
from zwizard.wizard.suggestion_service import SuggestionService

_EVERY = 1.0  # seconds between looks at which builds run
_SETTLED = 0.4  # seconds until what was begun is there


class ZwizardApp(App[None]):
    """The wizard. Screens are views of the answers, the plan and the journal."""

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
            Binding("f1", "explain", "Help", tooltip="Help on what has the focus"),
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
        self.last_resort: Callable[[int], None] = lambda _: None
        self._look = look
        self._recipe = recipe
        self._machine: asyncio.Task[HostState] | None = None
        self._boot_tests: dict[Path, BootTest] = {}  # by artefact; they end with this process
        self._walk: Navigation | None = None
        self._herald = Notifications()
        self.terminal_title = Title(self._send)
        for theme in THEMES:
            self.register_theme(theme)
        self._preferences = preferences.load()
        # Shades of grey are lost where there are sixteen colours.
        few = self.console.color_system == "standard"
        self.theme = self._preferences.theme or (CONTRAST if few else preferences.THEMES[0])

    def get_default_screen(self) -> Screen[None]:
        """Home is below every other screen."""
        return HomeScreen()

    def on_mount(self) -> None:
        """Home; and the recipe's pages, if one was named."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            # Textual leaves these to end the process at once, the terminal unrestored.
            with contextlib.suppress(RuntimeError, ValueError):  # not the main thread (tests)
                loop.add_signal_handler(number, partial(self._ended_by, number))
        self._set_keys()
        self._proclaim()
        self.set_interval(_EVERY, self._proclaim)
        if not self.is_headless:
            # A thread that computes gives way ten times sooner than usual.
            sys.setswitchinterval(0.0005)
            # What is there by now stays: a key need not wait while all of it is looked through.
            self.set_timer(_SETTLED, gc.freeze)
        if self._recipe:
            self.run_worker(self._open(self._recipe))

    def _set_keys(self) -> None:
        """Use the keys that the user prefers; say what in the preferences is ignored."""
        liked = self._preferences
        self.set_keymap({name: key for name, key in liked.keys.items() if name in NAMES})
        unknown = [
            f"{paths.preferences()}: there is no key called {name!r}{_near(name)}"
            for name in liked.keys
            if name not in NAMES
        ]
        for said in (*liked.complaints, *unknown, *_clashes(liked.keys)):
            self.notify(plain(said).plain, severity="warning", timeout=8, markup=False)

    def _ended_by(self, number: signal.Signals) -> None:
        self.last_resort(128 + number)
        self.exit(return_code=128 + number)

    @work(exclusive=True, group="herald")
    async def _proclaim(self) -> None:
        """Tell what the builds do where it is seen from afar: in the title, by a bell."""
        for ended in await in_background(self._herald.look):
            self.bell()
            if not (isinstance(self.screen, BuildScreen) and self.screen.build.id == ended.name):
                self.notify(plain(ended.said).plain, timeout=8, markup=False)
        self.terminal_title.show(self._herald.title)

    def _send(self, sequence: str) -> None:
        if self._driver is not None and not self.is_headless:
            self._driver.write(sequence)

    # --- what screens ask for ---

    def tidy_soon(self) -> None:
        """Collect what a change has left, in a moment: else it is done while a key waits."""
        if not self.is_headless:
            self.set_timer(_SETTLED, gc.collect)

    async def machine(self) -> HostState:
        """What this computer is to a build; found out once, off this thread."""
        if self._machine is None:
            self._machine = asyncio.create_task(in_background(self._look))
        return await asyncio.shield(self._machine)

    def forget_machine(self) -> None:
        """Something was installed: look again."""
        self._machine = None

    def complain(self, error: Exception) -> None:
        """Show what went wrong and what to do about it."""
        hint = getattr(error, "hint", "")
        said = [block(getattr(error, "message", "") or str(error), "$text-error"), block(hint)]
        self.push_screen(Reader("That did not work", Content("\n\n").join(said)))

    def outside(self, work: Callable[[], object]) -> bool:
        """Do ``work`` in the bare terminal, where it can ask and be read; whether it went well."""
        failed: Exception | None = None
        with self.suspend():
            try:
                work()
            except (ZwizardError, OSError, subprocess.SubprocessError) as error:
                failed = error
                _let_read()
        if failed:
            self.complain(failed)
        return failed is None

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

    def walk_on(self) -> None:
        """The pages, where the answers in the draft have got to."""
        walk = Navigation(self._answers())
        page = walk.first_open()
        if page == REVIEW:
            self.review(walk)
        else:
            self.turn_to(walk, page)

    def _answers(self) -> Draft:
        """The answers being given: the draft's, unless the disk could not take the latest."""
        latest = self._walk.answers if self._walk else None
        return latest if latest and latest.unsaved else Draft.open(paths.draft())

    def turn_to(self, walk: Navigation, page: str, key: str = "") -> None:
        """A page of questions."""
        self._walk = walk
        self._on_home(PageScreen(walk, page, key))

    def review(self, walk: Navigation) -> None:
        """The review."""
        self._walk = walk
        self._on_home(ReviewScreen(walk))

    def show_build(self, build: Build) -> None:
        """A build at work, or what became of it."""
        self._coming_from(build)
        self._on_home(BuildScreen(build))

    def show_report(self, build: Build) -> None:
        """The checklist of a build."""
        self._coming_from(build)
        self.push_screen(CheckScreen(build))

    def prove(self, path: Path, disk_size: int | None = None) -> None:
        """Boot a file or directory as Zero-OS would; ``disk_size`` (bytes) is an image's disk."""
        self.push_screen(BootTestScreen(BootTestRequest(path.resolve(), disk_size=disk_size)))

    async def boot_test(self, request: BootTestRequest, *, again: bool) -> BootTest | None:
        """The boot test of the artefact, or a new one (``again``); None if sudo refused."""
        known = self._boot_tests.get(request.artefact)
        if known and (known.running() or not again):
            return known
        machine = await self.machine()
        if machine.privilege.mode == "sudo" and not self.outside(machine.privilege.authorise):
            return None
        started = await in_background(lambda: session.start(request))
        self._boot_tests[request.artefact] = started
        return started

    def check(self, path: Path) -> None:
        """The checklist of any file or directory."""
        self.push_screen(CheckScreen(path))

    async def take(self, recipe: Recipe) -> Navigation | None:
        """The answers of ``recipe`` as the draft; None if the user keeps the ones begun before."""
        answers = self._answers()
        if answers and not answers.are_of(recipe) and not await in_background(answers.is_built):
            chosen = await self.push_screen_wait(
                Ask(
                    "You have answers that were not built yet",
                    f"Opening {recipe.name} takes their place.",
                    (
                        Option("k", "Keep mine"),
                        Option("o", f"Open {recipe.name}, and forget mine"),
                    ),
                )
            )
            if chosen != "o":
                return None
        answers.take(recipe)
        return Navigation(answers)

    async def _open(self, path: Path) -> None:
        try:
            recipe = await in_background(
                lambda: relocate(Recipe.load(path), path.parent, Path.cwd())
            )
        except ZwizardError as error:
            self.complain(error)
            return
        walk = await self.take(recipe)
        if walk:
            self.turn_to(walk, "target")

    async def start_build(self, build: Build, *, rebuild_all: bool = False) -> bool:
        """Start (or resume) a build; whether it runs. What is wrong is shown.

        ``rebuild_all`` ignores cached layers, and takes today's packages.
        """
        machine = await self.machine()
        if machine.privilege.mode == "sudo" and not self.outside(machine.privilege.authorise):
            return False
        try:
            await in_background(lambda: _start(build, rebuild_all))
        except (ZwizardError, OSError) as error:
            self.complain(error)
            return False
        return True

    # --- recipes as files ---

    def leave_answers(self) -> None:
        """Home; the answers are kept."""
        self._coming_from(None)
        self.home()
        if not (self._walk and self._walk.answers.unsaved):
            self.notify("Your answers are kept.", markup=False)

    @work
    async def open_recipe(self) -> None:
        """Ask for a recipe's file, and open it."""
        path = await self.push_screen_wait(
            AskPath(
                "Open a recipe",
                "Its answers take the place of those you are giving.",
                "",
                lambda p: "" if p.is_file() else f"{p} is not a file",
                wanted=lambda p: p.suffix == ".toml",
            )
        )
        if path:
            await self._open(path)

    @work
    async def save_recipe(self, walk: Navigation) -> None:
        """Ask for a file, and save the answers as a recipe."""
        try:
            recipe = questions.to_recipe(walk.answers)
        except ZwizardError as error:
            self.complain(error)
            return
        said = "`zwizard build FILE` builds it, `zwizard new --from FILE` opens it again."
        await self.save(
            f"{recipe.name}.toml",
            "Save the recipe",
            said,
            lambda path: relocate(recipe, Path.cwd(), path.parent).to_toml(),
        )

    async def save(self, name: str, title: str, said: str, text: Callable[[Path], str]) -> None:
        """Ask for a file, and write to it the ``text`` for it."""
        path = await self.push_screen_wait(
            AskPath(title, said, name, _not_writable, lambda p: "it exists" * p.exists())
        )
        if path is None:
            return
        try:
            await in_background(lambda: paths.write_atomically(path, text(path)))
        except (OSError, ZwizardError) as error:
            self.complain(error)
        else:
            self.notify(plain(f"Saved to {path.absolute()}").plain, markup=False)

    # --- keys that work everywhere ---

    def get_key_display(self, binding: Binding) -> str:
        """Keys as keyboards name them."""
        if binding.key_display:
            return binding.key_display
        names = {"escape": "Esc", "enter": "Enter", "tab": "Tab", "slash": "/"}
        name = names.get(binding.key, binding.key)
        return name.upper() if re.fullmatch(r"f\d+", name) else name

    @work
    async def action_leave(self) -> None:
        """Quit; it asks only if the answers cannot be kept."""
        answers = self._walk.answers if self._walk else None
        if answers and answers.unsaved:
            answers.save()
        if answers and answers.unsaved:
            stay = Option("k", "Keep the wizard open: make room, and go on")
            leave = Option("q", "Quit, and lose them")
            said = f"They could not be written: {answers.unsaved}"
            asked = Ask("Your answers would be lost", said, (stay, leave))
            if await self.push_screen_wait(asked) != "q":
                return
        self.exit(return_code=0)

    async def action_quit(self) -> None:
        """The palette's Quit."""
        self.action_leave()

    def action_explain(self) -> None:
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
            wear = partial(self.wear, theme)
            yield SystemCommand(f"Theme: {theme}", f"Look {theme}{now}", wear)
        for topic in manual.topics():
            read = partial(self.read_manual, topic)
            yield SystemCommand(f"Manual: {topic}", "Read this page of the manual", read)
        yield SystemCommand("Keys", "Every key, and where to change it", self.action_keys)
        yield SystemCommand("Quit", "Leave; builds go on", self.action_leave)

    @work
    async def wear(self, theme: str) -> None:
        """Change the theme, now and for later."""
        self.theme = theme
        try:
            await in_background(lambda: preferences.keep_theme(theme))
        except OSError as error:
            said = f"The theme is not kept: {error.strerror or error}"
            self.notify(plain(said).plain, severity="warning", markup=False)

    def action_keys(self) -> None:
        """Every key by its name, and how to change it."""
        how = f'To change a key, write into {paths.preferences()}:\n\n[keys]\n"page.next" = "f9"'
        lines = [block(how), Content("")]
        for name, binding in sorted(NAMES.items()):
            key = self._keymap.get(name, binding.key)
            lines.append(plain(f"{name:<24} {key:<17} {binding.description}"))
        self.push_screen(Reader("Keys", Content("\n").join(lines)))


def _let_read() -> None:
    """Wait for Enter: what went wrong stands on the terminal, which the wizard covers again."""
    sys.stdout.write("\nThat failed. Enter goes back to the wizard. ")
    sys.stdout.flush()
    with contextlib.suppress(OSError, KeyboardInterrupt):
        sys.stdin.readline()


def _clashes(wished: Mapping[str, str]) -> list[str]:
    """Where a key that is wished for one action is another's on the same screen."""
    keys = {name: wished.get(name, binding.key).split(",") for name, binding in NAMES.items()}
    return [
        f"{paths.preferences()}: {key!r} is for {name} now, and no longer for {other}"
        for name in wished
        for other in keys
        if other != name and other.partition(".")[0] == name.partition(".")[0]
        for key in keys.get(name, ())
        if key in keys[other]
    ]


def _near(name: str) -> str:
    near = get_close_matches(name, NAMES, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _not_writable(path: Path) -> str:
    if path.is_dir():
        return f"{path} is a directory: add a file name"
    return "" if path.absolute().parent.is_dir() else f"{path.parent} is not a directory"


def _keep_alt_digits() -> None:
    """Let Alt+1 … Alt+6 arrive as such.

    Textual takes what terminals send for them (Escape and the digit) for characters of an Apple
    keyboard, as one terminal on macOS means it: Alt+1 would type "¡" into the field.
    """
    from textual._ansi_sequences import ANSI_SEQUENCES_KEYS

    table = cast("dict[str, object]", ANSI_SEQUENCES_KEYS)
    for number in range(1, MOST_PAGES + 1):
        table.pop(f"\x1b{number}", None)


def _start(build: Build, rebuild_all: bool) -> None:
    from zwizard.jobs import supervisor

    supervisor.start(build, *(["rebuild-all"] if rebuild_all else []))


def run(recipe: Path | None) -> int:
    """The wizard, until the user leaves; with the answers of ``recipe``, if one is named."""
    _keep_alt_digits()
    app = ZwizardApp(recipe, driver=linux_console.driver())
    app.last_resort = _end_soon
    try:
        app.run()
    finally:
        with contextlib.suppress(OSError):  # the terminal may be gone
            sys.stderr.write(app.terminal_title.ending)
            sys.stderr.flush()
    if app.return_code == 1:  # an exception of its own, shown above this
        sys.stderr.write("\nzwizard failed. Your answers are kept, and builds go on.\n")
    return app.return_code or 0


def _end_soon(status: int) -> None:
    """End this process in two seconds, whatever it is still doing.

    Where the terminal is gone, Textual's writer dies of it, and restoring the terminal waits for
    ever for room in the writer's queue. Nothing is lost: answers and builds are on the disk.
    """
    timer = threading.Timer(2.0, os._exit, (status,))
    timer.daemon = True
    timer.start()
