"""Dialogs for files: one that asks for a path, and one that saves."""

from collections.abc import Callable
from itertools import islice
from os.path import commonprefix
from pathlib import Path
from typing import Any, ClassVar

from textual import events, on, work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input, OptionList, Static

from zwizard.tui.background import in_background
from zwizard.tui.format import block, plain
from zwizard.tui.screens.dialogs import HELP_KEY, Dialog, move
from zwizard.tui.widgets.inputs import OrderedInput
from zwizard.tui.widgets.stable_list import Row, StableList
from zwizard.util import user_files


class AskPath(Dialog[Path]):
    """A path to type, or to choose from the list below it.

    ``check`` returns what is wrong with a path, ``doubt`` what a second Enter accepts; "" for
    nothing. ``wanted`` chooses the files to list besides the directories.
    """

    HELP = (
        "A path, from the directory where the wizard was started; ~ is your home directory. ↑"
        " and ↓ choose from the list, and Enter uses the chosen file or opens the chosen"
        " directory; otherwise Enter confirms what you typed."
    )

    BINDINGS: ClassVar[list[BindingType]] = [
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
        wanted: Callable[[Path], bool] = lambda _: False,
    ) -> None:
        keys = "↑ ↓ choose, Tab completes, Enter confirms, Esc goes back."
        super().__init__(title, keys)
        self._text, self._value = text, value
        self._check, self._doubt, self._wanted = check, doubt, wanted
        self._accepted: Path | None = None  # a doubtful path that Enter was pressed for

    def content(self) -> ComposeResult:
        yield Static(block(self._text), markup=False)
        yield OrderedInput(self._value, compact=True, select_on_focus=False)
        yield Static(classes="problem", markup=False)
        yield StableList(id="entries")

    def on_mount(self) -> None:
        self.query_one(StableList).can_focus = False
        self._list()

    @on(Input.Changed)
    def _typed(self) -> None:
        self._show_problem("")
        self._list()

    @work(exclusive=True, group="look")
    async def _list(self) -> None:
        typed, wanted = self.query_one(Input).value, self._wanted
        names = await self.in_background(lambda: _entries(typed, wanted))
        listed = self.query_one(StableList)
        listed.show(Row(name, plain(name)) for name in names)
        listed.highlighted = None
        listed.display = bool(names)

    def on_key(self, event: events.Key) -> None:
        move(self.query_one(StableList), event)

    @on(OptionList.OptionSelected)
    async def _clicked(self) -> None:
        await self._complete()

    def action_complete(self) -> None:
        """Complete the path to the highlighted entry, or as far as all matching entries agree."""
        line = self.query_one(Input)
        line.call_later(self._complete)  # after the keys that were pressed before

    async def _complete(self) -> None:
        line, wanted = self.query_one(Input), self._wanted
        typed, name = line.value, self.query_one(StableList).current
        if not name:
            names = await self.in_background(lambda: _entries(typed, wanted))
            name = commonprefix(names) if len(names) < _MOST_ENTRIES else ""  # noqa: RUF071 - names
        if name and line.value == typed:
            line.value = typed[: typed.rfind("/") + 1] + name
            line.cursor_position = len(line.value)

    @on(Input.Submitted)
    async def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        if self.query_one(StableList).current:
            await self._complete()
            event.value = self.query_one(Input).value
            if event.value.endswith("/"):
                return None
        if not event.value.strip():
            return self._show_problem("✗ enter a path")
        try:
            path = Path(event.value.strip()).expanduser()
        except RuntimeError:
            return self._show_problem("✗ this home directory does not exist")
        if problem := self._check(path):
            return self._show_problem(f"✗ {problem}")
        if (doubt := self._doubt(path)) and self._accepted != path:
            self._accepted = path
            return self._show_problem(f"! {doubt}: press Enter again to confirm")
        self.dismiss(path)
        return None

    def _show_problem(self, text: str) -> None:
        self.query_one(".problem", Static).update(block(text))


_MOST_ENTRIES = 200


def _entries(typed: str, wanted: Callable[[Path], bool]) -> list[str]:
    """The entries that complete the path ``typed``: directories, which end in "/", then files."""
    directory, _, prefix = typed.rpartition("/")
    try:
        parent = Path(directory + "/" if "/" in typed else ".").expanduser()
        found = sorted(parent.iterdir(), key=lambda path: (not path.is_dir(), path.name))
    except (OSError, RuntimeError):
        return []
    matching = (
        f"{path.name}/" if path.is_dir() else path.name
        for path in found
        if path.name.startswith(prefix)
        and (prefix or not path.name.startswith("."))
        and (path.is_dir() or wanted(path))
        and path.name.isprintable()
    )
    return list(islice(matching, _MOST_ENTRIES))


async def save_file(
    app: App[Any],
    name: str,
    title: str,
    text: str,
    write: Callable[[Path], object],
    check: Callable[[Path], str] | None = None,
) -> None:
    """Ask for a file, with ``name`` as the proposal, and call ``write`` with its path."""
    files = user_files.here()

    def doubt(path: Path) -> str:
        if what := files.foreign(path):
            return f"the file {what}, and will be replaced"
        return "the file exists and will be overwritten" if path.exists() else ""

    def save(path: Path) -> None:
        files.allow(path)
        write(path)

    path = await app.push_screen_wait(AskPath(title, text, name, check or not_writable, doubt))
    if path is not None:
        await in_background(lambda: save(path))
        app.notify(f"Saved to {path.absolute()}", timeout=8)


def not_writable(path: Path) -> str:
    """Why no file can be written at ``path``; "" if one can."""
    if path.is_dir():
        return f"{path} is a directory: add a file name"
    return "" if path.absolute().parent.is_dir() else f"{path.parent} is not a directory"
