"""What the stages of a proof came to: each once, told to the journal as it is decided."""

from __future__ import annotations

import time
from pathlib import Path

from zwizard.boottest.stages import Finding, Outcome, stages
from zwizard.boottest.watch.failure_causes import BootFailureCause
from zwizard.jobs import journal


class NotUpError(Exception):
    """The machine did not come up: why, the line that shows it, and the console's last ones."""

    def __init__(self, cause: BootFailureCause, evidence: str = "", tail: str = "") -> None:
        super().__init__(cause.said)
        self.cause = cause
        self.evidence = evidence or cause.said
        self.tail = tail


class KvmGaveUpError(Exception):
    """KVM ran a tiny guest here, and not this one: what it said. The machine's fault, not its."""


class Results:
    """The findings by stage, and how many seconds after the beginning each was made.

    ``mode`` is the artefact's, by which its stages are known.
    """

    def __init__(self, path: Path) -> None:
        self.findings: dict[str, Finding] = {}
        self.times: dict[str, float] = {}
        self.mode = "vm"
        self._journal = path
        self._since = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return round(time.monotonic() - self._since, 2)

    def again(self, why: str) -> None:
        """Begin anew, as if nothing had been found so far."""
        self.findings.clear()
        self.times.clear()
        self.note("proof-again", why=why)

    def note(self, event: str, **told: object) -> None:
        """Tell the journal."""
        journal.append(self._journal, event, **told)

    def record(self, stage: str, outcome: Outcome, evidence: str) -> None:
        """Note what a stage came to, if that is not decided yet."""
        if stage in self.findings:
            return
        self.findings[stage] = Finding(stage, outcome, evidence)
        self.times[stage] = self.elapsed
        self.note(
            "proof-stage",
            stage=stage,
            outcome=outcome,
            evidence=evidence,
            seconds=self.times[stage],
        )

    def decided(self, *stages: str) -> bool:
        """Whether all of these are."""
        return all(stage in self.findings for stage in stages)

    def first_open(self, after: str = "kernel") -> str:
        """The first stage from ``after`` on that is not decided."""
        names = [stage.name for stage in stages(self.mode)]
        later = names[names.index(after) :]
        return next((name for name in later if name not in self.findings), names[-2])

    def fail(self, error: NotUpError) -> None:
        """Note what kept the machine from coming up, at the stage that it kept from passing."""
        self.record(self.first_open(after=error.cause.stage), "fail", error.evidence)
