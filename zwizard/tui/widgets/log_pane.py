"""A log view with its title, a line of notes below it, and a field to search it."""

from __future__ import annotations

from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from zwizard.tui.format import joined, plain, renew
from zwizard.tui.widgets.inputs import OrderedInput
from zwizard.tui.widgets.log_view import LogView


class LogPane(Vertical):
    """A log view with a line that says what it shows, and one to type what to look for."""

    def compose(self) -> ComposeResult:
        """Title, log, search line."""
        yield Static(id="log-title", markup=False)
        yield LogView()
        yield Static(id="log-note", markup=False)
        field = OrderedInput(id="log-search", compact=True)
        field.display = False
        yield field

    def open(self, path: Path | None, title: str, quiet: str) -> None:
        """Show the log at ``path`` under ``title``."""
        self._name = title
        self.query_one(LogView).open(path, quiet)
        self._retitle()

    def say_when_empty(self, quiet: str) -> None:
        """What stands there while the log has no lines."""
        view = self.query_one(LogView)
        if view.quiet != quiet:
            view.quiet = quiet
            view.refresh()

    def note(self, note: Content) -> None:
        """What stands below the log, such as for how long nothing was printed."""
        place = self.query_one("#log-note", Static)
        place.display = bool(note.plain)
        renew(place, note)

    _name = ""
    _back = False

    @on(LogView.Grown)
    def _retitle(self) -> None:
        view = self.query_one(LogView)
        count = 0 if view.file is None else len(view.file)
        if not count:
            place = ""
        elif view.following:
            place = f"{count:,} {'line' if count == 1 else 'lines'}"
        else:
            place = f"line {view.place + 1:,} of {count:,}"
        parts = [plain(self._name, "bold"), Content(place)]
        if count and view.following:
            parts.append(Content("following"))
        title = joined(filter(None, parts), self.size.width, (2,))
        renew(self.query_one("#log-title", Static), title)

    @on(LogView.Search)
    def _ask(self, event: LogView.Search) -> None:
        self._back = event.back
        field = self.query_one("#log-search", Input)
        field.placeholder = "search upwards …" if event.back else "search …"
        field.display = True
        field.focus()

    @on(Input.Submitted, "#log-search")
    def _look(self, event: Input.Submitted) -> None:
        event.stop()
        self.leave_search()
        if event.value:
            view = self.query_one(LogView)
            view.found = None
            # Once the log has the room of the search field again.
            self.call_after_refresh(view.search, event.value, back=self._back)

    def leave_search(self) -> bool:
        """Close the search line; whether it was open."""
        field = self.query_one("#log-search", Input)
        if not field.display:
            return False
        field.display = False
        self.query_one(LogView).focus()
        return True
