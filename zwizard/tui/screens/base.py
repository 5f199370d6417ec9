"""What all screens share: a frame, the keys at the bottom, and a word where there is no room."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar, cast

from textual.app import ComposeResult
from textual.containers import Container
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Static

from zwizard.tui.widgets.keys import Keys, Remappable

if TYPE_CHECKING:
    from zwizard.tui.app import ZwizardApp

T = TypeVar("T")
LEAST = (60, 18)


class BaseScreen(Remappable, Screen[T]):
    """A screen of the wizard: ``content`` gives its widgets, ``HELP`` says what it is for.

    ``TOPIC`` is the page of the manual about it.
    """

    HELP = ""
    TOPIC = "wizard"

    def compose(self) -> ComposeResult:
        """The content, the keys, and what is said instead where they do not fit."""
        yield Static(
            f"zwizard needs {LEAST[0]}×{LEAST[1]} characters to show anything useful."
            " Make the terminal larger; nothing is lost meanwhile.",
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
        """Call ``look`` regularly while this screen is the one on top.

        One below that changes makes Textual paint the whole of the one on top.
        """
        self._looks = (*self._looks, self.set_interval(seconds, look))

    _looks: tuple[Timer, ...] = ()

    def on_screen_suspend(self) -> None:
        """Another screen is on top, and its keys are those that work."""
        self._offer_keys(False)
        for timer in self._looks:
            timer.pause()

    def on_screen_resume(self) -> None:
        """On top again."""
        self._offer_keys(True)
        for timer in self._looks:
            timer.resume()

    def _offer_keys(self, offered: bool) -> None:
        for keys in self.query(Keys):
            keys.visible = offered

    @property
    def zwizard(self) -> ZwizardApp:
        """The app, by its own type."""
        return cast("ZwizardApp", self.app)
