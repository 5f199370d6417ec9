"""The build screen: steps, live log, and what to do when the build ends or fails."""

import contextlib
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList, Static

from zwizard.engine import bug_report, debug_shell, estimates, requirements, status
from zwizard.engine.builds import Build
from zwizard.engine.status import CHECKED, Status, StepStatus
from zwizard.jobs.follower import Watch
from zwizard.tui import terminal
from zwizard.tui.format import MUTED, bar, block, join, joined, mark, renew
from zwizard.tui.navigation import REVIEW, question_of
from zwizard.tui.screens import build_texts as texts
from zwizard.tui.screens.dialogs import Reader, confirm_stop, copy, shows_errors
from zwizard.tui.screens.job import JobScreen
from zwizard.tui.widgets.log_file import end_of_log
from zwizard.tui.widgets.log_pane import LogPane
from zwizard.tui.widgets.log_view import LogView
from zwizard.util.text import duration, size
from zwizard.wizard.questions import all_questions

_EVERY = 0.5  # seconds between reads of the journal
_MARGINS = 6  # columns of the top line


class BuildScreen(JobScreen):
    """One build, shown from its journal and logs."""

    TOPIC = "troubleshooting"
    HELP = (
        "A build. It keeps running when you leave this screen or quit. Times after ~ are how long"
        " the step usually takes on this host.\n\nThe steps. Beside them: the log of the"
        " highlighted step; Tab goes to it."
    )

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "resume", "Resume", tooltip="Resume at the step it reached"),
        Binding(
            "a", "change", "Change the answer", tooltip="Go to the answer that caused the failure"
        ),
        Binding(
            "exclamation_mark",
            "shell",
            "Shell",
            key_display="!",
            tooltip="A shell in the highlighted step's tree; changes are discarded",
        ),
        Binding("y", "copy", "Copy command", tooltip="Copy a line that runs it by hand"),
        Binding(
            "b", "bundle", "Bug report", tooltip="Collect everything for a bug report in one file"
        ),
        Binding("c", "checklist", "Checklist"),
        Binding("f", "log('follow')", "Follow log"),
        Binding("slash", "log('search')", "Search log"),
        Binding("l", "pager", "Open log", tooltip="Read the log in $PAGER, or less"),
        Binding("Y", "copy_log", "Copy log", tooltip="Copy the log"),
        Binding("X", "cancel", "Cancel", tooltip="Stop the build; finished steps stay cached"),
        Binding("q,escape", "leave", "Leave", tooltip="Home; a running build keeps running"),
    ]

    def __init__(self, build: Build) -> None:
        self.build = build
        self._watch = Watch(build, Status())
        self.status: Status
        super().__init__(build.id, self._watch.look(), f"{build.id} keeps running.")
        self._usual_times: estimates.Pace = {}
        self._shown_log: tuple[str, float] | None = None
        self._log_offered = False  # whether the keys that open and copy the log are offered
        self._updated = 0.0  # when the screen was last updated

    def on_mount(self) -> None:
        self.steps.focus()
        self._update()
        self.every(_EVERY, self._poll)
        self._load_usual_times()

    def on_resize(self) -> None:
        """Rows and texts depend on the width."""
        self._update()

    def on_screen_resume(self) -> None:
        self._poll()

    @work(exclusive=True, group="read")
    async def _load_usual_times(self) -> None:
        """Read from the journals of earlier builds how long the steps usually take."""
        host = await self.wizard.host()
        store = requirements.store_of(host.privilege)
        self._usual_times = await self.in_background(lambda: estimates.usual(self.build, store))
        self._update()

    def _poll(self) -> None:
        before, self.status = self.status, self._watch.look()
        now = self.wizard.clock()
        if self.status != before:
            self._update()
            self.refresh_bindings()
        elif self.status.state == "running" and now - self._updated >= 0.9:
            self._update()  # the elapsed seconds
        if before.state != "running" and self.status.state == "running":
            self._load_usual_times()  # resumed: the last run counts too

    # --- showing ---

    def _update(self) -> None:
        status = self.status
        self._updated = now = self.wizard.clock()
        narrow = self.size.width < 76
        active = status.step.name if status.step else ""
        if not (active or self._followed) and status.steps:
            active = status.steps[-1].name
        self.show_steps(texts.rows(status, self._usual_times, now, narrow), active)
        renew(self.query_one("#overall", Static), self._overall(status, now))
        self.show_result(texts.card(status), good=status.state == "ready")
        self._show_log()

    def _overall(self, status: Status, now: float) -> Content:
        """The state, the current step, the time so far, and the time left."""
        state = mark(status.state)
        if not (status.steps and status.state == "running"):
            after = duration(max(0.0, status.at - status.started))
            return join(state, f"after {after}", between=" · ") if status.started else state
        left = estimates.to_go(status, self._usual_times, now)
        done = estimates.fraction(status, self._usual_times, now)
        parts = (
            state,
            None if done is None else bar(done),
            Content(texts.position(status)),
            Content(duration(max(0.0, now - status.started))),
            None if left is None else Content(f"about {duration(left)} to go"),
            Content(f"{size(status.written)} written") if status.written else None,
        )
        room = self.size.width - len(self.build.id) - _MARGINS
        return joined(parts, room, (5, 1, 3))

    def _show_activity(self, step: StepStatus | None, now: float) -> None:
        """Show below the log the bytes that its step has written, and how old its output is."""
        pane = self.query_one(LogPane)
        if step is None or step.state != "running":
            pane.note(Content(""))
            return
        wide = self.size.width >= 76
        written = f"{size(step.written)} written" if step.written and wide else ""
        parts = [Content.styled(written, MUTED)] if written else []
        with contextlib.suppress(OSError):
            last = self.build.step_log(step.number, step.name).stat().st_mtime
            idle = max(0.0, now - max(last, step.started))
            text = f"no output for {duration(idle)}" if idle > 5 else "last output just now"
            parts.append(Content.styled(text, "$text-warning" if idle > 60 else MUTED))
        pane.note(join(*parts, between=" · "))

    def _show_log(self) -> None:
        name = self.steps.current
        step = next((s for s in self.status.steps if s.name == name), None)
        if step is None:
            shown = ("", 0.0)
            path, title, empty = None, "log", "No output yet."
        else:
            shown = (step.name, step.started)
            path = self.build.step_log(step.number, step.name)
            title, empty = path.stem, texts.empty_log(step)
        pane = self.query_one(LogPane)
        if shown != self._shown_log:
            self._shown_log = shown
            pane.open(path, title, empty)
        pane.set_empty_text(empty)
        self._show_activity(step, self.wizard.clock())
        self._offer_log_keys()

    @on(LogView.Changed)
    def _offer_log_keys(self) -> None:
        """Offer the keys that open and copy the log once it has a line."""
        offered = bool(self._log_file())
        if offered != self._log_offered:
            self._log_offered = offered
            self.refresh_bindings()

    @on(OptionList.OptionHighlighted)
    def _highlighted(self) -> None:
        self._show_log()

    # --- actions ---

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        state, running = self.status.state, self.status.state == "running"
        offered = {
            "cancel": running,
            "resume": not running and state not in CHECKED,
            "change": not running,
            "checklist": state in {*CHECKED, "changed"},
            "copy": bool(self.status.command) and state == "failed",
            "shell": not running and bool(self.status.steps),
            "bundle": not running and state != "ready",
            "pager": bool(self._log_file()),
            "copy_log": bool(self._log_file()),
        }
        return offered.get(action, True)

    def _log_file(self) -> Path | None:
        """The displayed log, if it has a line."""
        views = self.query(LogView)
        file = views.first().file if views else None
        return file.path if file and len(file) else None

    @work
    async def action_resume(self) -> None:
        await self.wizard.start_build(self.build)

    @work
    @shows_errors
    async def action_change(self) -> None:
        """Open the build's answers at the question that decides the failed step."""
        recipe = self.build.recipe()
        asked = {question.key for question in all_questions()}
        question = question_of(status.answer_behind(self.status, recipe, asked))
        navigation = await self.wizard.use_recipe(recipe)
        if not self.is_current:
            return  # the key was pressed twice
        if navigation:
            place = (question.page, question.key) if question else (REVIEW,)
            self.wizard.show_page(navigation, *place)

    def action_checklist(self) -> None:
        self.wizard.show_check(self.build)

    def action_copy(self) -> None:
        """Copy a command line that runs the failed command in the step's tree."""
        step = self.status.step
        name = step.name if step else ""
        copy(self.app, debug_shell.by_hand(self.build, name, self.status.command))

    @work
    @shows_errors
    async def action_shell(self) -> None:
        """Open a shell in the tree of the highlighted step, in the bare terminal."""
        step = self.steps.current
        privilege = (await self.wizard.host()).privilege
        await self.in_background(lambda: debug_shell.verify(self.build, step, privilege))
        self.wizard.run_in_terminal(lambda: debug_shell.enter(self.build, step))

    @work
    @shows_errors
    async def action_bundle(self) -> None:
        """Write a bug report to a file, and show its contents and its path."""
        directory = self.build.archive().parent
        report = await self.in_background(lambda: bug_report.make(self.build, directory))
        self.app.push_screen(Reader("Bug report", block(bug_report.describe(report))))

    def action_pager(self) -> None:
        """Open the whole log in the user's pager, in the bare terminal."""
        path = self._log_file()
        if path is None:
            return
        self.wizard.run_in_terminal(lambda: terminal.read_file(path))

    @work
    async def action_copy_log(self) -> None:
        """Copy the log (its end, if long) to the terminal's clipboard; show its path."""
        path = self._log_file()
        if path is None:
            return
        text, whole = await self.in_background(lambda: end_of_log(path))
        self.app.copy_to_clipboard(text)
        what = "Log copied" if whole else f"Last {size(len(text))} copied"
        message = f"{what}, if your terminal allows it (OSC 52). The whole log: {path}"
        self.app.notify(message, timeout=8)

    @work
    async def action_cancel(self) -> None:
        text = "Finished steps stay cached; you can resume the build later."
        if await confirm_stop(self.app, f"Stop {self.build.id}?", text):
            await self.in_background(self.build.request_cancel)
