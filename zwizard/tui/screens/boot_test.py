"""A boot test: its stages, the machine's console as it comes, and its result."""

from __future__ import annotations

import contextlib
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import OptionList, Static

from zwizard.boottest.request import BootTest, BootTestRequest
from zwizard.boottest.stages import Outcome, StageResult
from zwizard.boottest.status import Status
from zwizard.jobs.follower import Watch
from zwizard.tui.format import MUTED, block, fit, join, plain
from zwizard.tui.screens.base import BaseScreen
from zwizard.tui.screens.dialogs import Ask, Option
from zwizard.tui.widgets.log_pane import LogPane
from zwizard.tui.widgets.log_view import LogView
from zwizard.tui.widgets.stable_list import Row, StableList
from zwizard.util.errors import ZwizardError
from zwizard.util.text import duration

_EVERY = 0.5  # seconds between looks at the journal

_MARKS: dict[Outcome, tuple[str, str, str]] = {
    "waiting": ("○", "waiting", MUTED),
    "running": ("●", "running", "$text-accent"),
    "pass": ("✓", "passed", "$text-success"),
    "fail": ("✗", "failed", "$text-error"),
    "unknown": ("?", "unknown", "$text-warning"),
    "unreached": ("–", "unreached", MUTED),
}
_VERDICTS = {
    "running": ("● booting", "$text-accent"),
    "passed": ("◆ boot test passed", "$text-success"),
    "failed": ("✗ boot test failed", "$text-error"),
    "stopped": ("■ stopped", "$text-warning"),
}


class Stages(StableList):
    """The stages of a boot test."""

    HELP = (
        "The stages in their order, with the seconds since the start. Above: the evidence for the"
        " highlighted stage. Tab goes to the console."
    )


class BootTestScreen(BaseScreen[None]):
    """One artefact booted as Zero-OS would, as its journal and its console tell it."""

    TOPIC = "boot-test"
    HELP = (
        "The image, started as a Zero-OS node would start it, on a copy that is discarded."
        " Leaving this screen does not stop it; leaving zwizard does."
    )

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "log('follow')", "Follow console"),
        Binding("slash", "log('search')", "Search console"),
        Binding("r", "again", "Boot again", tooltip="Start the boot test again"),
        Binding("X", "cancel", "Cancel", tooltip="Stop the boot test and discard the copy"),
        Binding("q,escape", "leave", "Back"),
    ]

    def __init__(self, request: BootTestRequest) -> None:
        super().__init__()
        self.request = request
        self.status = Status()
        self._job: BootTest | None = None
        self._watch: Watch[Status] | None = None
        self._followed = self.status.stages[0].name  # the stage that ran at the last look

    def content(self) -> ComposeResult:
        """Overall line, what is highlighted or came of it, stages, console."""
        with Horizontal(classes="top"):
            yield Static(plain(self.request.artefact.name), classes="title", markup=False)
            yield Static(id="overall", markup=False)
        with VerticalScroll(id="card", can_focus=False):
            yield Static(id="card-text", markup=False)
        with Horizontal(id="work"):
            yield Stages(id="boot-test-stages")
            yield LogPane(id="log-pane")

    def on_mount(self) -> None:
        """Boot it, or show the boot that is going on."""
        self.query_one(Stages).focus()
        self.query_one("#card").add_class("-plain")
        self._begin(again=False)
        self.every(_EVERY, self._look)

    @work(exclusive=True, group="machine")
    async def _begin(self, *, again: bool) -> None:
        self._show()
        try:
            job = await self.wizard.boot_test(self.request, again=again)
        except (ZwizardError, OSError) as error:
            message, hint = getattr(error, "message", str(error)), getattr(error, "hint", "")
            self.status = Status("failed", error=message, hint=hint)
            self._show()
            self.refresh_bindings()
            return
        if job is None:
            self.dismiss()
            return
        self._job, self._watch = job, Watch(job, Status())
        self.query_one(LogPane).open(job.console, "console", "No output yet.")
        self._look()
        self.refresh_bindings()

    def _look(self) -> None:
        if self._watch is None:
            return
        before, self.status = self.status, self._watch.look()
        if self.status != before or self.status.state == "running":
            self._show()
        if before.state == "running" != self.status.state:
            self.refresh_bindings()
            self.app.bell()

    # --- showing ---

    def _show(self) -> None:
        told, narrow = self.status, self.size.width < 76
        stages = self.query_one(Stages)
        stages.show([_row(stage, told.next, narrow) for stage in told.stages])
        if told.next and stages.current in {"", self._followed}:
            stages.go(told.next)  # the highlight stays on the running stage
        self._followed = told.next or self._followed
        word, style = _VERDICTS[told.state]
        now = self.wizard.clock() if told.state == "running" else told.at
        took = [duration(max(0.0, now - told.started))] if told.started else []
        by = [Content.styled(told.accelerator.upper(), MUTED)] if told.accelerator else []
        overall = join(Content.styled(word, style), *took, *self._silence(), *by, between=" · ")
        self.query_one("#overall", Static).update(overall)
        self._explain()

    def _silence(self) -> list[Content]:
        """How long ago the machine last said anything; many wait half a minute for their root."""
        if self._job is None or self.status.state != "running":
            return []
        with contextlib.suppress(OSError):
            quiet = self.wizard.clock() - self._job.console.stat().st_mtime
            if quiet >= 5:
                return [Content.styled(f"last output {duration(quiet)} ago", MUTED)]
        return []

    @on(OptionList.OptionHighlighted)
    def _explain(self) -> None:
        """What came of it; before that, and when it is well, the highlighted stage."""
        told = self.status
        card = self.query_one("#card")
        card.set_class(told.state == "passed", "-good")
        card.set_class(told.state == "running", "-plain")
        here = self.query_one(Stages).current
        stage = next((s for s in told.stages if s.name == here), told.stages[0])
        self.query_one("#card-text", Static).update(_card(told, stage))

    # --- what can be done ---

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Only what makes sense in the state it is in."""
        running = self.status.state == "running"
        match action:
            case "cancel":
                return running and self._job is not None
            case "again":
                return not running
            case _:
                return True

    def action_log(self, what: str) -> None:
        """Work in the console's log from anywhere on the screen."""
        view = self.query_one(LogView)
        view.focus()
        if what == "follow":
            view.action_follow()
        else:
            view.action_search(False)

    def action_again(self) -> None:
        """Boot it anew."""
        self.status, self._job, self._watch = Status(), None, None
        self._followed = self.query_one(Stages).current
        self._begin(again=True)
        self.refresh_bindings()

    @work
    async def action_cancel(self) -> None:
        """Switch the machine off, after asking."""
        chosen = await self.app.push_screen_wait(
            Ask(
                "Stop this boot test?",
                "Only the console output is kept.",
                (Option("l", "Let it run"), Option("s", "Stop it")),
            )
        )
        if chosen == "s" and self._job is not None:
            self._job.request_cancel()

    def action_leave(self) -> None:
        """Back; a machine that runs goes on."""
        if self.query_one(LogPane).leave_search():
            return
        if self.status.state == "running" and self._job is not None:
            self.app.notify("The boot test keeps running while zwizard is open.", markup=False)
        self.dismiss()


def _row(stage: StageResult, following: str, narrow: bool) -> Row:
    """A stage as its glyph, its name, its state in a word, and when it was decided."""
    outcome: Outcome = "running" if stage.name == following else stage.outcome
    glyph, word, style = _MARKS[outcome]
    at = f" {round(stage.seconds)} s" if stage.outcome in {"pass", "fail"} and not narrow else ""
    name = plain(fit(stage.name, 11), "bold")
    return Row(stage.name, Content.assemble(f"{glyph} ", name, " ", (word + at, style)))


def _card(told: Status, stage: StageResult) -> Content:
    match told.state:
        case "passed":
            text = "◆ Boot test passed: it starts as Zero-OS would start it."
            lines = [Content.styled(text, "bold $text-success"), _about(stage)]
        case "failed" | "stopped" if told.error:
            lines = [block(f"✗ {told.error}", "bold $text-error"), block(told.hint)]
        case "failed":
            lines = [block(f"✗ {told.reason}", "bold $text-error")]
            failed = next((s for s in told.stages if s.outcome in {"fail", "unknown"}), None)
            if failed and failed.evidence != told.reason:
                lines.append(plain(failed.evidence, MUTED))
            if told.rule:
                lines.append(Content.assemble(("Rule  ", "bold"), plain(told.rule)))
                lines.append(Content.assemble(("Fix   ", "bold"), block(told.remedy)))
        case "stopped":
            lines = [Content.styled("■ Stopped. Nothing of it is kept; r boots again.", MUTED)]
        case _:
            lines = [_about(stage)]
    return Content("\n").join(lines)


def _about(stage: StageResult) -> Content:
    title = plain(stage.title[0].upper() + stage.title[1:])
    return join(title, plain(stage.evidence, MUTED), between="\n") if stage.evidence else title
