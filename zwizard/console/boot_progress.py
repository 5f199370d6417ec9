"""A boot test in the foreground: a line for each stage, and the verdict."""

import re
import textwrap

from zwizard.boottest import report, session
from zwizard.boottest.request import BootTestRequest
from zwizard.console import foreground
from zwizard.jobs import events
from zwizard.util.text import duration

_EVIDENCE = 100  # characters of it in a line; the report has all
_STAMP = re.compile(r"^\[ *\d+\.\d+\] ")  # of the guest's kernel


def run(request: BootTestRequest, *, as_json: bool) -> int:
    """Boot it and print what happens; the exit code. Ctrl-C stops it."""
    return foreground.run(session.prepare(request), narrator=Narrator(), as_json=as_json)


class Narrator:
    """Describes a boot test."""

    def idle(self) -> list[str]:
        """Nothing: a boot test is short."""
        return []

    def lines(self, event: events.Event) -> list[str]:
        """What to print about an event."""
        match event:
            case events.BootTestStarted(artefact=artefact):
                return [f"● {artefact}"]
            case events.BootTestPreparing():
                return ["  making a kernel in place of Zero-OS's own; it is kept"]
            case events.BootTestMachine(accelerator=accelerator, why=why):
                return [f"  {accelerator}: {why}"]
            case events.BootTestRestarted(why=why):
                return [f"! {why}"]
            case events.BootTestStage(outcome=outcome, stage=stage):
                text = _STAMP.sub("", event.evidence)
                evidence = textwrap.shorten(text, _EVIDENCE, placeholder=" …")
                mark, at = report.MARKS[outcome], duration(event.seconds)
                return [f"{mark} {stage:<11}{at:>12}   {evidence}"]
            case events.Failed() | events.Interrupted():
                return [f"✗ {event.error}", *filter(None, [f"  {event.hint}"])]
            case events.Cancelled():
                return ["✗ stopped; nothing is kept"]
            case events.BootTestFinished():
                return _verdict(event)
        return []


def _verdict(event: events.BootTestFinished) -> list[str]:
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
