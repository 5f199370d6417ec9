"""A build in the foreground: a line for each event, and a sign of life in long steps."""

import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from zwizard.console import foreground
from zwizard.engine import debug_shell, estimates, failure_causes
from zwizard.engine.builds import Build
from zwizard.engine.requirements import store_of
from zwizard.engine.status import Status, StepStatus
from zwizard.host.privileges import find_privilege
from zwizard.jobs import events
from zwizard.util.text import duration, one_line, size


def run(build: Build, *, rebuild_all: bool = False, as_json: bool) -> int:
    """Run ``build``, or attach to it, and print what happens; the exit code.

    Ctrl-C, SIGTERM and SIGHUP stop it.
    """
    usual = estimates.usual(build, store_of(find_privilege()))
    options = ["rebuild-all"] if rebuild_all else []
    return foreground.run(build, *options, narrator=Narrator(build, usual), as_json=as_json)


def detach(build: Build, *, rebuild_all: bool = False, as_json: bool) -> int:
    """Start ``build``, or find it running, and leave it so; 0."""
    foreground.detach(build, *(["rebuild-all"] if rebuild_all else []))
    if as_json:
        foreground.write_json({"event": "build-detached", "build": build.id})
    else:
        foreground.write(
            f"{build.id} is building. Follow it: zwizard resume {build.id}",
            f"Stop it: zwizard cancel {build.id}",
        )
    return 0


_FIRST, _AGAIN = 15.0, 30.0  # seconds into a step until its first sign of life, and the next ones


class Narrator:
    """Describes a build; ``usual`` are the seconds that its steps usually take."""

    def __init__(self, build: Build, usual: estimates.Pace) -> None:
        self._build, self._usual = build, usual
        self._status = Status()
        self._next = 0.0

    def idle(self) -> list[str]:
        """A sign of life of a long step: how long, how much, its last line."""
        now, step = time.time(), self._status.step
        if step is None or step.state != "running" or now < self._next:
            return []
        self._next = now + _AGAIN
        return [self._sign(step, now)]

    def _sign(self, step: StepStatus, now: float) -> str:
        left = estimates.to_go(self._status, self._usual, now)
        log = self._build.step_log(step.number, step.name)
        parts = [
            duration(now - step.started),
            f"{size(step.written)} written" if step.written else "",
            f"about {duration(left)} to go in all" if left else "",
            _silence(log, step.started, now),
        ]
        line = failure_causes.tail(log, 1)
        last = f": {one_line(line)[:200]}" if line else ""
        return f"  {step.name}  {', '.join(filter(None, parts))}{last}"

    def lines(self, event: events.Event) -> list[str]:
        """What to print about an event."""
        self._status = self._status.after(event)
        if isinstance(event, events.StepStarted | events.StepWaiting | events.CheckStarted):
            self._next = event.at + _FIRST
        match event:
            case events.BuildStarted(steps=steps):
                logs = self._build.directory / "logs"
                return [f"{self._build.id}: {len(steps)} steps; logs in {logs}"]
            case events.StepStarted(step=step):
                return [f"● {step}{self._place(step)}"]
            case events.StepCached(step=step):
                return [f"✓ {step}   cached, {duration(event.age)} old"]
            case events.StepWaiting(step=step):
                return [f"● {step}   {event.message}"]
            case events.LayerDamaged(step=step, evidence=evidence):
                return [f"! {step}   The cached layer is damaged and made again: {evidence}"]
            case events.StepFinished(step=step):
                return [f"✓ {step}   {duration(event.seconds)}   {size(event.bytes)}"]
            case events.StepFailed(step=step, tail=tail):
                return [f"✗ {step}", *(f"    {one_line(line)}" for line in tail.splitlines())]
            case events.CheckStarted():
                return ["● checklist"]
            case events.BuildFailed(cause=cause, error=error, hint=hint):
                causes = [f"Likely cause: {cause}"] if cause else []
                return [f"✗ {error}", *causes, hint, *self._commands(event.command)]
            case events.BuildInterrupted(error=error, hint=hint):
                return [f"✗ {error}", hint, *self._commands("")]
            case events.BuildCancelled():
                return ["✗ stopped; finished steps are kept"]
            case events.BuildFinished():
                note = [f"  how to deploy it: {event.note}"] if event.note else []
                return [*_verdict(event), f"  {event.archive}", f"  sha256 {event.sha256}", *note]
        return []

    def _commands(self, failed: str) -> list[str]:
        """What can be done about a failure, as commands to paste."""
        name, step = self._build.id, self._status.step
        lines = [f"Resume:  zwizard resume {name}"]
        if step and failed:
            lines.append(f"By hand: {debug_shell.by_hand(self._build, step.name, failed)}")
        if step:
            lines.append(f"Shell:   zwizard shell {name} {step.name}")
        return [*lines, f"Report:  zwizard bundle {name}"]

    def _place(self, name: str) -> str:
        """The number of a step and its usual time: ``   step 2 of 7, usually 38 s``."""
        steps = self._status.steps
        number = next((step.number for step in steps if step.name == name), 0)
        usual = f", usually {duration(self._usual[name])}" if name in self._usual else ""
        return f"   step {number} of {len(steps)}{usual}" if number else ""


def _silence(log: Path, since: float, now: float) -> str:
    """For how long a step has printed nothing, if that is long."""
    try:
        quiet = now - max(since, log.stat().st_mtime)
    except FileNotFoundError:
        return ""
    return f"no output for {duration(quiet)}" if quiet >= _FIRST else ""


_NAMED = 5  # findings that are named; mostly they have one cause
_EVIDENCE = 300  # characters


def _verdict(event: events.BuildFinished) -> list[str]:
    archive = f"{Path(event.archive).name}, {size(event.bytes)}"
    if event.ready:
        return [f"✓ ready: {archive}", *_named("warning: ", event.warnings)]
    errors = f"{event.blocks} error{'' if event.blocks == 1 else 's'}"
    return [f"✗ not ready: {errors} ({archive})", *_blocking(event)]


def _blocking(event: events.BuildFinished) -> list[str]:
    """The rules that block, the first few with what was found and what to do."""
    everything = f"  all findings: zwizard check {shlex.quote(event.archive)}"
    return [*_named("", event.blocking), everything]


def _named(word: str, findings: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """The first of them, each after ``word``."""
    for finding in findings[:_NAMED]:
        yield f"    {word}{finding['rule']}: {_cut(finding['evidence'])}"
        if finding["fix"]:
            yield f"        do: {_cut(finding['fix'])}"


def _cut(text: str) -> str:
    line = one_line(text)
    return line if len(line) <= _EVIDENCE else f"{line[: _EVIDENCE - 1]}…"
