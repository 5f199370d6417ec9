"""Small screens on top of others: a choice, a path, a text, the help."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static

from zwizard.tui.show import block, plain
from zwizard.tui.widgets.rows import Row, Rows


@dataclass(frozen=True)
class Option:
    """One way to answer a dialog: a key, and what it does."""

    key: str
    text: str


class Ask(ModalScreen[str]):
    """A question with a few answers; the first is the harmless one. Gives the key, "" for Esc."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Back")]

    def __init__(self, title: str, text: str, options: Sequence[Option]) -> None:
        super().__init__()
        self._title, self._text, self._options = title, text, options

    def compose(self) -> ComposeResult:
        """Title, text, options."""
        with Vertical(classes="dialog"):
            yield Static(plain(self._title), classes="title", markup=False)
            if self._text:
                yield Static(block(self._text), markup=False)
            yield Rows(id="options")
            yield Static("Enter chooses, Esc goes back.", classes="muted", markup=False)

    def on_mount(self) -> None:
        """Offer the options."""
        self.query_one(Rows).show(
            Row(o.key, Content.assemble((o.key, "bold"), "  ", plain(o.text)))
            for o in self._options
        )
        self.query_one(Rows).focus()

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_id or "")

    def on_key(self, event: events.Key) -> None:
        """A letter answers at once."""
        if event.character in {option.key for option in self._options}:
            event.stop()
            self.dismiss(event.character or "")

    def action_leave(self) -> None:
        """Answer nothing."""
        self.dismiss("")


class AskPath(ModalScreen[Path | None]):
    """A path to type. ``check`` says what is wrong with it; ``doubt`` what Enter again accepts."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Back")]

    def __init__(
        self,
        title: str,
        text: str,
        value: str,
        check: Callable[[Path], str],
        doubt: Callable[[Path], str] = lambda _: "",
    ) -> None:
        super().__init__()
        self._title, self._text, self._value = title, text, value
        self._check, self._doubt = check, doubt
        self._doubted: Path | None = None

    def compose(self) -> ComposeResult:
        """Title, text, the path, what is wrong with it."""
        with Vertical(classes="dialog"):
            yield Static(plain(self._title), classes="title", markup=False)
            yield Static(block(self._text), markup=False)
            yield Input(self._value, compact=True, select_on_focus=False)
            yield Static(classes="problem", markup=False)
            yield Static("Enter goes on, Esc goes back.", classes="muted", markup=False)

    @on(Input.Changed)
    def _typed(self) -> None:
        self.query_one(".problem", Static).update("")

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        if not event.value.strip():
            return self._say("✗ a path is needed")
        path = Path(event.value.strip()).expanduser()
        if wrong := self._check(path):
            return self._say(f"✗ {wrong}")
        if (doubt := self._doubt(path)) and self._doubted != path:
            self._doubted = path
            return self._say(f"! {doubt}: Enter again to go on")
        self.dismiss(path)
        return None

    def _say(self, text: str) -> None:
        self.query_one(".problem", Static).update(block(text))

    def action_leave(self) -> None:
        """Name no path."""
        self.dismiss(None)


class Reader(ModalScreen[None]):
    """A text to read, whole: it scrolls and wraps. ``copy`` is what y copies, if anything."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "app.pop_screen", "Back"),
        Binding("y", "copy", "Copy"),
    ]

    def __init__(self, title: str, text: Content, copy: str = "") -> None:
        super().__init__()
        self._title, self._text, self._copy = title, text, copy

    def compose(self) -> ComposeResult:
        """Title, text, keys."""
        with Vertical(classes="dialog tall"):
            yield Static(plain(self._title), classes="title", markup=False)
            with VerticalScroll(id="reader"):
                yield Static(self._text, markup=False)
            copy = "y copies the commands · " if self._copy else ""
            yield Static(
                f"{copy}arrows and Page keys scroll · Esc goes back",
                classes="muted",
                markup=False,
            )

    def on_mount(self) -> None:
        """Let the keys scroll at once."""
        self.query_one("#reader").focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Copying needs something to copy."""
        return action != "copy" or bool(self._copy)

    def action_copy(self) -> None:
        """Hand the commands to the terminal's clipboard."""
        self.app.copy_to_clipboard(self._copy)
        self.app.notify("Copied, if this terminal allows it (OSC 52).", markup=False)


def explain(what: str, keys: Sequence[ActiveBinding], display: Callable[[Binding], str]) -> Reader:
    """Help on what has the focus, and on every key that works now."""
    lines = [block(what), Content(""), Content.styled("Keys", "bold")]
    for active in keys:
        said = active.binding.tooltip or active.binding.description
        lines.append(
            Content.assemble((f"{display(active.binding):<12}", "bold $text-accent"), said)
        )
    lines.append(Content.assemble(("Tab         ", "bold $text-accent"), "the next field or list"))
    return Reader("Help", Content("\n").join(lines))
