"""What all screens share: the keys at the bottom, and a notice in a terminal that is too small."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, cast

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Container
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Static

from zwizard.tui.background import BackgroundWork
from zwizard.tui.base_app import BaseApp
from zwizard.tui.widgets.keys import Keys, Remappable

T = TypeVar("T")
LEAST = (60, 18)


@dataclass(frozen=True)
class ScreenEntry:
    """A screen that opens from anywhere: from the palette, and with ``key`` if there is one.

    ``text`` says what it shows; ``make`` gives a new one.
    """

    name: str
    title: str
    text: str
    make: Callable[[BaseApp], Screen[None]]
    key: str = ""


class BaseScreen(Remappable, BackgroundWork, Screen[T]):
    """A screen of the wizard: ``content`` gives its widgets, ``HELP`` says what it is for.

    ``TOPIC`` is the page of the manual about it.
    """

    HELP = ""
    TOPIC = "wizard"

    def compose(self) -> ComposeResult:
        self._name_size()
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

    def _name_size(self) -> None:
        """Name the size of the terminal before there are widgets: each is styled only once."""
        for length, breakpoints in (
            (self.app.size.width, self.app.HORIZONTAL_BREAKPOINTS),
            (self.app.size.height, self.app.VERTICAL_BREAKPOINTS),
        ):
            reached = [name for least, name in breakpoints or () if length >= least]
            self.add_class(reached[-1], update=False)

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

    @on(events.ScreenResume)
    def _keep_styles(self, event: events.ScreenResume) -> None:
        event.refresh_styles = False  # a new screen has its styles; themes reach those below

    def on_screen_resume(self) -> None:
        self._show_keys(True)
        for timer in self._timers_on_top:
            timer.resume()

    def _show_keys(self, visible: bool) -> None:
        for keys in self.query(Keys):
            keys.visible = visible

    def explanation(self) -> str:
        """The help on this screen and on what has the focus."""
        focused = getattr(self.focused, "HELP", None)
        return f"{self.HELP}\n\n{focused}" if focused else self.HELP

    @property
    def wizard(self) -> BaseApp:
        """The app, as screens may use it."""
        return cast("BaseApp", self.app)
