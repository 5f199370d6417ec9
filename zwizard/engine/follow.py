"""A build in the foreground: a line for each event, until it ends."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from zwizard.engine import builds, runner
from zwizard.engine.builds import Build
from zwizard.engine.journal import Event, Reader
from zwizard.engine.sandbox import privilege
from zwizard.text import duration, sanitise, size

_Teller = Callable[[Build, Event], None]
_POLL = 0.1  # seconds between looks at the journal
_PATIENCE = 5.0  # seconds the runner has for tidying up
_EXIT = {"build-failed": 1, "build-interrupted": 1, "build-cancelled": 130}


def foreground(build: Build, *, fresh: bool, as_json: bool) -> int:
    """Run ``build`` (or attach to its runner) and tell what happens; the exit code.

    Ctrl-C stops the build, keeping what is finished.
    """
    reader = Reader(build.journal)
    seen = list(reader.read())
    pending = _since_start(seen) if build.running() else []
    tell = _tell_json if as_json else _tell
    try:
        if not pending:
            privilege().authorise()
            begun = runner.start(build, fresh=fresh)
            # What a runner that has left by now still wrote is not of this run.
            reader = reader if begun is None else Reader(build.journal, begun)
        return _until_end(build, reader, pending, tell)
    except KeyboardInterrupt:
        builds.request_cancel(build)
        return _until_end(build, reader, [], tell)


def _since_start(seen: list[Event]) -> list[Event]:
    """The events of the runner at work; none if it has said nothing yet, or everything."""
    starts = [i for i, event in enumerate(seen) if event["event"] == "build-started"]
    since = seen[starts[-1] :] if starts else []
    return [] if since and since[-1]["event"] in runner.LAST else since


def _until_end(build: Build, reader: Reader, pending: list[Event], tell: _Teller) -> int:
    while True:
        alive = build.running()
        for event in [*pending, *reader.read()]:
            tell(build, event)
            code = _code(event)
            if code is not None:
                _wait_until_gone(build)
                return code
        pending = []
        if not alive:
            # Whoever ends the runner by force ends what would have written the last event too.
            event = {"event": "build-interrupted", "error": "the runner is gone", "hint": _RESUME}
            tell(build, event)
            return 1
        time.sleep(_POLL)


def _wait_until_gone(build: Build) -> None:
    """Let the runner tidy up, so that what the user does next does not meet it."""
    deadline = time.monotonic() + _PATIENCE
    while build.running() and time.monotonic() < deadline:
        time.sleep(0.01)


def _code(event: Event) -> int | None:
    """The exit code that the event means, if it is a last one."""
    if event["event"] == "build-finished":
        return 0 if event["ready"] else 3
    return _EXIT.get(event["event"])


_RESUME = "Resume it: everything finished is kept."


def _tell_json(_: Build, event: Event) -> None:
    sys.stdout.write(json.dumps(event, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _tell(build: Build, event: Event) -> None:
    for line in _lines(build, event):
        sys.stdout.write(sanitise(line) + "\n")
    sys.stdout.flush()


def _lines(build: Build, event: Event) -> list[str]:
    match event["event"]:
        case "build-started":
            return [f"{build.id}: {len(event['steps'])} steps; logs in {build.directory / 'logs'}"]
        case "step-started":
            return [f"● {event['step']}"]
        case "step-reused":
            return [f"✓ {event['step']}   there already, {duration(event['age'])} old"]
        case "step-finished":
            return [f"✓ {event['step']}   {duration(event['seconds'])}   {size(event['bytes'])}"]
        case "step-failed":
            return [f"✗ {event['step']}", *(f"    {line}" for line in event["tail"].splitlines())]
        case "check-started":
            return ["● checklist"]
        case "build-failed" | "build-interrupted":
            cause = event.get("cause", "")
            known = [f"Probably: {cause}"] if cause else []
            return [f"✗ {event['error']}", *known, event.get("hint", "")]
        case "build-cancelled":
            return ["✗ stopped; what is finished is kept"]
        case "build-finished":
            return [_verdict(event), f"  {event['archive']}", f"  sha256 {event['sha256']}"]
        case _:
            return []


def _verdict(event: Event) -> str:
    name, bytes_ = Path(event["archive"]).name, size(event["bytes"])
    if event["ready"]:
        return f"✓ ready: {name}, {bytes_}"
    return f"✗ NOT ready: {event['blocks']} rules block ({name}, {bytes_}); see `zwizard check`"
