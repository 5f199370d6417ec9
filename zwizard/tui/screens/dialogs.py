"""Small screens on top of others: a choice, a path, a text, the help."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from os.path import commonprefix
from pathlib import Path
from typing import ClassVar, TypeVar

from textual import events, on, work
from textual.app import App, ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static

from zwizard.tui.background import in_background
from zwizard.tui.format import block, plain
from zwizard.tui.widgets.inputs import OrderedInput
from zwizard.tui.widgets.keys import Keys
from zwizard.tui.widgets.stable_list import Row, StableList
from zwizard.util import paths

T = TypeVar("T")


@dataclass(frozen=True)
class Option:
    """One way to answer a dialog: a key, and what it does."""

    key: str
    text: str


HELP_KEY = Binding("f1", "app.explain", "Help", id="app.explain")  # the app's own ends at a dialog


class Dialog(ModalScreen[T]):
    """A screen on top of another, with its own keys at the bottom."""

    HELP = ""

    def compose(self) -> ComposeResult:
        """The content and the keys."""
        yield from self.content()
        yield Keys()

    def content(self) -> ComposeResult:
        """What this dialog shows."""
        raise NotImplementedError


class Ask(Dialog[str]):
    """A question with a few answers; the first is the harmless one. Gives the key, "" for Esc."""

    HELP = "A question before something is done. Esc does nothing of it."

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Back"), HELP_KEY]

    def __init__(self, title: str, text: str, options: Sequence[Option]) -> None:
        super().__init__()
        self._title, self._text, self._options = title, text, options

    def content(self) -> ComposeResult:
        """Title, text, options."""
        with Vertical(classes="dialog"):
            yield Static(plain(self._title), classes="title", markup=False)
            if self._text:
                with VerticalScroll(id="asked"):
                    yield Static(block(self._text), markup=False)
            yield StableList(id="options")
            yield Static("Enter chooses, Esc goes back.", classes="muted", markup=False)

    def on_mount(self) -> None:
        """Offer the options; a text that does not fit can be scrolled."""
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
                said = "Enter chooses, Esc goes back, Tab goes to the text to scroll it."
                self.query_one(".muted", Static).update(said)

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


class AskPath(Dialog[Path | None]):
    """A path to type, or to find in the list below it, if there is one.

    ``check`` says what is wrong with a path; ``doubt`` what a second Enter accepts. ``wanted``
    tells which files to list (directories are always), None for no list.
    """

    HELP = (
        "A path, from the directory where the wizard was started; ~ is your home directory. Where"
        " there is a list, ↑ and ↓ choose from it, and Enter takes what is chosen or goes into a"
        " directory; else Enter goes on with what is typed."
    )

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back"),
        Binding("tab", "complete", "Complete", priority=True),
        HELP_KEY,
    ]

    def __init__(
        self,
        title: str,
        text: str,
        value: str,
        check: Callable[[Path], str],
        doubt: Callable[[Path], str] = lambda _: "",
        wanted: Callable[[Path], bool] | None = None,
    ) -> None:
        super().__init__()
        self._title, self._text, self._value = title, text, value
        self._check, self._doubt, self._wanted = check, doubt, wanted
        self._doubted: Path | None = None

    def content(self) -> ComposeResult:
        """Title, text, the path, what is wrong with it, what there is."""
        with Vertical(classes="dialog"):
            yield Static(plain(self._title), classes="title", markup=False)
            yield Static(block(self._text), markup=False)
            yield OrderedInput(self._value, compact=True, select_on_focus=False)
            yield Static(classes="problem", markup=False)
            if self._wanted:
                yield StableList(id="entries")
            listed = "↓ chooses from the list, Tab completes, " if self._wanted else ""
            yield Static(f"{listed}Enter goes on, Esc goes back.", classes="muted", markup=False)

    def on_mount(self) -> None:
        """List what is here."""
        if self._wanted:
            self.query_one(StableList).can_focus = False
            self._list()

    @on(Input.Changed)
    def _typed(self) -> None:
        self._say("")
        self._list()

    @work(exclusive=True, group="look")
    async def _list(self) -> None:
        if not self._wanted:
            return
        typed, wanted = self.query_one(Input).value, self._wanted
        names = await in_background(lambda: _entries(typed, wanted))
        listed = self.query_one(StableList)
        listed.show(Row(name, plain(name)) for name in names)
        listed.highlighted = None
        listed.display = bool(names)

    def on_key(self, event: events.Key) -> None:
        """The arrows choose from the list while one types."""
        if self._wanted and event.key in {"up", "down"}:
            event.stop()
            listed = self.query_one(StableList)
            listed.action_cursor_down() if event.key == "down" else listed.action_cursor_up()

    @on(OptionList.OptionSelected)
    def _clicked(self) -> None:
        self.action_complete()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Completing needs a list."""
        return action != "complete" or bool(self._wanted)

    def action_complete(self) -> None:
        """Take the highlighted entry into the path, or what all that are listed begin with."""
        found = self.query("#entries").results(StableList)
        listed = next(iter(found), None)
        if listed is None:
            return
        name, line = listed.current, self.query_one(Input)
        place = line.value.rfind("/") + 1
        if not name and listed.option_count < _MOST_ENTRIES:
            name = commonprefix([row.id or "" for row in listed.options])  # noqa: RUF071 - of names
            if not name.startswith(line.value[place:]):
                return  # the list is of what was typed before
        if name:
            line.value = line.value[:place] + name
            line.cursor_position = len(line.value)

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        if self._wanted and self.query_one(StableList).current:
            self.action_complete()
            event.value = self.query_one(Input).value
            if event.value.endswith("/"):
                return None
        if not event.value.strip():
            return self._say("✗ a path is needed")
        try:
            path = Path(event.value.strip()).expanduser()
        except RuntimeError:
            return self._say("✗ there is no such home directory")
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


_MOST_ENTRIES = 200


def _entries(typed: str, wanted: Callable[[Path], bool]) -> list[str]:
    """What the directory named so far has that begins as the rest; directories end in "/"."""
    directory, _, begun = typed.rpartition("/")
    try:
        place = Path(directory + "/" if "/" in typed else ".").expanduser()
        found = sorted(place.iterdir(), key=lambda path: (not path.is_dir(), path.name))
    except (OSError, RuntimeError):
        return []
    fitting = (
        f"{path.name}/" if path.is_dir() else path.name
        for path in found
        if path.name.startswith(begun)
        and (begun or not path.name.startswith("."))
        and (path.is_dir() or wanted(path))
        and path.name.isprintable()
    )
    return list(islice(fitting, _MOST_ENTRIES))


class Reader(Dialog[None]):
    """A text to read, whole: it scrolls and wraps. ``copy`` is what y copies, if anything."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "app.pop_screen", "Back"),
        Binding("y", "copy", "Copy"),
    ]

    def __init__(self, title: str, text: Content, copy: str = "") -> None:
        super().__init__()
        self._title, self._text, self._copy = title, text, copy

    def content(self) -> ComposeResult:
        """Title, text, keys."""
        with Vertical(classes="dialog tall"):
            yield Static(plain(self._title), classes="title", markup=False)
            with VerticalScroll(id="reader"):
                yield Static(self._text, markup=False)
            copy = "y copies · " if self._copy else ""
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
        """Hand the commands to the terminal's clipboard, and to a file."""
        copy(self.app, self._copy)


class Help(Reader):
    """What the screen below is for, and its keys; F1 opens the page of the manual on ``topic``."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1", "app.explain", "Manual", id="app.explain"),
    ]

    def __init__(self, text: Content, topic: str) -> None:
        super().__init__("Help", text)
        self.topic = topic


def copy(app: App[object], text: str) -> None:
    """Hand ``text`` to the terminal's clipboard; as it may not listen, save it to a file too."""

    async def keep() -> None:
        path = paths.state() / "copied.txt"
        said = "Copied, if this terminal allows it (OSC 52)"
        try:
            await in_background(lambda: paths.write_atomically(path, text))
        except OSError:
            app.notify(f"{said}.", markup=False)
        else:
            app.notify(plain(f"{said}; also saved to {path}").plain, markup=False)

    app.copy_to_clipboard(text)
    app.run_worker(keep(), group="copy")


def explain(
    what: str, keys: Sequence[ActiveBinding], display: Callable[[Binding], str], topic: str
) -> Help:
    """Help on what has the focus, and on every key that works now; ``topic`` of the manual."""
    lines = [block(what), Content(""), Content.styled("Keys", "bold")]
    for active in keys:
        said = active.binding.tooltip or active.binding.description
        lines.append(
            Content.assemble((f"{display(active.binding):<12}", "bold $text-accent"), said)
        )
    known = {active.binding.key for active in keys}
    lines += [
        Content.assemble((f"{key:<12}", "bold $text-accent"), said)
        for key, said in (
            ("Tab", "the next field or list"),
            ("Ctrl+P", "everything that can be done now, by searching; themes; all keys"),
            ("Ctrl+Q", "quit; builds go on"),
        )
        if key.lower() not in known
    ]
    return Help(Content("\n").join(lines), topic)
