"""What the build screen says: its rows of steps, the card above the log, the empty log."""

from __future__ import annotations

from textual.content import Content

from zwizard.console.tables import WORDS
from zwizard.engine import estimates
from zwizard.engine.status import Status, StepStatus
from zwizard.tui.format import MUTED, block, fit, mark, plain
from zwizard.tui.widgets.stable_list import Row
from zwizard.util.text import brief, size


def position(told: Status) -> str:
    """Which step it is in: ``step 3 of 7``."""
    count = len(told.steps)
    return f"step {told.done + 1} of {count}" if told.done < count else "checklist"


def rows(told: Status, usual: estimates.Pace, now: float, narrow: bool) -> list[Row]:
    """The steps; ``usual`` has the seconds that each took in earlier builds."""
    return [Row(step.name, _row(step, usual, now, narrow)) for step in told.steps]


def _row(step: StepStatus, usual: estimates.Pace, now: float, narrow: bool) -> Content:
    """A step as its glyph, its name, its state in a word, how long it took, and usually takes."""
    glyph = mark(step.state)
    short = narrow or step.state == "running"
    word = WORDS[step.state] if short else glyph[2:].plain
    took = "" if narrow else _took(step, usual.get(step.name), now)
    style = glyph.spans[0].style if glyph.spans else ""
    return Content.assemble(
        glyph[:2], plain(fit(step.name, 13), "bold"), " ", (f"{word} {took}".rstrip(), style)
    )


def _took(step: StepStatus, usual: float | None, now: float) -> str:
    """How long, and after ~ how long it usually takes."""
    expected = "" if usual is None else f"~{brief(usual)}"
    match step.state:
        case "running":
            return " / ".join(filter(None, (brief(max(0.0, now - step.started)), expected)))
        case "waiting":
            return expected
        case "done" | "failed":
            return brief(step.seconds)
        case _:
            return ""


def empty_log(step: StepStatus) -> str:
    """What stands in place of an empty log."""
    match step.state:
        case "waiting":
            return "This step has not started."
        case "cached":
            return "Cached: this step did not run."
        case "running":
            return "No output yet."
        case _:
            return "No output."


def card(told: Status) -> Content:
    """What came of the build: the archive, or what failed and what to do."""
    match told.state:
        case "ready":
            return _made(told, "✓ Ready: every must rule passed.", "$text-success")
        case "not-ready":
            errors = "1 error" if told.blocks == 1 else f"{told.blocks} errors"
            said = f"! Not ready: {errors}. Press c for the checklist."
            return _made(told, said, "$text-warning")
        case "failed" | "stopped" if told.error:
            return _failure(told)
        case "stopped" if told.steps:
            return Content.styled(
                "■ Stopped. Finished steps stay cached; press r to resume.", MUTED
            )
        case _:
            return Content("")


def _made(told: Status, said: str, style: str) -> Content:
    lines = [
        Content.styled(said, f"bold {style}"),
        Content.assemble(plain(told.archive), (f"  {size(told.bytes)}", MUTED)),
        Content.styled(f"sha256 {told.sha256}", MUTED),
    ]
    if told.note:
        lines.append(plain(f"How to deploy it: {told.note}"))
    return Content("\n").join(lines)


def _failure(told: Status) -> Content:
    lines = [plain(f"✗ {_what_failed(told)}", "bold $text-error")]
    if told.command:
        lines.append(block(told.command))
        lines.append(
            Content.styled("press y to copy a line that runs it by hand, in its tree", MUTED)
        )
    if told.cause:
        lines.append(Content.assemble(("Cause  ", "bold"), block(told.cause)))
    elif told.hint:
        lines.append(block(told.hint, MUTED))
    return Content("\n").join(lines)


def _what_failed(told: Status) -> str:
    """The error without the command, which stands below it."""
    error = told.error
    if told.command and error.endswith(told.command):
        error = error.removesuffix(told.command).rstrip(": ")
    return error or WORDS[told.state]
