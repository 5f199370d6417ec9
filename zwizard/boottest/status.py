"""The status of a boot test: its state, and the state of each stage."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from zwizard.boottest.stages import StageResult, stages
from zwizard.jobs import events, status

State = Literal["running", "stopped", "passed", "failed"]


@dataclass(frozen=True)
class Status(status.Status):
    """The status of a boot test; texts are raw.

    ``reason``, ``rule`` and ``remedy``: why the image failed. ``error``: why it was not booted.
    """

    state: State = "running"
    stages: tuple[StageResult, ...] = tuple(StageResult(stage.name) for stage in stages("vm"))
    accelerator: str = ""
    why: str = ""
    reason: str = ""
    rule: str = ""
    remedy: str = ""
    report: str = ""

    def with_event(self, event: events.Event) -> Status:
        """The status once ``event`` has happened."""
        match event:
            case events.BootTestStarted(at=at):
                return Status(started=at)
            case events.BootTestPreparing(mode=mode):
                return self._for_mode(mode)
            case events.BootTestMachine():
                return self._for_mode(event.mode).taking(event)
            case events.BootTestRestarted():
                return replace(self, stages=Status().stages)
            case events.BootTestStage():
                facts = {"evidence": event.evidence, "seconds": event.seconds}
                return self.with_stages(event.stage, outcome=event.outcome, **facts)
            case events.BootTestFinished():
                state = "passed" if event.passed else "failed"
                return self.with_stages("", outcome="unreached").taking(event, state=state)
        ended = super().with_event(event)
        return ended if ended is self else ended.with_stages("", outcome="unreached")

    def _for_mode(self, mode: str) -> Status:
        before = {stage.name: stage for stage in self.stages}
        shown = (before.get(stage.name, StageResult(stage.name)) for stage in stages(mode))
        return replace(self, stages=tuple(shown))

    def with_stages(self, name: str, **facts: Any) -> Status:
        """With facts about the stage ``name``, or, if that is "", about all that still wait."""
        return replace(
            self,
            stages=tuple(
                replace(stage, **facts)
                if stage.name == name or (not name and stage.outcome == "waiting")
                else stage
                for stage in self.stages
            ),
        )

    @property
    def next(self) -> str:
        """The first stage that is not decided yet, "" at the end."""
        waiting = (stage.name for stage in self.stages if stage.outcome == "waiting")
        return next(waiting, "") if self.state == "running" else ""
