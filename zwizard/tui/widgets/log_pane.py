"""A log view with its title, a note below it, and a search field."""

from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from zwizard.tui.format import joined, plain, renew
from zwizard.tui.widgets.inputs import OrderedInput
from zwizard.tui.widgets.log_view import LogView

_EDGES = 4  # cells around a title in its border


class LogPane(Vertical):
    """A log view in a frame with its title, a note, and a search field."""

    def compose(self) -> ComposeResult:
        yield LogView()
        yield Static(id="log-note", markup=False)
        field = OrderedInput(id="log-search", compact=True)
        field.display = False
        yield field

    def open(self, path: Path | None, title: str, empty: str) -> None:
        """Show the log at ``path`` under ``title``."""
        self._log_title = title
        self.query_one(LogView).open(path, empty)
        self._update_title()

    def set_empty_text(self, empty: str) -> None:
        """Set the text that is shown while the log has no lines."""
        view = self.query_one(LogView)
        if view.empty != empty:
            view.empty = empty
            view.refresh()

    def act(self, what: str) -> None:
        """Go to the log, and ``follow`` its end or ask what to ``search``."""
        view = self.query_one(LogView)
        view.focus()
        if what == "follow":
            view.action_follow()
        else:
            view.action_search(False)

    def note(self, note: Content) -> None:
        """Set the note below the log, such as how long there was no output."""
        line = self.query_one("#log-note", Static)
        line.display = bool(note.plain)
        renew(line, note)

    _log_title = ""
    _back = False

    def on_resize(self) -> None:
        """Show as much in the title as fits."""
        self._update_title()

    @on(LogView.Changed)
    def _update_title(self) -> None:
        view = self.query_one(LogView)
        count = 0 if view.file is None else len(view.file)
        if not count:
            position = ""
        elif view.following:
            position = f"{count:,} {'line' if count == 1 else 'lines'}"
        else:
            position = f"line {view.current_line + 1:,} of {count:,}"
        parts = [plain(self._log_title, "bold"), Content(position)]
        if count and view.following:
            parts.append(Content("following"))
        self.border_title = joined(filter(None, parts), self.size.width - _EDGES, (2,))

    @on(LogView.Search)
    def _open_search(self, event: LogView.Search) -> None:
        self._back = event.back
        field = self.query_one("#log-search", Input)
        field.placeholder = "search upwards …" if event.back else "search …"
        field.display = True
        field.focus()

    @on(Input.Submitted, "#log-search")
    def _search(self, event: Input.Submitted) -> None:
        event.stop()
        self.leave_search()
        if event.value:
            view = self.query_one(LogView)
            view.match = None
            # After the layout, when the log has the room of the search field again.
            self.call_after_refresh(view.search, event.value, back=self._back)

    def leave_search(self) -> bool:
        """Close the search field; return whether it was open."""
        field = self.query_one("#log-search", Input)
        if not field.display:
            return False
        field.display = False
        self.query_one(LogView).focus()
        return True
