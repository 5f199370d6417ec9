"""The wizard as an app: which screen is shown when, and what they all need."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import ClassVar, cast

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen

from zwizard import paths, questions
from zwizard.answers import Answers
from zwizard.engine.builds import Build
from zwizard.engine.outlook import Machine, look_around
from zwizard.errors import ZwizardError
from zwizard.recipe import Recipe
from zwizard.tui.background import in_background
from zwizard.tui.screens.base import LEAST
from zwizard.tui.screens.building import Building
from zwizard.tui.screens.checking import Checking
from zwizard.tui.screens.dialogs import Ask, Option, Reader, explain
from zwizard.tui.screens.home import Home
from zwizard.tui.screens.pages import Pages
from zwizard.tui.screens.review import Review
from zwizard.tui.show import block
from zwizard.tui.walk import NAMES, REVIEW, Walk, settled
from zwizard.tui.widgets.keys import shown


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
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1", "explain", "Help", tooltip="Help on what has the focus"),
        Binding("ctrl+q", "leave", "Quit", show=False, priority=True),
    ]

    def __init__(
        self,
        recipe: Path | None = None,
        *,
        clock: Callable[[], float] = time.time,
        look: Callable[[], Machine] = look_around,
    ) -> None:
        super().__init__()
        self.clock = clock
        self.last_resort: Callable[[int], None] = lambda _: None
        self._look = look
        self._recipe = recipe
        self._machine: asyncio.Task[Machine] | None = None

    def on_mount(self) -> None:
        """Home; and the recipe's pages, if one was named."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            # Textual leaves these to end the process at once, the terminal unrestored.
            with contextlib.suppress(RuntimeError, ValueError):  # not the main thread (tests)
                loop.add_signal_handler(number, partial(self._ended_by, number))
        self.push_screen(Home())
        if self._recipe:
            self.run_worker(self._open(self._recipe))

    def _ended_by(self, number: signal.Signals) -> None:
        self.last_resort(128 + number)
        self.exit(return_code=128 + number)

    # --- what screens ask for ---

    async def machine(self) -> Machine:
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

    def outside(self, work: Callable[[], None]) -> bool:
        """Do ``work`` in the bare terminal, where it can ask and be read; whether it went well."""
        try:
            with self.suspend():
                work()
        except (ZwizardError, OSError, subprocess.SubprocessError) as error:
            self.complain(error)
            return False
        return True

    # --- from screen to screen ---

    def home(self) -> None:
        """Leave everything on top of home."""
        while len(self.screen_stack) > 2:
            self.pop_screen()

    def _on_home(self, screen: Screen[None]) -> None:
        self.home()
        self.push_screen(screen)

    def walk_on(self) -> None:
        """The pages, where the answers in the draft have got to."""
        walk = Walk(Answers.open(paths.draft()))
        page = walk.first_open()
        if page == REVIEW:
            self.review(walk)
        else:
            self.turn_to(walk, page)

    def turn_to(self, walk: Walk, page: str, key: str = "") -> None:
        """A page of questions."""
        self._on_home(Pages(walk, page, key))

    def review(self, walk: Walk) -> None:
        """The review."""
        self._on_home(Review(walk))

    def show_build(self, build: Build) -> None:
        """A build at work, or what became of it."""
        self._on_home(Building(build))

    def show_report(self, build: Build) -> None:
        """The checklist of a build."""
        self.push_screen(Checking(build))

    def check(self, path: Path) -> None:
        """The checklist of any file or directory."""
        self.push_screen(Checking(path))

    async def take(self, recipe: Recipe) -> Walk | None:
        """The answers of ``recipe`` as the draft; None if the user keeps the ones begun before."""
        answers = Answers.open(paths.draft())
        if len(answers) and dict(answers) != questions.from_recipe(recipe):
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
        return Walk(answers)

    async def _open(self, path: Path) -> None:
        try:
            recipe = await in_background(lambda: settled(Recipe.load(path), path.parent))
        except ZwizardError as error:
            self.complain(error)
            return
        walk = await self.take(recipe)
        if walk:
            self.turn_to(walk, "target")

    async def start_build(self, build: Build) -> bool:
        """Start (or resume) a build; whether it runs. What is wrong is shown."""
        machine = await self.machine()
        if machine.privilege.mode == "sudo" and not self.outside(machine.privilege.authorise):
            return False
        try:
            await in_background(lambda: _start(build))
        except (ZwizardError, OSError) as error:
            self.complain(error)
            return False
        return True

    # --- keys that work everywhere ---

    def get_key_display(self, binding: Binding) -> str:
        """Keys as keyboards name them."""
        if binding.key_display:
            return binding.key_display
        names = {"escape": "Esc", "enter": "Enter", "tab": "Tab", "slash": "/"}
        name = names.get(binding.key, binding.key)
        return name.upper() if re.fullmatch(r"f\d+", name) else name

    def action_leave(self) -> None:
        """Quit. Nothing is ever lost, so nothing is asked."""
        self.exit(return_code=0)

    async def action_quit(self) -> None:
        """The palette's Quit."""
        self.action_leave()

    def action_explain(self) -> None:
        """Help on what has the focus, and the keys that work now."""
        screen = self.screen
        if isinstance(screen, Reader):
            return
        said = getattr(screen, "HELP", "") or ""
        if isinstance(screen, Pages):
            said = screen.explanation()
        elif focused := getattr(screen.focused, "HELP", None):
            said = f"{said}\n\n{focused}"
        self.push_screen(explain(said.strip(), shown(screen), self.get_key_display))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """What the palette offers: the keys that work here, then theme and quit."""
        for active in shown(screen):
            binding = active.binding
            press = partial(self.call_later, self.run_action, binding.action, active.node)
            key = self.get_key_display(binding)
            said = f"{binding.tooltip or binding.description}  ({key})"
            yield SystemCommand(binding.description, said, press)
        yield SystemCommand("Theme", "Change how zwizard looks", self.action_change_theme)
        yield SystemCommand("Quit", "Leave; builds go on", self.action_leave)


def _keep_alt_digits() -> None:
    """Let Alt+1 … Alt+6 arrive as such.

    Textual takes what terminals send for them (Escape and the digit) for characters of an Apple
    keyboard, as one terminal on macOS means it: Alt+1 would type "¡" into the field.
    """
    from textual._ansi_sequences import ANSI_SEQUENCES_KEYS

    table = cast("dict[str, object]", ANSI_SEQUENCES_KEYS)
    for number in range(1, len(NAMES) + 1):
        table.pop(f"\x1b{number}", None)


def _start(build: Build) -> None:
    from zwizard.engine import runner  # it brings the checklist along: not before it is needed

    runner.start(build)


def run(recipe: Path | None) -> int:
    """The wizard, until the user leaves; with the answers of ``recipe``, if one is named."""
    _keep_alt_digits()
    app = ZwizardApp(recipe)
    app.last_resort = _end_soon
    app.run()
    return app.return_code or 0


def _end_soon(status: int) -> None:
    """End this process in two seconds, whatever it is still doing.

    Where the terminal is gone, Textual's writer dies of it, and restoring the terminal waits for
    ever for room in the writer's queue. Nothing is lost: answers and builds are on the disk.
    """
    timer = threading.Timer(2.0, os._exit, (status,))
    timer.daemon = True
    timer.start()
