"""What the screens of a build and of a boot test share: steps, log and result of a job."""

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from zwizard.jobs.status import Status
from zwizard.tui.format import plain, renew
from zwizard.tui.screens.base import BaseScreen
from zwizard.tui.widgets.log_pane import LogPane
from zwizard.tui.widgets.stable_list import Row, StableList


class Card(VerticalScroll, can_focus=False):
    """The result; focusable only if it does not fit."""

    HELP = "What failed, with the whole command. The arrow keys scroll."

    def watch_virtual_size(self) -> None:
        self.can_focus = self.virtual_size.height > self.size.height


class JobScreen(BaseScreen[None]):
    """One job, shown from its journal and log; it keeps running when the screen is left."""

    def __init__(self, name: str, status: Status, keeps_running: str) -> None:
        super().__init__()
        self.status = status
        self.steps = StableList(id="job-steps", title="Steps")
        self._job_name, self._keeps_running = name, keeps_running
        self._followed = ""  # the step that was running at the last update

    def content(self) -> ComposeResult:
        with Horizontal(classes="top"):
            yield Static(plain(self._job_name), classes="title", markup=False)
            yield Static(id="overall", markup=False)
        with Card(id="card"):
            yield Static(id="card-text", markup=False)
        with Horizontal(id="work"):
            yield self.steps
            yield LogPane(id="log-pane", classes="pane")

    def show_steps(self, rows: list[Row], running: str) -> None:
        """Show the steps; the highlight follows the running one until the user moves it."""
        self.steps.show(rows, prefer=running)
        if running and self.steps.current in {"", self._followed}:
            self.steps.go(running)
        self._followed = running or self.steps.current

    def show_result(self, text: Content, *, good: bool, neutral: bool = False) -> None:
        """Show what the job has come to; nothing if that is empty."""
        renew(self.query_one("#card-text", Static), text)
        card = self.query_one("#card")
        card.display = bool(text.plain)
        card.set_class(good, "-good")
        card.set_class(neutral, "-plain")

    def action_log(self, what: str) -> None:
        self.query_one(LogPane).act(what)

    def action_leave(self) -> None:
        """Close the search field; else leave the screen."""
        if self.query_one(LogPane).leave_search():
            return
        if self.status.state == "running" and self.status.started:
            self.app.notify(self._keeps_running)
        self.dismiss()
