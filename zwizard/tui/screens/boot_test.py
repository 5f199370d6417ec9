"""The boot test screen: its stages, the live console, and the result."""

import contextlib
from typing import ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList, Static

from zwizard.boottest.request import BootTest, BootTestRequest
from zwizard.boottest.stages import Outcome, StageResult
from zwizard.boottest.status import Status
from zwizard.jobs.follower import Watch
from zwizard.tui.format import MUTED, block, fit, join, plain
from zwizard.tui.screens.dialogs import confirm_stop
from zwizard.tui.screens.job import JobScreen
from zwizard.tui.widgets.log_pane import LogPane
from zwizard.tui.widgets.stable_list import Row
from zwizard.util.errors import ZwizardError
from zwizard.util.places import explained
from zwizard.util.text import duration

_EVERY = 0.5  # seconds between reads of the journal

_MARKS: dict[Outcome, tuple[str, str, str]] = {
    "waiting": ("○", "waiting", MUTED),
    "running": ("●", "running", "$text-accent"),
    "pass": ("✓", "passed", "$text-success"),
    "fail": ("✗", "failed", "$text-error"),
    "unknown": ("?", "unknown", "$text-warning"),
    "unreached": ("–", "not reached", MUTED),
}
_VERDICTS = {
    "running": ("● booting", "$text-accent"),
    "passed": ("◆ boot test passed", "$text-success"),
    "failed": ("✗ boot test failed", "$text-error"),
    "stopped": ("■ stopped", "$text-warning"),
    "changed": ("! changed", "$text-warning"),
}


_CHANGED = "! The image was changed after it passed. Press r to boot it again."


class BootTestScreen(JobScreen):
    """One boot test, shown from its journal and console."""

    TOPIC = "boot-test"
    HELP = (
        "The image, booted as a Zero-OS node would boot it, on a copy that is discarded."
        " Leaving this screen does not stop it; leaving zwizard does.\n\nThe stages in order, with"
        " the seconds since the start. Above: the evidence for the highlighted stage. Tab goes to"
        " the console."
    )

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "log('follow')", "Follow console"),
        Binding("slash", "log('search')", "Search console"),
        Binding("r", "again", "Boot again", tooltip="Start the boot test again"),
        Binding("X", "cancel", "Cancel", tooltip="Stop the boot test and discard the copy"),
        Binding("q,escape", "leave", "Back"),
    ]

    def __init__(self, request: BootTestRequest) -> None:
        self.request = request
        self.status: Status
        super().__init__(
            request.artefact.name,
            Status(),
            "The boot test keeps running while zwizard is open.",
        )
        self._job: BootTest | None = None
        self._watch: Watch[Status] | None = None
        self._changed = False  # the image, after it passed

    def on_mount(self) -> None:
        self.steps.focus()
        self._start(again=False)
        self.every(_EVERY, self._poll)

    @work(exclusive=True, group="start")
    async def _start(self, *, again: bool) -> None:
        self._update()
        try:
            job = await self.wizard.boot_test(self.request, again=again)
        except (ZwizardError, OSError) as error:
            reason = explained(error)
            self.status = Status("failed", error=reason.message, hint=reason.hint)
            self._update()
            self.refresh_bindings()
            return
        if job is None:
            self.dismiss()
            return
        self._job, self._watch = job, Watch(job, Status())
        self.query_one(LogPane).open(job.console, "console", "No output yet.")
        self._poll()
        self.refresh_bindings()

    def _poll(self) -> None:
        if self._watch is None:
            return
        before, self.status = self.status, self._watch.look()
        changed = self._changed
        self._changed = self.status.state == "passed" and self.wizard.changed_since_boot(
            self.request
        )
        if self.status != before or self.status.state == "running" or changed != self._changed:
            self._update()
        if before.state == "running" != self.status.state:
            self.refresh_bindings()
            self.app.bell()

    # --- showing ---

    def _update(self) -> None:
        status, narrow = self.status, self.size.width < 76
        rows = [_row(stage, status.next, narrow) for stage in status.stages]
        self.show_steps(rows, status.next)
        word, style = _VERDICTS["changed" if self._changed else status.state]
        now = self.wizard.clock() if status.state == "running" else status.at
        parts: list[Content | str] = [Content.styled(word, style)]
        if status.started:
            parts.append(duration(max(0.0, now - status.started)))
        parts += self._idle()
        if status.accelerator:
            parts.append(Content.styled(status.accelerator.upper(), MUTED))
        self.query_one("#overall", Static).update(join(*parts, between=" · "))
        self._update_card()

    def _idle(self) -> list[Content]:
        """How old the console's output is: many guests wait half a minute for their root."""
        if self._job is None or self.status.state != "running":
            return []
        with contextlib.suppress(OSError):
            idle = self.wizard.clock() - self._job.console.stat().st_mtime
            if idle >= 5:
                return [Content.styled(f"last output {duration(idle)} ago", MUTED)]
        return []

    @on(OptionList.OptionHighlighted)
    def _update_card(self) -> None:
        """Show the result, and the highlighted stage while it runs or after it passed."""
        status, name = self.status, self.steps.current
        stage = next((s for s in status.stages if s.name == name), status.stages[0])
        running, passed = status.state == "running", status.state == "passed"
        card = Content.styled(_CHANGED, "$text-warning") if self._changed else _card(status, stage)
        self.show_result(card, good=passed and not self._changed, neutral=running)

    # --- actions ---

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        running = self.status.state == "running"
        offered = {"cancel": running and self._job is not None, "again": not running}
        return offered.get(action, True)

    def action_again(self) -> None:
        self.status, self._job, self._watch = Status(), None, None
        self._start(again=True)
        self.refresh_bindings()

    @work
    async def action_cancel(self) -> None:
        text = "Only the console output is kept."
        if await confirm_stop(self.app, "Stop this boot test?", text) and self._job is not None:
            self._job.request_cancel()


def _row(stage: StageResult, running: str, narrow: bool) -> Row:
    """A stage: glyph, name, state, and the seconds until it was decided."""
    outcome: Outcome = "running" if stage.name == running else stage.outcome
    glyph, word, style = _MARKS[outcome]
    at = f" {round(stage.seconds)} s" if stage.outcome in {"pass", "fail"} and not narrow else ""
    name = plain(fit(stage.name, 11), "bold")
    return Row(stage.name, Content.assemble(f"{glyph} ", name, " ", (word + at, style)))


def _card(status: Status, stage: StageResult) -> Content:
    match status.state:
        case "passed":
            text = "◆ Boot test passed: the image boots as it would on Zero-OS."
            lines = [Content.styled(text, "bold $text-success"), _describe(stage)]
        case "failed" | "stopped" if status.error:
            lines = [block(f"✗ {status.error}", "bold $text-error"), block(status.hint)]
        case "failed":
            lines = [block(f"✗ {status.reason}", "bold $text-error")]
            failed = next((s for s in status.stages if s.outcome in {"fail", "unknown"}), None)
            if failed and failed.evidence != status.reason:
                lines.append(plain(failed.evidence, MUTED))
            if status.rule:
                lines.append(Content.assemble(("Rule  ", "bold"), plain(status.rule)))
                lines.append(Content.assemble(("Fix   ", "bold"), block(status.remedy)))
        case "stopped":
            lines = [Content.styled("■ Stopped. Press r to boot again.", MUTED)]
        case _:
            lines = [_describe(stage)]
    return Content("\n").join(lines)


def _describe(stage: StageResult) -> Content:
    title = plain(stage.title[0].upper() + stage.title[1:])
    return join(title, plain(stage.evidence, MUTED), between="\n") if stage.evidence else title
