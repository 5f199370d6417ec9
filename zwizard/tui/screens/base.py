"""What all screens share: the keys at the bottom, and a notice in a terminal that is too small."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar, cast

from textual.app import ComposeResult
from textual.containers import Container
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Static

from zwizard.boottest.request import BootTest, BootTestRequest
from zwizard.engine.builds import Build
from zwizard.recipe.model import Recipe
from zwizard.tui.navigation import Navigation
from zwizard.tui.preferences import Preferences
from zwizard.tui.widgets.keys import Keys, Remappable
from zwizard.wizard.review import HostState
from zwizard.wizard.suggestion_service import SuggestionService

T = TypeVar("T")
LEAST = (60, 18)


class Wizard(Protocol):
    """What a screen may ask of the app; only the app imports all screens."""

    clock: Callable[[], float]
    suggestion_service: SuggestionService
    preferences: Preferences

    async def host(self) -> HostState:
        """The state of this host; inspected once."""

    def forget_host(self) -> None:
        """Inspect the host again: something was installed."""

    def collect_garbage_soon(self) -> None:
        """Collect garbage soon after a change, so that it does not hold up a key later."""

    def show_error(self, error: Exception) -> None:
        """Show what went wrong and what to do about it."""

    def run_in_terminal(self, work: Callable[[], object]) -> bool:
        """Run ``work`` in the terminal outside the app; whether it succeeded."""

    async def authorise(self) -> bool:
        """Ask for the sudo password if builds need it; False if sudo refused."""

    def continue_draft(self) -> None:
        """Show the page that the draft has reached."""

    def show_page(self, navigation: Navigation, page: str, key: str = "") -> None:
        """Show a page of questions, at the question ``key``."""

    def show_review(self, navigation: Navigation) -> None:
        """Show the review."""

    def show_build(self, build: Build) -> None:
        """Show a build's steps and log."""

    def show_report(self, build: Build) -> None:
        """Show the checklist of a build."""

    def show_check(self, path: Path) -> None:
        """Check any file or directory, and show the checklist."""

    def show_boot_test(self, path: Path, disk_size: int | None = None) -> None:
        """Boot a file or directory as Zero-OS would; ``disk_size`` (bytes) is an image's disk."""

    async def boot_test(self, request: BootTestRequest, *, again: bool) -> BootTest | None:
        """The boot test of the artefact, or a new one (``again``); None if sudo refused."""

    async def start_build(self, build: Build, *, rebuild_all: bool = False) -> bool:
        """Start or resume a build; whether it runs. Errors are shown."""

    async def use_recipe(self, recipe: Recipe) -> Navigation | None:
        """Make ``recipe`` the draft; None if the user keeps the unfinished one."""

    def leave_draft(self) -> None:
        """Go home; the draft is kept."""

    def open_recipe(self) -> object:
        """Ask for a recipe's file, and open it."""

    def save_recipe(self, navigation: Navigation) -> object:
        """Ask for a file, and save the draft as a recipe."""


@dataclass(frozen=True)
class ScreenEntry:
    """A screen that opens from anywhere: from the palette, and with ``key`` if there is one.

    ``text`` says what it shows; ``make`` gives a new one.
    """

    name: str
    title: str
    text: str
    make: Callable[[Wizard], Screen[None]]
    key: str = ""


class BaseScreen(Remappable, Screen[T]):
    """A screen of the wizard: ``content`` gives its widgets, ``HELP`` says what it is for.

    ``TOPIC`` is the page of the manual about it.
    """

    HELP = ""
    TOPIC = "wizard"

    def compose(self) -> ComposeResult:
        """The content, the keys, and the notice shown instead where they do not fit."""
        yield Static(
            f"zwizard needs {LEAST[0]}×{LEAST[1]} characters to show anything useful."
            " Make the terminal larger; nothing is lost.",
            id="too-small",
            markup=False,
        )
        with Container(id="frame"):
            yield from self.content()
            yield Keys()

    def content(self) -> ComposeResult:
        """What this screen shows."""
        raise NotImplementedError

    def every(self, seconds: float, look: Callable[[], object]) -> None:
        """Call ``look`` regularly while this screen is on top.

        When a screen below changes, Textual paints the whole of the one on top.
        """
        self._timers_on_top = (*self._timers_on_top, self.set_interval(seconds, look))

    _timers_on_top: tuple[Timer, ...] = ()

    def on_screen_suspend(self) -> None:
        """Stop updating, and hide the keys: another screen is on top."""
        self._show_keys(False)
        for timer in self._timers_on_top:
            timer.pause()

    def on_screen_resume(self) -> None:
        """Update again, and show the keys."""
        self._show_keys(True)
        for timer in self._timers_on_top:
            timer.resume()

    def _show_keys(self, visible: bool) -> None:
        for keys in self.query(Keys):
            keys.visible = visible

    @property
    def wizard(self) -> Wizard:
        """The app, as screens may use it."""
        return cast("Wizard", self.app)
