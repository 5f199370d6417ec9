"""A build: its steps and the live log, and what to do when it ends or fails."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import OptionList, Static

from zwizard.engine import estimates, requirements, status
from zwizard.engine.builds import Build
from zwizard.engine.status import Status, StepStatus
from zwizard.jobs.follower import Watch
from zwizard.tui import terminal
from zwizard.tui.background import in_background
from zwizard.tui.format import MUTED, block, join, joined, mark, plain, renew
from zwizard.tui.navigation import question_of
from zwizard.tui.screens import build_texts as texts
from zwizard.tui.screens.base import BaseScreen
from zwizard.tui.screens.dialogs import Ask, Option, Reader, copy
from zwizard.tui.widgets.keys import named
from zwizard.tui.widgets.log_file import end_of_log
from zwizard.tui.widgets.log_pane import LogPane
from zwizard.tui.widgets.log_view import LogView
from zwizard.tui.widgets.stable_list import StableList
from zwizard.util.errors import ZwizardError, describe_os_error
from zwizard.util.text import duration, size
from zwizard.wizard.questions import all_questions

_EVERY = 0.5  # seconds between looks at the journal


class BuildSteps(StableList):
    """The steps of a build."""

    HELP = "The steps. The log beside them is that of the highlighted one; Tab goes to it."


class BuildScreen(BaseScreen[None]):
    """One build, as its journal and logs tell it."""

    TOPIC = "troubleshooting"
    HELP = (
        "A build. It keeps running when you leave this screen or quit. Times after ~ are what the"
        " step usually takes here."
    )

    BINDINGS: ClassVar[list[BindingType]] = named(
        "build",
        [
            Binding("r", "resume", "Resume", tooltip="Resume at the step it reached"),
            Binding(
                "a",
                "change",
                "Change the answer",
                tooltip="Go to the answer that caused the failure",
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
                "b",
                "bundle",
                "Bug report",
                tooltip="Collect everything for a bug report in one file",
            ),
            Binding("c", "checklist", "Checklist"),
            Binding("f", "log('follow')", "Follow log"),
            Binding("slash", "log('search')", "Search log"),
            Binding("l", "pager", "Open log", tooltip="Read the log in $PAGER, or less"),
            Binding("Y", "copy_log", "Copy log", tooltip="Copy the log"),
            Binding("X", "cancel", "Cancel", tooltip="Stop the build; finished steps stay cached"),
            Binding("q,escape", "leave", "Leave", tooltip="Home; a running build keeps running"),
        ],
    )

    def __init__(self, build: Build) -> None:
        super().__init__()
        self.build = build
        self._watch = Watch(build, Status())
        self.status = self._watch.look()
        self._usual: estimates.Pace = {}
        self._shown_log: tuple[str, float] | None = None
        self._logged = False  # there is a log to open or copy
        self._shown = 0.0  # when the screen was last renewed
        self._followed = ""  # the step that was running when last looked at

    def content(self) -> ComposeResult:
        """Overall line, steps, what came of it, log."""
        with Horizontal(classes="top"):
            yield Static(plain(self.build.id), classes="title", markup=False)
            yield Static(id="overall", markup=False)
        with Card(id="card"):
            yield Static(id="card-text", markup=False)
        with Horizontal(id="work"):
            yield BuildSteps(id="build-steps")
            yield LogPane(id="log-pane")

    def on_mount(self) -> None:
        """Keep up with the build."""
        self.query_one(BuildSteps).focus()
        self._show()
        self.every(_EVERY, self._look)
        self._learn_pace()

    def on_resize(self) -> None:
        """Rows and words are made for the width."""
        self._show()

    def on_screen_resume(self) -> None:
        """Back from another screen: show how it stands by now."""
        self._look()

    @work(exclusive=True, group="read")
    async def _learn_pace(self) -> None:
        """What the steps usually take: by earlier builds, whose journals are read."""
        machine = await self.wizard.host()
        store = requirements.store_of(machine.privilege)
        self._usual = await in_background(lambda: estimates.usual(self.build, store))
        self._show()

    def _look(self) -> None:
        before, self.status = self.status, self._watch.look()
        now = self.wizard.clock()
        if self.status != before:
            self._show()
            self.refresh_bindings()
        elif self.status.state == "running" and now - self._shown >= 0.9:
            self._show()  # the seconds go on
        if before.state != "running" and self.status.state == "running":
            self._learn_pace()  # it goes on: the last run counts too by now

    # --- showing ---

    def _show(self) -> None:
        told = self.status
        self._shown = now = self.wizard.clock()
        narrow = self.size.width < 76
        steps = self.query_one(BuildSteps)
        busy = told.step.name if told.step else ""
        steps.show(texts.rows(told, self._usual, now, narrow), prefer=busy)
        if busy and steps.current in {"", self._followed}:
            steps.go(busy)  # whoever watches the running step goes on to the next with it
        elif not self._followed and not busy and told.steps:
            steps.go(told.steps[-1].name)
        self._followed = busy or steps.current
        renew(self.query_one("#overall", Static), self._overall(told, now))
        card = self.query_one("#card")
        said = texts.card(told)
        renew(self.query_one("#card-text", Static), said)
        card.display = bool(said.plain)
        card.set_class(told.state == "ready", "-good")
        self._show_log()

    def _overall(self, told: Status, now: float) -> Content:
        """The state, where it stands, for how long, and how much longer."""
        state = mark(told.state)
        if not (told.steps and told.state == "running"):
            after = duration(max(0.0, told.at - told.started))
            return join(state, f"after {after}", between=" · ") if told.started else state
        left = estimates.to_go(told, self._usual, now)
        parts = (
            texts.position(told),
            duration(max(0.0, now - told.started)),
            "" if left is None else f"about {duration(left)} to go",
            f"{size(told.written)} written" if told.written else "",
        )
        room = self.size.width - len(self.build.id) - _AROUND
        return joined([state, *(Content(part) for part in parts if part)], room, (4, 2))

    def _show_activity(self, step: StepStatus | None, now: float) -> None:
        """Below the log: what its step has written, and for how long it has printed nothing."""
        pane = self.query_one(LogPane)
        if step is None or step.state != "running":
            pane.note(Content(""))
            return
        wide = self.size.width >= 76
        written = f"{size(step.written)} written" if step.written and wide else ""
        parts = [Content.styled(written, MUTED)] if written else []
        with contextlib.suppress(OSError):
            last = self.build.step_log(step.number, step.name).stat().st_mtime
            quiet = max(0.0, now - max(last, step.started))
            said = f"no output for {duration(quiet)}" if quiet > 5 else "last output just now"
            parts.append(Content.styled(said, "$text-warning" if quiet > 60 else MUTED))
        pane.note(join(*parts, between=" · "))

    def _show_log(self) -> None:
        name = self.query_one(BuildSteps).current
        step = next((s for s in self.status.steps if s.name == name), None)
        if step is None:
            shown = ("", 0.0)
            path, title, quiet = None, "log", "No output yet."
        else:
            shown = (step.name, step.started)
            path = self.build.step_log(step.number, step.name)
            title, quiet = path.stem, texts.empty_log(step)
        pane = self.query_one(LogPane)
        if shown != self._shown_log:
            self._shown_log = shown
            pane.open(path, title, quiet)
        pane.say_when_empty(quiet)
        self._show_activity(step, self.wizard.clock())
        self._offer_log()

    @on(LogView.Grown)
    def _offer_log(self) -> None:
        """The keys that open and copy the log come with its first line, and go with the log."""
        logged = bool(self._log_file())
        if logged != self._logged:
            self._logged = logged
            self.refresh_bindings()

    @on(OptionList.OptionHighlighted)
    def _moved(self) -> None:
        self._show_log()

    # --- what can be done ---

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Only what makes sense in the state it is in."""
        state, running = self.status.state, self.status.state == "running"
        match action:
            case "cancel":
                return running
            case "resume":
                return not running and state not in {"ready", "not-ready"}
            case "change":
                return not running
            case "checklist":
                return state in {"ready", "not-ready"}
            case "copy":
                return bool(self.status.command) and state == "failed"
            case "shell":
                return not running and bool(self.status.steps)
            case "bundle":
                return state in {"failed", "stopped", "not-ready"}
            case "pager" | "copy_log":
                return bool(self._log_file())
            case _:
                return True

    def _log_file(self) -> Path | None:
        """The log that is shown, if there is one."""
        found = self.query(LogView)
        file = found.first().file if found else None
        return file.path if file and len(file) else None

    def action_log(self, what: str) -> None:
        """Work in the log from anywhere on the screen."""
        view = self.query_one(LogView)
        view.focus()
        if what == "follow":
            view.action_follow()
        else:
            view.action_search(False)

    @work
    async def action_resume(self) -> None:
        """Resume at the step it reached."""
        await self.wizard.start_build(self.build)

    @work
    async def action_change(self) -> None:
        """Open its answers again, at the question that decides the step that failed."""
        try:
            recipe = self.build.recipe()
            asked = {question.key for question in all_questions()}
            question = question_of(status.answer_behind(self.status, recipe, asked))
        except ZwizardError as error:
            self.wizard.show_error(error)
            return
        navigation = await self.wizard.use_recipe(recipe)
        if not self.is_current:
            return  # the key was pressed twice
        if navigation and question:
            self.wizard.show_page(navigation, question.page, question.key)
        elif navigation:
            self.wizard.show_review(navigation)

    def action_checklist(self) -> None:
        """What the archive came to."""
        self.wizard.show_report(self.build)

    def action_copy(self) -> None:
        """Hand over a line that runs the command that failed by hand, where it failed."""
        from zwizard.engine.debug_shell import by_hand

        step = self.status.step
        name = step.name if step else ""
        copy(self.app, by_hand(self.build, name, self.status.command))

    @work
    async def action_shell(self) -> None:
        """A shell in the tree of the highlighted step, in the bare terminal."""
        from zwizard.engine import debug_shell

        step = self.query_one(BuildSteps).current
        right = (await self.wizard.host()).privilege
        try:
            await in_background(lambda: debug_shell.verify(self.build, step, right))
        except ZwizardError as error:
            self.wizard.show_error(error)
            return
        self.wizard.run_in_terminal(lambda: debug_shell.enter(self.build, step))

    @work
    async def action_bundle(self) -> None:
        """Put what a bug report needs in a file, and say what is in it and where it is."""
        from zwizard.engine import bug_report

        place = self.build.archive().parent
        try:
            made = await in_background(lambda: bug_report.make(self.build, place))
        except OSError as error:
            self.wizard.show_error(describe_os_error(error))
            return
        said = block(bug_report.describe(made))
        self.app.push_screen(Reader("Bug report", said))

    def action_pager(self) -> None:
        """The whole log in the user's pager, in the bare terminal."""
        path = self._log_file()
        if path is None:
            return
        self.wizard.run_in_terminal(lambda: terminal.read_file(path))

    @work
    async def action_copy_log(self) -> None:
        """Hand the log to the terminal's clipboard, and say where it lies."""
        path = self._log_file()
        if path is None:
            return
        text, whole = await in_background(lambda: end_of_log(path))
        self.app.copy_to_clipboard(text)
        what = "Log copied" if whole else f"Last {size(len(text))} copied"
        said = f"{what}, if your terminal allows it (OSC 52). The whole log: {path}"
        self.app.notify(plain(said).plain, timeout=8, markup=False)

    @work
    async def action_cancel(self) -> None:
        """Stop it, after asking."""
        chosen = await self.app.push_screen_wait(
            Ask(
                f"Stop {self.build.id}?",
                "Finished steps stay cached; you can resume the build later.",
                (Option("l", "Let it run"), Option("s", "Stop it")),
            )
        )
        if chosen == "s":
            await in_background(self.build.request_cancel)

    def action_leave(self) -> None:
        """Home; a running build goes on."""
        if self.query_one(LogPane).leave_search():
            return
        if self.status.state == "running":
            said = plain(f"{self.build.id} keeps running.").plain
            self.app.notify(said, markup=False)
        self.dismiss()


class Card(VerticalScroll, can_focus=False):
    """What came of the build; it takes the focus only where there is more than fits."""

    HELP = "What failed, with the whole command. The arrow keys scroll."

    def watch_virtual_size(self) -> None:
        """More or less to show."""
        self.can_focus = self.virtual_size.height > self.size.height


_AROUND = 6  # columns of the top line that are margins
