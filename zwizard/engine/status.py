"""What a journal says of a build, for lists and faces: its state, and each step's."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from zwizard.engine.builds import Build
from zwizard.jobs.journal import Event, replay
from zwizard.plan import targets
from zwizard.recipe.model import Recipe
from zwizard.wizard import questions

StepState = Literal["waiting", "running", "done", "reused", "failed", "stopped"]
State = Literal["new", "running", "ready", "not-ready", "failed", "cancelled", "interrupted"]


@dataclass(frozen=True)
class StepStatus:
    """One step: its state, when it began (seconds since 1970) and how long it took.

    ``bytes``: what its layer takes. ``written``: bytes its commands have sent to the disk so far.
    """

    number: int
    name: str
    title: str
    state: StepState = "waiting"
    began: float = 0.0
    seconds: float = 0.0
    bytes: int = 0
    written: int = 0


@dataclass(frozen=True)
class Status:
    """A build as its journal tells it.

    ``error``, ``hint``, ``cause``, ``key`` (the answer that would mend it), ``command`` and
    ``log`` are those of the last failure; ``archive``, ``sha256`` and ``bytes`` those of the
    archive, ``note`` what tells how to deploy it; ``blocks`` counts the ``must`` rules that failed
    or are unknown; ``checking`` is when the checklist began, 0 before.
    """

    state: State = "new"
    at: float = 0.0
    began: float = 0.0
    steps: tuple[StepStatus, ...] = ()
    error: str = ""
    hint: str = ""
    cause: str = ""
    key: str = ""
    command: str = ""
    log: str = ""
    archive: str = ""
    sha256: str = ""
    bytes: int = 0
    blocks: int = 0
    note: str = ""
    checking: float = 0.0

    @property
    def step(self) -> StepStatus | None:
        """The step it is in, or failed in."""
        return next((s for s in self.steps if s.state in {"running", "failed", "stopped"}), None)

    @property
    def done(self) -> int:
        """How many steps are finished."""
        return sum(step.state in {"done", "reused"} for step in self.steps)

    @property
    def written(self) -> int:
        """Bytes that the commands of this run have sent to the disk so far."""
        return sum(step.written for step in self.steps)

    def after(self, event: Event) -> Status:
        """The status once ``event`` has happened; one lacking what ours have changes nothing."""
        try:
            return self._after(event)
        except (KeyError, TypeError, ValueError):
            return self  # another version wrote it

    def _after(self, event: Event) -> Status:
        said = {key: event[key] for key in _FACTS if key in event}
        now = replace(self, at=event["at"])
        match event["event"]:
            case "build-started":
                steps = tuple(
                    StepStatus(number, step["name"], step["title"])
                    for number, step in enumerate(event["steps"], 1)
                )
                return Status("running", event["at"], event["at"], steps)
            case "step-started":
                return now.with_step(event, "running", began=event["at"])
            case "step-reused":
                return now.with_step(
                    event, "reused", seconds=event["seconds"], bytes=event["bytes"]
                )
            case "progress":
                return now.with_step(event, "running", written=int(event["written"]))
            case "check-started":
                return replace(now, checking=event["at"])
            case "step-finished":
                return now.with_step(event, "done", seconds=event["seconds"], bytes=event["bytes"])
            case "step-failed":
                return replace(now, **said).with_step(event, "failed", seconds=event["seconds"])
            case "build-failed":
                return replace(now, state="failed", **said)
            case "build-cancelled":
                return replace(now.stopped(), state="cancelled")
            case "build-interrupted":
                return replace(now.stopped(), state="interrupted", **said)
            case "build-finished":
                return replace(now, state="ready" if event["ready"] else "not-ready", **said)
            case _:
                return now

    def with_step(self, event: Event, state: StepState, **facts: Any) -> Status:
        """With the step that ``event`` names in ``state``."""
        steps = tuple(
            replace(step, state=state, **facts) if step.name == event["step"] else step
            for step in self.steps
        )
        return replace(self, steps=steps)

    def stopped(self) -> Status:
        """With the step that was running stopped."""
        steps = tuple(
            replace(step, state="stopped") if step.state == "running" else step
            for step in self.steps
        )
        return replace(self, steps=steps)


_FACTS = (
    "error",
    "hint",
    "cause",
    "key",
    "command",
    "log",
    "archive",
    "sha256",
    "bytes",
    "blocks",
    "note",
)


_GONE = "the runner is gone: it was ended by force, or the machine stopped"
_RESUME = "Resume it: everything finished is kept."


def of(build: Build) -> Status:
    """The status of ``build`` now."""
    status = Status()
    for event in replay(build.journal):
        status = status.after(event)
    return settle(status, build)


def settle(status: Status, build: Build) -> Status:
    """``status`` corrected by what the lock says: a runner that is gone is not running."""
    running = build.running()
    if running and status.state != "running":
        # A runner that has only just begun, or is about to end.
        return replace(status, state="running") if not status.steps else status
    if not running and status.state == "running":
        return replace(status.stopped(), state="interrupted", error=_GONE, hint=_RESUME)
    return status


def answer_behind(told: Status, recipe: Recipe) -> str:
    """The key of the answer that most likely caused the failure; "" if no question decides it.

    The likely cause names it; where none is known, it is the first that the step hangs on.
    """
    name = told.step.name if told.step else ""
    step = next((step for step in targets.make(recipe).steps if step.name == name), None)
    asked = {question.key for question in questions.all_questions()}
    keys = (told.key, *(step.answers if step else ()))
    return next((key for key in keys if key in asked), "")


def summary(build: Build, recipe: Recipe | None, status: Status) -> dict[str, object]:
    """One build as plain data, for ``list --json`` and ``show --json``."""
    step = status.step
    archive = Path(status.archive) if status.archive else None
    return {
        "build": build.id,
        "state": status.state,
        "target": recipe.target if recipe else "",
        "distro": recipe.source.distro if recipe else "",
        "suite": recipe.source.suite if recipe else "",
        "step": step.name if step else "",
        "steps_done": status.done,
        "steps": len(status.steps),
        "changed": status.at,
        "archive": status.archive,
        "archive_exists": bool(archive and archive.exists()),
        "bytes": status.bytes,
        "sha256": status.sha256,
        "directory": str(build.directory),
        "error": status.error,
    }
