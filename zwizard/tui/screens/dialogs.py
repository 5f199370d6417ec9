"""Dialogs on top of a screen: a question, a text to read, the help."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, ClassVar, ParamSpec, TypeVar

from textual import events, on
from textual.app import App, ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.dom import DOMNode
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static

from zwizard.tui.background import BackgroundWork, in_background
from zwizard.tui.format import block, plain
from zwizard.tui.widgets.keys import Keys
from zwizard.tui.widgets.stable_list import Row, StableList
from zwizard.util import paths
from zwizard.util.errors import ZwizardError
from zwizard.util.places import explained

T = TypeVar("T")
P = ParamSpec("P")
Action = Coroutine[Any, Any, None]


@dataclass(frozen=True)
class Option:
    """One way to answer a dialog: a key, and what it does."""

    key: str
    text: str


# The app's own does not reach a dialog.
HELP_KEY = Binding("f1,question_mark", "app.help", "Help", id="app.help")


class Dialog(BackgroundWork, ModalScreen[T | None]):
    """A screen on top of another: title, content, a line on its keys. Esc returns None."""

    HELP = ""
    TALL = False
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Back")]

    def __init__(self, title: str, keys: str) -> None:
        super().__init__()
        self._title, self._keys_text = title, keys

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog tall" if self.TALL else "dialog") as dialog:
            dialog.border_title = plain(self._title)
            yield from self.content()
            yield Static(self._keys_text, classes="muted", markup=False)
        yield Keys()

    def content(self) -> ComposeResult:
        """What this dialog shows."""
        raise NotImplementedError

    was_focused = False  # keys are for this dialog from then on

    def on_descendant_focus(self) -> None:
        self.was_focused = True

    def action_leave(self) -> None:
        self.dismiss(None)


class Ask(Dialog[str]):
    """A question with a few options, the harmless one first. Returns the key of one."""

    HELP = "Choose with the arrows and Enter, or press the option's key. Esc cancels."

    BINDINGS: ClassVar[list[BindingType]] = [HELP_KEY]

    def __init__(self, title: str, text: str, options: Sequence[Option]) -> None:
        super().__init__(title, "Enter chooses, Esc goes back.")
        self._text, self._options = text, options

    def content(self) -> ComposeResult:
        if self._text:
            with VerticalScroll(id="asked"):
                yield Static(block(self._text), markup=False)
        yield StableList(id="options")

    def on_mount(self) -> None:
        """Show the options; a text that does not fit can be scrolled."""
        self.call_after_refresh(self._fit)
        self.query_one(StableList).show(
            Row(o.key, Content.assemble((o.key, "bold"), "  ", plain(o.text)))
            for o in self._options
        )
        self.query_one(StableList).focus()

    def _fit(self) -> None:
        for text in self.query("#asked").results(VerticalScroll):
            text.can_focus = text.max_scroll_y > 0
            if text.can_focus:
                keys = "Enter chooses, Esc goes back, Tab goes to the text to scroll it."
                self.query_one(".muted", Static).update(keys)

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_id)

    def on_key(self, event: events.Key) -> None:
        if event.character in {option.key for option in self._options}:
            event.stop()
            self.dismiss(event.character)


class Reader(Dialog[None]):
    """A text to read; it scrolls and wraps. ``copy`` is what y copies, if anything."""

    TALL = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,enter", "leave", "Back", show=False),
        Binding("y", "copy", "Copy"),
    ]

    def __init__(self, title: str, text: Content, copy: str = "") -> None:
        keys = "arrows and Page keys scroll · Esc goes back"
        super().__init__(title, f"y copies · {keys}" if copy else keys)
        self._text, self._copy = text, copy

    def content(self) -> ComposeResult:
        with VerticalScroll(id="reader"):
            yield Static(self._text, markup=False)

    def on_mount(self) -> None:
        self.query_one("#reader").focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        return action != "copy" or bool(self._copy)

    def action_copy(self) -> None:
        copy(self.app, self._copy)


class Help(Reader):
    """What the screen below is for, and its keys; F1 opens the page of the manual on ``topic``."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1", "app.help", "Manual", id="app.help"),
    ]

    def __init__(self, text: Content, topic: str) -> None:
        super().__init__("Help", text)
        self.topic = topic


def move(listed: StableList, event: events.Key) -> None:
    """Let the arrow and Page keys move through a list while the user types above it."""
    moves = {
        "up": "cursor_up",
        "down": "cursor_down",
        "pageup": "page_up",
        "pagedown": "page_down",
    }
    if action := moves.get(event.key):
        event.stop()
        getattr(listed, f"action_{action}")()


def show_error(app: App[Any], error: ZwizardError | OSError) -> None:
    """Show what went wrong and what to do about it."""
    reason = explained(error)
    message = block(reason.message, "$text-error")
    app.push_screen(Reader("Error", Content("\n\n").join([message, block(reason.hint)])))


def shows_errors(action: Callable[P, Action]) -> Callable[P, Action]:
    """A method of an app or a screen that shows its errors in a dialog."""

    @wraps(action)
    async def run(*args: P.args, **options: P.kwargs) -> None:
        try:
            await action(*args, **options)
        except (ZwizardError, OSError) as error:
            assert isinstance(args[0], DOMNode)
            show_error(args[0].app, error)

    return run


async def confirm_stop(app: App[Any], question: str, text: str) -> bool:
    """Ask whether to stop a running job; the first option keeps it running."""
    options = (Option("l", "Let it run"), Option("s", "Stop it"))
    return await app.push_screen_wait(Ask(question, text, options)) == "s"


def copy(app: App[Any], text: str) -> None:
    """Copy ``text`` to the terminal's clipboard, and to a file: not every terminal allows it."""

    async def save() -> None:
        path = paths.state() / "copied.txt"
        message = "Copied, if your terminal allows it (OSC 52)"
        try:
            await in_background(lambda: paths.write_atomically(path, text))
        except OSError:
            app.notify(f"{message}.")
        else:
            app.notify(f"{message}; also saved to {path}")

    app.copy_to_clipboard(text)
    app.run_worker(save(), group="copy")


def explain(
    text: str, keys: Sequence[ActiveBinding], display: Callable[[Binding], str], topic: str
) -> Help:
    """Help on what has the focus, and on every key that works now; ``topic`` of the manual."""
    effects = {
        display(active.binding): active.binding.tooltip or active.binding.description
        for active in keys
    }
    effects.setdefault("Tab", "the next field or list")
    effects |= {
        "Ctrl+P": "search all commands, themes and keys",
        "Ctrl+Q": "quit; builds keep running",
    }
    lines = [block(text), Content(""), Content.styled("Keys", "bold")]
    lines += [
        Content.assemble((f"{key:<12}", "bold $text-accent"), effect)
        for key, effect in effects.items()
    ]
    return Help(Content("\n").join(lines), topic)
