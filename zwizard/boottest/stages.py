"""The stages of a boot test, in the order in which they are shown, and their results."""

from dataclasses import dataclass
from typing import Any, Literal

Outcome = Literal["waiting", "running", "pass", "fail", "unknown", "unreached"]


@dataclass(frozen=True)
class Stage:
    """One thing that is tested, for artefacts of these ``modes``."""

    name: str
    title: str
    modes: frozenset[str] = frozenset({"container", "vm", "image"})


_MACHINE = frozenset({"vm", "image"})
_IMAGE = frozenset({"image"})
_CONTAINER = frozenset({"container"})


STAGES = (
    Stage("start", "the machine starts"),
    Stage("kernel", "the kernel starts"),
    Stage("root", "the root file system is mounted"),
    Stage("init", "init is reached", _MACHINE),
    Stage("entrypoint", "the entrypoint is started, with its arguments", _CONTAINER),
    Stage("environment", "its environment is the configured one", _CONTAINER),
    Stage("login", "root logs in over SSH with the test's key", _MACHINE),
    Stage("hostname", "the host name is the configured one"),
    Stage("network", "address and route are the configured ones"),
    Stage("grown", "the root has grown to the disk", _IMAGE),
    Stage("password", "root does not log in with a password", _MACHINE),
    Stage("cloud-init", "cloud-init ends with NoCloud and without error", _MACHINE),
    Stage("stays", "the entrypoint keeps running", _CONTAINER),
    Stage("shutdown", "it shuts down cleanly", _MACHINE),
    Stage("untouched", "the artefact is unchanged"),
)


def stages(mode: str) -> tuple[Stage, ...]:
    """The stages for a mode (``container``, ``vm`` or ``image``)."""
    return tuple(stage for stage in STAGES if mode in stage.modes)


@dataclass(frozen=True)
class StageResult:
    """The outcome of a stage so far.

    ``evidence`` is raw, as the guest printed it; ``seconds`` since the start of the test.
    """

    name: str
    outcome: Outcome = "waiting"
    evidence: str = ""
    seconds: float = 0.0

    @property
    def title(self) -> str:
        """What the stage tests."""
        return next(stage.title for stage in STAGES if stage.name == self.name)

    def to_json(self) -> dict[str, Any]:
        """The result as plain data, for the report."""
        return {
            "stage": self.name,
            "title": self.title,
            "outcome": self.outcome,
            "evidence": self.evidence,
            "seconds": self.seconds,
        }
