"""The results of a boot test: each stage is decided once, and written to the journal."""

import time
from pathlib import Path

from zwizard.boottest.stages import Outcome, StageResult, stages
from zwizard.boottest.watch.boot_causes import BootFailureCause
from zwizard.jobs import journal
from zwizard.jobs.events import BootTestRestarted, BootTestStage, Event


class NotUpError(Exception):
    """The machine did not come up: the cause, the line that shows it, the console's last lines."""

    def __init__(self, cause: BootFailureCause, evidence: str = "", tail: str = "") -> None:
        super().__init__(cause.message)
        self.cause = cause
        self.evidence = evidence or cause.message
        self.tail = tail


class KvmGaveUpError(Exception):
    """KVM runs a tiny guest here but not this one: a fault of the host, not of the image."""


class Results:
    """The results by stage.

    ``mode`` (the artefact's) decides which stages there are.
    """

    def __init__(self, path: Path) -> None:
        self.by_stage: dict[str, StageResult] = {}
        self.mode = "vm"
        self._journal = path
        self._started = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return round(time.monotonic() - self._started, 2)

    def restart(self, why: str) -> None:
        """Forget all results: the machine starts again."""
        self.by_stage.clear()
        self.note(BootTestRestarted(why=why))

    def note(self, event: Event) -> None:
        """Append an event to the journal."""
        journal.append(self._journal, event)

    def record(self, stage: str, outcome: Outcome, evidence: str) -> None:
        """Decide a stage, unless it is decided."""
        if stage in self.by_stage:
            return
        seconds = self.elapsed
        self.by_stage[stage] = StageResult(stage, outcome, evidence, seconds)
        self.note(BootTestStage(stage=stage, outcome=outcome, evidence=evidence, seconds=seconds))

    def decided(self, *stages: str) -> bool:
        """Whether all of these stages are decided."""
        return all(stage in self.by_stage for stage in stages)

    def first_open(self, after: str = "kernel") -> str:
        """The first stage from ``after`` on that is not decided."""
        names = [stage.name for stage in stages(self.mode)]
        later = names[names.index(after) :]
        return next((name for name in later if name not in self.by_stage), names[-2])

    def fail(self, error: NotUpError) -> None:
        """Fail the stage that the machine did not get through."""
        self.record(self.first_open(after=error.cause.stage), "fail", error.evidence)
