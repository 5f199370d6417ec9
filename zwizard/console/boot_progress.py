"""A proof in the foreground: a line for each stage as it is decided, until the verdict."""

from __future__ import annotations

import json
import re
import sys
import textwrap
import time
from collections.abc import Callable

from zwizard.boottest import report, session
from zwizard.boottest.session import BootTestProcess, BootTestRequest
from zwizard.host.privileges import privilege
from zwizard.jobs.journal import Event, Reader
from zwizard.util.text import duration, sanitise

_Teller = Callable[[Event], None]
_EVIDENCE = 100  # characters of it in a line; the report has all
_STAMP = re.compile(r"^\[ *\d+\.\d+\] ")  # of the guest's kernel
_POLL = 0.1  # seconds between looks at the journal
_PATIENCE = 5.0  # seconds that a proof which has ended has for tidying up


def foreground(wish: BootTestRequest, *, as_json: bool) -> int:
    """Prove it, and tell what happens; the exit code. Ctrl-C stops it, leaving nothing."""
    session.check_tools(wish.artefact)
    privilege().authorise()
    proving = session.start(wish)
    reader = Reader(proving.run.journal)
    tell = _tell_json if as_json else _tell
    try:
        return _until_end(proving, reader, tell)
    except KeyboardInterrupt:
        proving.cancel()
        return _until_end(proving, reader, tell)


def _until_end(proving: BootTestProcess, reader: Reader, tell: _Teller) -> int:
    while True:
        running = proving.running
        for event in reader.read():
            tell(event)
            code = _code(event)
            if code is not None:
                _wait_until_gone(proving)
                return code
        if not running:
            return 1
        time.sleep(_POLL)


def _wait_until_gone(proving: BootTestProcess) -> None:
    """Let it tidy up; a large tree takes a while, and that it does without being waited for."""
    deadline = time.monotonic() + _PATIENCE
    while proving.running and time.monotonic() < deadline:
        time.sleep(0.01)


def _code(event: Event) -> int | None:
    """The exit code that the event means, if it is a last one."""
    match event["event"]:
        case "proof-finished":
            return 0 if event["proven"] else 1
        case "proof-failed":
            return int(event["code"])
        case "proof-interrupted":
            return 1
        case "proof-cancelled":
            return 130
        case _:
            return None


def _tell_json(event: Event) -> None:
    sys.stdout.write(json.dumps(event, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _tell(event: Event) -> None:
    for line in _lines(event):
        sys.stdout.write(sanitise(line) + "\n")
    sys.stdout.flush()


def _lines(event: Event) -> list[str]:
    match event["event"]:
        case "proof-started":
            return [f"● {event['artefact']}"]
        case "proof-preparing":
            return ["  making a kernel that stands in for Zero-OS's own; it is kept"]
        case "proof-machine":
            return [f"  by {event['accelerator']}: {event['why']}"]
        case "proof-again":
            return [f"! {event['why']}"]
        case "proof-stage":
            mark, at = report.MARKS[event["outcome"]], duration(event["seconds"])
            said = textwrap.shorten(_STAMP.sub("", event["evidence"]), _EVIDENCE, placeholder=" …")
            return [f"{mark} {event['stage']:<11}{at:>12}   {said}"]
        case "proof-failed" | "proof-interrupted":
            return [f"✗ {event['error']}", *filter(None, [f"  {event['hint']}"])]
        case "proof-cancelled":
            return ["✗ stopped; nothing of it is left"]
        case "proof-finished":
            return _verdict(event)
        case _:
            return []


def _verdict(event: Event) -> list[str]:
    took = duration(event["seconds"])
    said = report.indented(event.get("printed", ""))
    spoken = ["  the entrypoint printed:", *said] if said else []
    kept = [*spoken, f"  report   {event['report']}", f"  console  {event['console']}"]
    if event["proven"]:
        return [f"✓ proven: it comes up as Zero-OS would start it ({took})", *kept]
    tail = event["tail"].splitlines()
    shown = ["  the console's last lines:", *(f"    {line}" for line in tail)] if tail else []
    why = [f"  {line}" for line in report.failure(event)]
    return [f"✗ NOT proven ({took})", *why, *shown, *kept]
