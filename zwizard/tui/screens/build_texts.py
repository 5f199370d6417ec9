"""The texts of the build screen: step rows, the card above the log, the empty log."""

from textual.content import Content

from zwizard.console.tables import MARKS, WORDS
from zwizard.engine import estimates
from zwizard.engine.status import Status, StepStatus
from zwizard.tui.format import COLOURS, MUTED, block, fit, plain
from zwizard.tui.widgets.stable_list import Row
from zwizard.util.text import brief, size


def position(status: Status) -> str:
    """The current step: ``step 3 of 7``."""
    count = len(status.steps)
    return f"step {status.done + 1} of {count}" if status.done < count else "checklist"


def rows(status: Status, usual: estimates.Pace, now: float, narrow: bool) -> list[Row]:
    """A row for each step; ``usual`` has the seconds that each took in earlier builds."""
    return [Row(step.name, _row(step, usual, now, narrow)) for step in status.steps]


def _row(step: StepStatus, usual: estimates.Pace, now: float, narrow: bool) -> Content:
    """A step: glyph, name, state, how long it took, and how long it usually takes."""
    took = "" if narrow else _took(step, usual.get(step.name), now)
    style = COLOURS[step.state]
    word = f"{WORDS[step.state]} {took}".rstrip()
    name = plain(fit(step.name, 13), "bold")
    return Content.assemble((f"{MARKS[step.state]} ", style), name, " ", (word, style))


def _took(step: StepStatus, usual: float | None, now: float) -> str:
    """How long the step took and, after ``~``, how long it usually takes."""
    expected = "" if usual is None or usual < estimates.LEAST else f"~{brief(usual)}"
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
    """The text shown in place of an empty log."""
    texts = {
        "waiting": "This step has not started.",
        "cached": "Cached: this step did not run.",
        "running": "No output yet.",
    }
    return texts.get(step.state, "No output.")


def card(status: Status) -> Content:
    """The result of the build: the archive, or what failed and what to do."""
    match status.state:
        case "ready":
            return _archive(status, "✓ Ready: every must rule passed.", "$text-success")
        case "not-ready":
            errors = "1 error" if status.blocks == 1 else f"{status.blocks} errors"
            headline = f"! Not ready: {errors}. Press c for the checklist."
            return _archive(status, headline, "$text-warning")
        case "changed":
            headline = (
                "! The archive was changed since it was checked. Press c, then r to check it."
            )
            return _archive(status, headline, "$text-warning")
        case "missing":
            headline = "! The archive is missing. Press r to make it again from the cache."
            return _archive(status, headline, "$text-warning")
        case "failed" | "stopped" if status.error:
            return _failure(status)
        case "stopped" if status.steps:
            return Content.styled(
                "■ Stopped. Finished steps stay cached; press r to resume.", MUTED
            )
        case _:
            return Content("")


def _archive(status: Status, headline: str, style: str) -> Content:
    lines = [
        Content.styled(headline, f"bold {style}"),
        Content.assemble(plain(status.archive), (f"  {size(status.bytes)}", MUTED)),
        Content.styled(f"sha256 {status.sha256}", MUTED),
    ]
    if status.note:
        lines.append(plain(f"How to deploy it: {status.note}"))
    return Content("\n").join(lines)


def _failure(status: Status) -> Content:
    lines = [plain(f"✗ {_what_failed(status)}", "bold $text-error")]
    if status.command:
        lines.append(block(status.command))
        lines.append(
            Content.styled("Press y to copy a line that runs it in the step's tree.", MUTED)
        )
    if status.cause:
        lines.append(Content.assemble(("Likely cause  ", "bold"), block(status.cause)))
    elif status.hint:
        lines.append(block(status.hint, MUTED))
    return Content("\n").join(lines)


def _what_failed(status: Status) -> str:
    """The error without the command, which is shown below it."""
    error = status.error
    if status.command and error.endswith(status.command):
        error = error.removesuffix(status.command).rstrip(": ")
    return error or WORDS[status.state]
