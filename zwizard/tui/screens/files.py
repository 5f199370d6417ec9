"""Asking for files: to open one, and to save to one."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from os.path import commonprefix
from pathlib import Path
from typing import Any, ClassVar

from textual import events, on, work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, OptionList, Static

from zwizard.tui.background import in_background
from zwizard.tui.format import block, plain
from zwizard.tui.screens.dialogs import HELP_KEY, Dialog, show_error
from zwizard.tui.widgets.inputs import OrderedInput
from zwizard.tui.widgets.stable_list import Row, StableList
from zwizard.util.errors import ZwizardError


class AskPath(Dialog[Path | None]):
    """A path to type, or to find in the list below it, if there is one.

    ``check`` says what is wrong with a path; ``doubt`` what a second Enter accepts. ``wanted``
    tells which files to list (directories are always), None for no list.
    """

    HELP = (
        "A path, from the directory where the wizard was started; ~ is your home directory. Where"
        " there is a list, ↑ and ↓ choose from it, and Enter takes what is chosen or goes into a"
        " directory; else Enter confirms what is typed."
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
            yield Static(f"{listed}Enter confirms, Esc goes back.", classes="muted", markup=False)

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
        for listed in self.query(StableList):  # none where the dialog was closed meanwhile
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
            return self._say("✗ enter a path")
        try:
            path = Path(event.value.strip()).expanduser()
        except RuntimeError:
            return self._say("✗ this home directory does not exist")
        if wrong := self._check(path):
            return self._say(f"✗ {wrong}")
        if (doubt := self._doubt(path)) and self._doubted != path:
            self._doubted = path
            return self._say(f"! {doubt}: press Enter again to confirm")
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


async def save_file(
    app: App[Any],
    name: str,
    title: str,
    text: str,
    write: Callable[[Path], object],
    check: Callable[[Path], str] | None = None,
) -> None:
    """Ask for a file, ``name`` proposed, and have ``write`` write to it."""
    ask = AskPath(
        title,
        text,
        name,
        check or not_writable,
        lambda path: "the file exists and will be overwritten" if path.exists() else "",
    )
    path = await app.push_screen_wait(ask)
    if path is None:
        return
    try:
        await in_background(lambda: write(path))
    except (OSError, ZwizardError) as error:
        show_error(app, error)
    else:
        app.notify(plain(f"Saved to {path.absolute()}").plain, timeout=8, markup=False)


def not_writable(path: Path) -> str:
    """Why no file can be written at ``path``; "" if one can."""
    if path.is_dir():
        return f"{path} is a directory: add a file name"
    return "" if path.absolute().parent.is_dir() else f"{path.parent} is not a directory"
