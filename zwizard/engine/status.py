"""The status of a build: its state, and the state of each step."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self

from zwizard.engine import builds
from zwizard.engine.builds import Build
from zwizard.jobs import events
from zwizard.jobs import status as job_status
from zwizard.jobs.follower import Watch
from zwizard.jobs.job import Job
from zwizard.plan import targets
from zwizard.recipe.model import Recipe

StepState = Literal["waiting", "running", "done", "cached", "failed", "stopped"]
State = Literal["running", "stopped", "failed", "not-ready", "ready", "changed", "missing"]
CHECKED = frozenset({"ready", "not-ready"})  # what is said of an archive as it was checked
FINISHED = CHECKED | {"changed", "missing"}


@dataclass(frozen=True)
class StepStatus:
    """One step: its state, when it started (seconds since 1970) and how long it took.

    ``bytes``: what its layer takes. ``written``: bytes its commands have sent to the disk so far.
    """

    number: int
    name: str
    title: str
    state: StepState = "waiting"
    started: float = 0.0
    seconds: float = 0.0
    bytes: int = 0
    written: int = 0


@dataclass(frozen=True)
class Status(job_status.Status):
    """The status of a build.

    It is ``changed`` or ``missing`` if that has happened to the archive since it was checked.
    ``cause``, ``key`` (of the answer to change), ``command`` and ``log`` are those of the last
    failure; ``archive``, ``sha256`` and ``bytes`` those of the archive, ``note`` tells how to
    deploy it; ``blocks`` counts the ``must`` rules that failed or are unknown; ``checking`` is
    when the checklist started, 0 before.
    """

    state: State = "stopped"
    steps: tuple[StepStatus, ...] = ()
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
        return sum(step.state in {"done", "cached"} for step in self.steps)

    @property
    def written(self) -> int:
        """Bytes that the commands of this run have sent to the disk so far."""
        return sum(step.written for step in self.steps)

    def after(self, event: events.Event) -> Self:
        """The same; checking an archive again makes its build no longer and no later."""
        then = super().after(event)
        return replace(then, at=self.at) if isinstance(event, events.ArchiveChecked) else then

    def with_event(self, event: events.Event) -> Status:
        """The status once ``event`` has happened."""
        match event:
            case events.BuildStarted(at=at, steps=steps):
                names = [(step["name"], step["title"]) for step in steps]
                waiting = [StepStatus(number, *step) for number, step in enumerate(names, 1)]
                return Status("running", at, at, steps=tuple(waiting))
            case events.StepStarted() | events.StepWaiting():
                return self.with_step(event.step, state="running", started=event.at)
            case events.StepProgress():
                return self.with_step(event.step, written=event.written)
            case events.StepCached(step=step, seconds=seconds, bytes=size):
                return self.with_step(step, state="cached", seconds=seconds, bytes=size)
            case events.StepFinished(step=step, seconds=seconds, bytes=size):
                return self.with_step(step, state="done", seconds=seconds, bytes=size)
            case events.StepFailed():
                return self.with_step(event.step, state="failed", seconds=event.seconds)
            case events.CheckStarted(at=at):
                return replace(self, checking=at)
            case events.BuildFinished() | events.ArchiveChecked():
                return self.taking(event, state="ready" if event.ready else "not-ready")
            case events.BuildCancelled() | events.BuildInterrupted():
                name = self.step.name if self.step else ""
                return super().with_event(event).with_step(name, state="stopped")
        return super().with_event(event)

    def settled(self, job: Job, *, running: bool) -> Self:
        """Corrected by the lock, and by a look at the archive: a verdict holds for its bytes."""
        status = super().settled(job, running=running)
        if isinstance(job, Build) and not running and status.state in CHECKED:
            state = job.user_files.state(Path(status.archive), status.sha256)
            return status if state == "same" else replace(status, state=state)
        return status

    def with_step(self, name: str, **facts: Any) -> Status:
        """With facts about a step."""
        steps = (replace(step, **facts) if step.name == name else step for step in self.steps)
        return replace(self, steps=tuple(steps))


def of(build: Build) -> Status:
    """The status of ``build`` now."""
    return Watch(build, Status()).look()


def answer_behind(status: Status, recipe: Recipe, asked: Collection[str]) -> str:
    """The key among those ``asked`` that most likely caused the failure; "" if there is none.

    The likely cause names it; without one it is the first that the step depends on.
    """
    name = status.step.name if status.step else ""
    step = next((step for step in targets.make(recipe).steps if step.name == name), None)
    keys = (status.key, *(step.answers if step else ()))
    return next((key for key in keys if key in asked), "")


def summary(build: Build, status: Status) -> dict[str, object]:
    """One build as plain data, for ``list --json``."""
    recipe = builds.recipe_of(build)
    step = status.step
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
        "archive_exists": bool(status.archive) and Path(status.archive).exists(),
        "bytes": status.bytes,
        "sha256": status.sha256,
        "directory": str(build.directory),
        "error": status.error,
    }


def details(build: Build, status: Status) -> dict[str, object]:
    """The same with its steps, for ``show --json``."""
    keys = ("name", "state", "seconds", "bytes")
    steps = [{key: getattr(step, key) for key in keys} for step in status.steps]
    return summary(build, status) | {"step_states": steps}
