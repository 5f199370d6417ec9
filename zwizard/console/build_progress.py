"""A build in the foreground: a line for each event, until it ends."""

from __future__ import annotations

import json
import shlex
import sys
import time
from pathlib import Path
from typing import Protocol

from zwizard.engine import builds, debug_shell, estimates, failure_causes
from zwizard.engine.builds import Build
from zwizard.engine.layers import Store
from zwizard.engine.status import Status, StepStatus
from zwizard.host.privileges import privilege
from zwizard.jobs import supervisor
from zwizard.jobs.journal import Event, Reader
from zwizard.util import paths
from zwizard.util.text import duration, one_line, sanitise, size

_POLL = 0.1  # seconds between looks at the journal
_PATIENCE = 5.0  # seconds the runner has for tidying up
_EXIT = {"build-failed": 1, "build-interrupted": 1, "build-cancelled": 130}


def foreground(build: Build, *, fresh: bool, as_json: bool) -> int:
    """Run ``build`` (or attach to its runner) and tell what happens; the exit code.

    Ctrl-C stops the build, keeping what is finished.
    """
    right = privilege()
    reader = Reader(build.journal)
    seen = list(reader.read())
    pending = _since_start(seen) if build.running() else []
    store = Store(right.layers_below(paths.cache()))
    tell: _Teller = _Json() if as_json else Narrator(build, estimates.usual(build, store))
    try:
        if not pending:
            right.authorise()
            begun = supervisor.start(build, fresh=fresh)
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
    return [] if since and since[-1]["event"] in supervisor.LAST else since


def _until_end(build: Build, reader: Reader, pending: list[Event], tell: _Teller) -> int:
    while True:
        alive = build.running()
        for event in [*pending, *reader.read()]:
            tell.tell(event)
            code = _code(event)
            if code is not None:
                _wait_until_gone(build)
                return code
        pending = []
        if not alive:
            # Whoever ends the runner by force ends what would have written the last event too.
            event = {"event": "build-interrupted", "error": "the runner is gone", "hint": _RESUME}
            tell.tell(event)
            return 1
        tell.look()
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


class _Teller(Protocol):
    def tell(self, event: Event) -> None:
        """Something happened."""

    def look(self) -> None:
        """Time goes by."""


class _Json:
    """Events as JSON, one a line."""

    def tell(self, event: Event) -> None:
        sys.stdout.write(json.dumps(event, ensure_ascii=False) + "\n")
        sys.stdout.flush()

    def look(self) -> None:
        pass


_FIRST, _AGAIN = 15.0, 30.0  # seconds into a step until its first sign of life, and the next ones


class Narrator:
    """Tells a build in lines that are never written over; ``usual`` is what its steps take.

    A step that takes long shows a sign of life now and then: how long, how much, its last line.
    """

    def __init__(self, build: Build, usual: estimates.Pace) -> None:
        self._build, self._usual = build, usual
        self._told = Status()
        self._next = 0.0

    def tell(self, event: Event) -> None:
        """Tell ``event``, if people want to know of it."""
        self._told = self._told.after(event)
        self._write(self._lines(event))
        if event["event"] in {"step-started", "check-started"}:
            self._next = event["at"] + _FIRST

    def look(self) -> None:
        """Show a sign of life, if there was none for long."""
        now, step = time.time(), self._told.step
        if step and step.state == "running" and now >= self._next:
            self._next = now + _AGAIN
            self._write([self._sign(step, now)])

    def _write(self, lines: list[str]) -> None:
        for line in lines:
            sys.stdout.write(sanitise(line) + "\n")
        sys.stdout.flush()

    def _sign(self, step: StepStatus, now: float) -> str:
        left = estimates.to_go(self._told, self._usual, now)
        log = self._build.step_log(step.number, step.name)
        parts = [
            duration(now - step.began),
            f"{size(step.written)} written" if step.written else "",
            f"about {duration(left)} to go in all" if left else "",
            _silence(log, step.began, now),
        ]
        said = failure_causes.tail(log, 1)
        last = f": {one_line(said)[:200]}" if said else ""
        return f"  {step.name}  {', '.join(filter(None, parts))}{last}"

    def _lines(self, event: Event) -> list[str]:
        match event["event"]:
            case "build-started":
                logs = self._build.directory / "logs"
                return [f"{self._build.id}: {len(event['steps'])} steps; logs in {logs}"]
            case "step-started":
                return [f"● {event['step']}{self._place(event['step'])}"]
            case "step-reused":
                return [f"✓ {event['step']}   there already, {duration(event['age'])} old"]
            case "step-finished":
                took, taken = duration(event["seconds"]), size(event["bytes"])
                return [f"✓ {event['step']}   {took}   {taken}"]
            case "step-failed":
                tail = event["tail"].splitlines()
                return [f"✗ {event['step']}", *(f"    {one_line(line)}" for line in tail)]
            case "check-started":
                return ["● checklist"]
            case "build-failed" | "build-interrupted":
                cause = event.get("cause", "")
                known = [f"Probably: {cause}"] if cause else []
                return [f"✗ {event['error']}", *known, event.get("hint", ""), *self._ways(event)]
            case "build-cancelled":
                return ["✗ stopped; what is finished is kept"]
            case "build-finished":
                note = event.get("note")
                return [
                    *_verdict(event),
                    f"  {event['archive']}",
                    f"  sha256 {event['sha256']}",
                    *([f"  how to deploy it: {note}"] if note else []),
                ]
            case _:
                return []

    def _ways(self, event: Event) -> list[str]:
        """What can be done about a failure, as commands to paste."""
        name, step = self._build.id, self._told.step
        lines = [f"Go on:   zwizard resume {name}"]
        if step and (command := event.get("command", "")):
            lines.append(f"By hand: {debug_shell.by_hand(self._build, step.name, command)}")
        if step:
            lines.append(f"Shell:   zwizard shell {name} {step.name}")
        return [*lines, f"Report:  zwizard bundle {name}"]

    def _place(self, name: str) -> str:
        """Where a step stands, and what it usually takes: ``   step 2 of 7, usually 38 s``."""
        steps = self._told.steps
        number = next((step.number for step in steps if step.name == name), 0)
        usual = f", usually {duration(self._usual[name])}" if name in self._usual else ""
        return f"   step {number} of {len(steps)}{usual}" if number else ""


def _silence(log: Path, since: float, now: float) -> str:
    """How long a step has printed nothing, where that is worth a word."""
    try:
        quiet = now - max(since, log.stat().st_mtime)
    except FileNotFoundError:
        return ""
    return f"nothing printed for {duration(quiet)}" if quiet >= _FIRST else ""


_NAMED = 5  # rules that block which are named; mostly they have one cause
_EVIDENCE = 300  # characters


def _verdict(event: Event) -> list[str]:
    archive, taken = Path(event["archive"]), size(event["bytes"])
    if event["ready"]:
        return [f"✓ ready: {archive.name}, {taken}"]
    blocks = f"{event['blocks']} rule{'s block' if event['blocks'] != 1 else ' blocks'}"
    return [f"✗ NOT ready: {blocks} ({archive.name}, {taken})", *_blocking(event)]


def _blocking(event: Event) -> list[str]:
    """The rules that block, the first few with what was found and what to do."""
    lines = []
    for found in event.get("blocking", ())[:_NAMED]:
        lines.append(f"    {found['rule']}: {one_line(found['evidence'])[:_EVIDENCE]}")
        if found["fix"]:
            lines.append(f"        do: {one_line(found['fix'])[:_EVIDENCE]}")
    return [*lines, f"  all of it: zwizard check {shlex.quote(event['archive'])}"]
