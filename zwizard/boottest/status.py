"""What a proof's journal says of it, for faces: its state, and each stage's."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from zwizard.boottest.stages import stages
from zwizard.jobs.journal import Event

State = Literal["running", "proven", "not-proven", "failed", "cancelled", "interrupted"]
StageState = Literal["waiting", "running", "pass", "fail", "unknown", "unreached"]


@dataclass(frozen=True)
class StageStatus:
    """One stage: what it came to, by what (raw), and how many seconds after the beginning."""

    name: str
    title: str
    state: StageState = "waiting"
    evidence: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Status:
    """A proof as its journal tells it. Texts are raw.

    ``began`` and ``at`` are seconds since 1970. ``said``, ``rule`` and ``remedy`` are why it is
    not proven; ``error`` and ``hint`` why it could not be carried out.
    """

    state: State = "running"
    began: float = 0.0
    at: float = 0.0
    stages: tuple[StageStatus, ...] = tuple(
        StageStatus(stage.name, stage.title) for stage in stages("vm")
    )
    accelerator: str = ""
    why: str = ""
    said: str = ""
    rule: str = ""
    remedy: str = ""
    error: str = ""
    hint: str = ""
    report: str = ""

    def after(self, event: Event) -> Status:
        """The status once ``event`` has happened; one lacking what ours have changes nothing."""
        try:
            return self._after(event)
        except (KeyError, TypeError, ValueError):
            return self  # another version wrote it

    def _after(self, event: Event) -> Status:
        now = replace(self, at=event["at"])
        match event["event"]:
            case "proof-started":
                return replace(Status(), began=event["at"], at=event["at"])
            case "proof-preparing":
                return now.asserting(event["mode"])
            case "proof-machine":
                by = {"accelerator": event["accelerator"], "why": event["why"]}
                return replace(now.asserting(event["mode"]), **by)
            case "proof-again":
                return replace(now, stages=Status().stages)
            case "proof-stage":
                return now.with_stage(event)
            case "proof-finished":
                said = {key: event[key] for key in ("said", "rule", "remedy", "report")}
                state: State = "proven" if event["proven"] else "not-proven"
                return replace(now, state=state, **said).ended()
            case "proof-failed":
                return replace(now, state="failed", error=event["error"], hint=event["hint"])
            case "proof-cancelled":
                return replace(now, state="cancelled").ended()
            case "proof-interrupted":
                told = {"error": event["error"], "hint": event["hint"]}
                return replace(now, state="interrupted", **told).ended()
            case _:
                return now

    def asserting(self, mode: str) -> Status:
        """With the stages of an artefact of this mode."""
        known = {stage.name: stage for stage in self.stages}
        asserted = (known.get(s.name, StageStatus(s.name, s.title)) for s in stages(mode))
        return replace(self, stages=tuple(asserted))

    def with_stage(self, event: Event) -> Status:
        """With the stage that ``event`` names decided."""
        told = {key: event[key] for key in ("evidence", "seconds")}
        shown = tuple(
            replace(stage, state=event["outcome"], **told)
            if stage.name == event["stage"]
            else stage
            for stage in self.stages
        )
        return replace(self, stages=shown)

    def ended(self) -> Status:
        """With the stages that were not reached called so."""
        shown = tuple(
            replace(stage, state="unreached") if stage.state == "waiting" else stage
            for stage in self.stages
        )
        return replace(self, stages=shown)

    @property
    def next(self) -> str:
        """The first stage that is not decided yet, "" at the end."""
        waiting = (stage.name for stage in self.stages if stage.state == "waiting")
        return next(waiting, "") if self.state == "running" else ""
