"""A boot test in the foreground: a line for each stage, and the verdict."""

from __future__ import annotations

import re
import textwrap

from zwizard.boottest import report, session
from zwizard.boottest.request import BootTestRequest
from zwizard.console import foreground
from zwizard.host.privileges import privilege
from zwizard.jobs.events import (
    BootTestFinished,
    BootTestMachine,
    BootTestPreparing,
    BootTestRestarted,
    BootTestStage,
    BootTestStarted,
    Cancelled,
    Event,
    Failed,
    Interrupted,
)
from zwizard.util.text import duration

_EVIDENCE = 100  # characters of it in a line; the report has all
_STAMP = re.compile(r"^\[ *\d+\.\d+\] ")  # of the guest's kernel


def run(request: BootTestRequest, *, as_json: bool) -> int:
    """Boot it and print what happens; the exit code. Ctrl-C stops it."""
    session.check_tools(request.artefact)
    privilege().authorise()
    return foreground.follow(session.start(request), Narrator(), as_json=as_json)


class Narrator:
    """Describes a boot test."""

    def idle(self) -> list[str]:
        """Nothing: a boot test is short."""
        return []

    def lines(self, event: Event) -> list[str]:
        """What to print about an event."""
        match event:
            case BootTestStarted(artefact=artefact):
                return [f"● {artefact}"]
            case BootTestPreparing():
                return ["  making a kernel in place of Zero-OS's own; it is kept"]
            case BootTestMachine(accelerator=accelerator, why=why):
                return [f"  {accelerator}: {why}"]
            case BootTestRestarted(why=why):
                return [f"! {why}"]
            case BootTestStage(outcome=outcome, stage=stage):
                text = _STAMP.sub("", event.evidence)
                evidence = textwrap.shorten(text, _EVIDENCE, placeholder=" …")
                mark, at = report.MARKS[outcome], duration(event.seconds)
                return [f"{mark} {stage:<11}{at:>12}   {evidence}"]
            case Failed(error=error, hint=hint) | Interrupted(error=error, hint=hint):
                return [f"✗ {error}", *filter(None, [f"  {hint}"])]
            case Cancelled():
                return ["✗ stopped; nothing is kept"]
            case BootTestFinished():
                return _verdict(event)
        return []


def _verdict(event: BootTestFinished) -> list[str]:
    took = duration(event.seconds)
    printed = report.indented(event.printed)
    output = ["  the entrypoint printed:", *printed] if printed else []
    kept = [*output, f"  report   {event.report}", f"  console  {event.console}"]
    if event.passed:
        return [f"✓ boot test passed ({took})", *kept]
    tail = report.indented(event.tail)
    shown = ["  the console's last lines:", *tail] if tail else []
    why = [f"  {line}" for line in report.failure(event.to_json())]
    return [f"✗ boot test failed ({took})", *why, *shown, *kept]
