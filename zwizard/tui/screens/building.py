"""A build: its steps and the live log, and what to do when it ends or fails."""

from __future__ import annotations

import contextlib
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import OptionList, Static

from zwizard import plan
from zwizard.engine import builds, listing
from zwizard.engine.builds import Build
from zwizard.engine.status import Status, StepState, StepStatus
from zwizard.errors import ZwizardError
from zwizard.text import duration, size
from zwizard.tui.background import in_background
from zwizard.tui.screens.base import View
from zwizard.tui.screens.dialogs import Ask, Option
from zwizard.tui.show import MUTED, block, fit, join, mark, plain
from zwizard.tui.walk import REVIEW, question_of
from zwizard.tui.watch import BuildWatch
from zwizard.tui.widgets.logview import LogPane, LogView
from zwizard.tui.widgets.rows import Row, Rows

_EVERY = 0.5  # seconds between looks at the journal
_OVER = {"ready", "not-ready", "failed", "cancelled", "interrupted"}


class BuildSteps(Rows):
    """The steps of a build."""

    HELP = "The steps. The log beside them is that of the highlighted one; Tab goes to it."


class Building(View[None]):
    """One build, as its journal and logs tell it."""

    HELP = "A build at work. Leaving does not stop it: it has a process of its own."

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "log('follow')", "Follow log"),
        Binding("slash", "log('search')", "Search log"),
        Binding("r", "retry", "Retry", tooltip="Go on at the step it was in"),
        Binding("a", "change", "Change answers", tooltip="To the question this step hangs on"),
        Binding("c", "checklist", "Checklist"),
        Binding("y", "copy", "Copy command", tooltip="Copy the command that failed"),
        Binding("X", "cancel", "Cancel", tooltip="Stop the build; what is finished stays"),
        Binding("q,escape", "leave", "Leave", tooltip="Home; a running build goes on"),
    ]

    def __init__(self, build: Build) -> None:
        super().__init__()
        self.build = build
        self._watch = BuildWatch(build)
        self.status = self._watch.look()
        self._shown_log: tuple[str, float] | None = None
        self._shown = 0.0  # when the screen was last renewed
        self._followed = ""  # the step that was running when last looked at

    def content(self) -> ComposeResult:
        """Overall line, steps, what came of it, log."""
        with Horizontal(classes="top"):
            yield Static(plain(self.build.id), classes="title", markup=False)
            yield Static(id="overall", markup=False)
        with VerticalScroll(id="card", can_focus=False):
            yield Static(id="card-text", markup=False)
        with Horizontal(id="work"):
            yield BuildSteps(id="build-steps")
            yield LogPane(id="log-pane")

    def on_mount(self) -> None:
        """Keep up with the build."""
        self.query_one(BuildSteps).focus()
        self._show()
        self.set_interval(_EVERY, self._look)

    def _look(self) -> None:
        before, self.status = self.status, self._watch.look()
        now = self.zwizard.clock()
        if self.status != before:
            self._show()
            self.refresh_bindings()
        elif self.status.state == "running" and now - self._shown >= 1:
            self._show()  # the seconds go on
        if before.state == "running" and self.status.state in _OVER:
            self.app.bell()

    # --- showing ---

    def _show(self) -> None:
        told = self.status
        self._shown = self.zwizard.clock()
        now, narrow = self.zwizard.clock(), self.size.width < 76
        steps = self.query_one(BuildSteps)
        busy = told.step.name if told.step else ""
        steps.show(_rows(told, now, narrow), prefer=busy)
        if busy and steps.current in {"", self._followed}:
            steps.go(busy)  # whoever watches the running step goes on to the next with it
        elif not self._followed and not busy and told.steps:
            steps.go(told.steps[-1].name)
        self._followed = busy or steps.current
        self.query_one("#overall", Static).update(self._overall(told, now))
        card = self.query_one("#card")
        said = _card(told)
        self.query_one("#card-text", Static).update(said)
        card.display = bool(said.plain)
        card.set_class(told.state == "ready", "-good")
        self._show_log()

    def _overall(self, told: Status, now: float) -> Content:
        parts: list[Content | str] = [mark(told.state)]
        if told.steps and told.state == "running":
            done = sum(s.state in {"done", "reused"} for s in told.steps)
            parts.append(
                f"step {min(done + 1, len(told.steps))} of {len(told.steps)}"
                if done < len(told.steps)
                else "checklist"
            )
            parts.append(duration(max(0.0, now - told.began)))
            parts += self._silence(told, now)
        elif told.began:
            parts.append(f"after {duration(max(0.0, told.at - told.began))}")
        return join(*parts, between=" · ")

    def _silence(self, told: Status, now: float) -> list[Content | str]:
        """How long ago the running step last said anything."""
        step = told.step
        if step is None:
            return []
        with contextlib.suppress(OSError):
            last = self.build.step_log(step.number, step.name).stat().st_mtime
            quiet = max(0.0, now - max(last, step.began))
            style = "$text-warning" if quiet > 60 else MUTED
            return [Content.styled(f"last output {duration(quiet)} ago", style)]
        return []

    def _show_log(self) -> None:
        name = self.query_one(BuildSteps).current
        step = next((s for s in self.status.steps if s.name == name), None)
        if step is None:
            shown = ("", 0.0)
            path, title, quiet = None, "log", "Nothing yet."
        else:
            shown = (step.name, step.began)
            path = self.build.step_log(step.number, step.name)
            title, quiet = path.stem, _quiet(step)
        pane = self.query_one(LogPane)
        if shown != self._shown_log:
            self._shown_log = shown
            pane.open(path, title, quiet)
        pane.say_when_empty(quiet)

    @on(OptionList.OptionHighlighted)
    def _moved(self) -> None:
        self._show_log()

    # --- what can be done ---

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Only what makes sense in the state it is in."""
        running = self.status.state == "running"
        match action:
            case "cancel":
                return running
            case "retry":
                return not running and self.status.state not in {"ready", "not-ready"}
            case "change":
                return not running
            case "checklist":
                return self.status.state in {"ready", "not-ready"}
            case "copy":
                return bool(self.status.command) and self.status.state == "failed"
            case _:
                return True

    def action_log(self, what: str) -> None:
        """Work in the log from anywhere on the screen."""
        view = self.query_one(LogView)
        view.focus()
        if what == "follow":
            view.action_follow()
        else:
            view.action_search()

    @work
    async def action_retry(self) -> None:
        """Go on at the step it was in."""
        await self.zwizard.start_build(self.build)

    @work
    async def action_change(self) -> None:
        """Open its answers again, at the question that decides the step that failed."""
        try:
            recipe = self.build.recipe()
            page, key = _decided_by(self.build, self.status)
        except ZwizardError as error:
            self.zwizard.complain(error)
            return
        walk = await self.zwizard.take(recipe)
        if walk and page == REVIEW:
            self.zwizard.review(walk)
        elif walk:
            self.zwizard.turn_to(walk, page, key)

    def action_checklist(self) -> None:
        """What the archive came to."""
        self.zwizard.show_report(self.build)

    def action_copy(self) -> None:
        """Hand the command that failed to the terminal's clipboard."""
        self.app.copy_to_clipboard(self.status.command)
        self.app.notify("Copied, if this terminal allows it (OSC 52).", markup=False)

    @work
    async def action_cancel(self) -> None:
        """Stop it, after asking."""
        chosen = await self.app.push_screen_wait(
            Ask(
                f"Stop {self.build.id}?",
                "Finished steps stay; resuming starts at the one it is in.",
                (Option("l", "Let it run"), Option("s", "Stop it")),
            )
        )
        if chosen == "s":
            await in_background(lambda: builds.request_cancel(self.build))

    def action_leave(self) -> None:
        """Home; a running build goes on."""
        if self.query_one(LogPane).leave_search():
            return
        if self.status.state == "running":
            said = plain(f"{self.build.id} goes on without you.").plain
            self.app.notify(said, markup=False)
        self.dismiss()


def _rows(told: Status, now: float, narrow: bool) -> list[Row]:
    return [Row(step.name, _row(step, now, narrow)) for step in told.steps]


def _row(step: StepStatus, now: float, narrow: bool) -> Content:
    """A step as its glyph, its name, its state in a word, and how long it took."""
    glyph = mark(step.state)
    word = _SHORT.get(step.state, listing.WORDS[step.state]) if narrow else glyph[2:].plain
    seconds = max(0.0, now - step.began) if step.state == "running" else step.seconds
    timed = step.state in {"running", "done", "failed"} and not narrow
    took = f" {duration(seconds)}" if timed else ""
    style = glyph.spans[0].style if glyph.spans else ""
    return Content.assemble(
        glyph[:2], plain(fit(step.name, 13), "bold"), " ", (word + took, style)
    )


_SHORT: dict[StepState, str] = {"reused": "there", "running": "runs"}


def _quiet(step: StepStatus) -> str:
    match step.state:
        case "waiting":
            return "This step has not begun."
        case "reused":
            return "This step was there already: nothing had to run."
        case "running":
            return "Nothing printed yet."
        case _:
            return "It printed nothing."


def _card(told: Status) -> Content:
    """What came of the build: the archive, or what failed and what to do."""
    match told.state:
        case "ready":
            return _made(told, "✓ Ready: no rule of Zero-OS blocks it.", "$text-success")
        case "not-ready":
            said = f"! Made, but {told.blocks} rules block it: c shows which, and the remedies."
            return _made(told, said, "$text-warning")
        case "failed" | "interrupted":
            return _failure(told)
        case "cancelled":
            return Content.styled("■ Stopped. What is finished is kept; r goes on.", MUTED)
        case _:
            return Content("")


def _made(told: Status, said: str, style: str) -> Content:
    lines = [
        Content.styled(said, f"bold {style}"),
        Content.assemble(plain(told.archive), (f"  {size(told.bytes)}", MUTED)),
        Content.styled(f"sha256 {told.sha256}", MUTED),
    ]
    return Content("\n").join(lines)


def _failure(told: Status) -> Content:
    lines = [plain(f"✗ {_what_failed(told)}", "bold $text-error")]
    if told.command:
        lines.append(block(told.command))
    if told.cause:
        lines.append(Content.assemble(("Probably  ", "bold"), block(told.cause)))
    elif told.hint:
        lines.append(block(told.hint, MUTED))
    return Content("\n").join(lines)


def _what_failed(told: Status) -> str:
    """The error without the command, which stands below it."""
    error = told.error
    if told.command and error.endswith(told.command):
        error = error.removesuffix(told.command).rstrip(": ")
    return error or listing.WORDS[told.state]


def _decided_by(build: Build, told: Status) -> tuple[str, str]:
    """The page and question that decide the step it stopped in; else the review."""
    name = told.step.name if told.step else ""
    steps = plan.make(build.recipe()).steps
    step = next((s for s in steps if s.name == name), None)
    asked = (question_of(key) for key in (step.answers if step else ()))
    question = next((q for q in asked if q), None)
    return (question.page, question.key) if question else (REVIEW, "")
