"""A proof: its stages, the machine's console as it comes, and what it came to."""

from __future__ import annotations

import contextlib
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import OptionList, Static

from zwizard.boottest.session import BootTestProcess, BootTestRequest
from zwizard.boottest.status import StageState, StageStatus, Status
from zwizard.jobs.journal import Reader
from zwizard.tui.format import MUTED, block, fit, join, plain
from zwizard.tui.screens.base import BaseScreen
from zwizard.tui.screens.dialogs import Ask, Option
from zwizard.tui.widgets.logview import LogPane, LogView
from zwizard.tui.widgets.stable_list import Row, StableList
from zwizard.util.errors import ZwizardError
from zwizard.util.text import duration

_EVERY = 0.5  # seconds between looks at the journal

_MARKS: dict[StageState, tuple[str, str, str]] = {
    "waiting": ("○", "to come", MUTED),
    "running": ("●", "waited for", "$text-accent"),
    "pass": ("✓", "holds", "$text-success"),
    "fail": ("✗", "fails", "$text-error"),
    "unknown": ("?", "unknown", "$text-warning"),
    "unreached": ("–", "unreached", MUTED),
}
_VERDICTS = {
    "running": ("● booting", "$text-accent"),
    "proven": ("◆ proven", "$text-success"),
    "not-proven": ("✗ NOT proven", "$text-error"),
    "failed": ("✗ could not be booted", "$text-error"),
    "cancelled": ("■ stopped", "$text-warning"),
    "interrupted": ("■ interrupted", "$text-warning"),
}


class Stages(StableList):
    """The stages of a proof."""

    HELP = (
        "What is asserted, one after the other, with the seconds since the beginning. Above: what"
        " the highlighted one was told by. Tab goes to the console."
    )


class BootTestScreen(BaseScreen[None]):
    """One artefact booted as Zero-OS would, as its journal and its console tell it."""

    TOPIC = "boot-test"
    HELP = (
        "The image, started as a Zero-OS node would start it, on a copy that is thrown away."
        " Leaving this screen does not stop it; leaving zwizard does."
    )

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "log('follow')", "Follow console"),
        Binding("slash", "log('search')", "Search console"),
        Binding("r", "again", "Boot again", tooltip="From the beginning"),
        Binding("X", "cancel", "Cancel", tooltip="Switch the machine off; nothing of it stays"),
        Binding("q,escape", "leave", "Back"),
    ]

    def __init__(self, wish: BootTestRequest) -> None:
        super().__init__()
        self.wish = wish
        self.status = Status()
        self._proving: BootTestProcess | None = None
        self._reader: Reader | None = None
        self._followed = ""  # the stage that was waited for when last looked at

    def content(self) -> ComposeResult:
        """Overall line, what is highlighted or came of it, stages, console."""
        with Horizontal(classes="top"):
            yield Static(plain(self.wish.artefact.name), classes="title", markup=False)
            yield Static(id="overall", markup=False)
        with VerticalScroll(id="card", can_focus=False):
            yield Static(id="card-text", markup=False)
        with Horizontal(id="work"):
            yield Stages(id="proof-stages")
            yield LogPane(id="log-pane")

    def on_mount(self) -> None:
        """Boot it, or show the boot that is going on."""
        self.query_one(Stages).focus()
        self.query_one("#card").add_class("-plain")
        self._begin(anew=False)
        self.every(_EVERY, self._look)

    @work(exclusive=True, group="machine")
    async def _begin(self, *, anew: bool) -> None:
        self._show()
        try:
            proving = await self.zwizard.proving(self.wish, anew=anew)
        except (ZwizardError, OSError) as error:
            hint = getattr(error, "hint", "")
            told = getattr(error, "message", str(error))
            self.status = Status("failed", error=told, hint=hint)
            self._show()
            self.refresh_bindings()
            return
        if proving is None:
            self.dismiss()
            return
        self._proving, self._reader = proving, Reader(proving.run.journal)
        self.query_one(LogPane).open(proving.run.console, "console", "Nothing printed yet.")
        self._look()
        self.refresh_bindings()

    def _look(self) -> None:
        if self._proving is None or self._reader is None:
            return
        before, running = self.status, self._proving.running
        for event in self._reader.read():
            self.status = self.status.after(event)
        if self.status != before or running:
            self._show()
        if before.state == "running" != self.status.state:
            self.refresh_bindings()
            self.app.bell()

    # --- showing ---

    def _show(self) -> None:
        told, narrow = self.status, self.size.width < 76
        stages = self.query_one(Stages)
        stages.show([_row(stage, told.next, narrow) for stage in told.stages])
        if told.next and stages.current in {"", self._followed, told.stages[0].name}:
            stages.go(told.next)  # whoever watches goes on with it
        self._followed = told.next or self._followed
        word, style = _VERDICTS[told.state]
        now = self.zwizard.clock() if told.state == "running" else told.at
        took = [duration(max(0.0, now - told.began))] if told.began else []
        by = [Content.styled(told.accelerator.upper(), MUTED)] if told.accelerator else []
        overall = join(Content.styled(word, style), *took, *self._silence(), *by, between=" · ")
        self.query_one("#overall", Static).update(overall)
        self._explain()

    def _silence(self) -> list[Content]:
        """How long ago the machine last said anything; many wait half a minute for their root."""
        if self._proving is None or self.status.state != "running":
            return []
        with contextlib.suppress(OSError):
            quiet = self.zwizard.clock() - self._proving.run.console.stat().st_mtime
            if quiet >= 5:
                return [Content.styled(f"last output {duration(quiet)} ago", MUTED)]
        return []

    @on(OptionList.OptionHighlighted)
    def _explain(self) -> None:
        """What came of it; before that, and when it is well, the highlighted stage."""
        told = self.status
        card = self.query_one("#card")
        card.set_class(told.state == "proven", "-good")
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
                return running and self._proving is not None
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
        self.status, self._proving, self._reader = Status(), None, None
        self._begin(anew=True)
        self.refresh_bindings()

    @work
    async def action_cancel(self) -> None:
        """Switch the machine off, after asking."""
        chosen = await self.app.push_screen_wait(
            Ask(
                "Stop this boot?",
                "Nothing of it stays but what the console has printed.",
                (Option("l", "Let it run"), Option("s", "Stop it")),
            )
        )
        if chosen == "s" and self._proving is not None:
            self._proving.cancel()

    def action_leave(self) -> None:
        """Back; a machine that runs goes on."""
        if self.query_one(LogPane).leave_search():
            return
        if self.status.state == "running" and self._proving is not None:
            self.app.notify("It goes on while zwizard is open.", markup=False)
        self.dismiss()


def _row(stage: StageStatus, following: str, narrow: bool) -> Row:
    """A stage as its glyph, its name, its state in a word, and when it was decided."""
    state: StageState = "running" if stage.name == following else stage.state
    glyph, word, style = _MARKS[state]
    at = f" {round(stage.seconds)} s" if stage.state in {"pass", "fail"} and not narrow else ""
    name = plain(fit(stage.name, 11), "bold")
    return Row(stage.name, Content.assemble(f"{glyph} ", name, " ", (word + at, style)))


def _card(told: Status, stage: StageStatus) -> Content:
    match told.state:
        case "proven":
            said = "◆ Proven: it comes up as Zero-OS would start it."
            lines = [Content.styled(said, "bold $text-success"), _about(stage)]
        case "not-proven":
            lines = [block(f"✗ {told.said}", "bold $text-error")]
            failed = next((s for s in told.stages if s.state in {"fail", "unknown"}), None)
            if failed and failed.evidence != told.said:
                lines.append(plain(failed.evidence, MUTED))
            if told.rule:
                lines.append(Content.assemble(("Rule  ", "bold"), plain(told.rule)))
                lines.append(Content.assemble(("Do    ", "bold"), block(told.remedy)))
        case "failed" | "interrupted":
            lines = [block(f"✗ {told.error}", "bold $text-error"), block(told.hint)]
        case "cancelled":
            lines = [Content.styled("■ Stopped. Nothing of it is left; r boots again.", MUTED)]
        case _:
            lines = [_about(stage)]
    return Content("\n").join(lines)


def _about(stage: StageStatus) -> Content:
    title = plain(stage.title[0].upper() + stage.title[1:])
    return join(title, plain(stage.evidence, MUTED), between="\n") if stage.evidence else title
