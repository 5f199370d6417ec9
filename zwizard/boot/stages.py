"""What a proof asserts, in the order in which it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["pass", "fail", "unknown"]


@dataclass(frozen=True)
class Stage:
    """One thing that is asserted; ``image_only`` where only a disk image has it."""

    name: str
    title: str
    image_only: bool = False


STAGES = (
    Stage("start", "the machine is put together and started"),
    Stage("kernel", "the kernel starts"),
    Stage("root", "the root file system is mounted"),
    Stage("init", "init is reached"),
    Stage("login", "root logs in over SSH with the proof's key"),
    Stage("hostname", "the host name is the one given"),
    Stage("network", "address and route are the ones given"),
    Stage("grown", "the root has grown to the disk", image_only=True),
    Stage("password", "root does not log in with a password"),
    Stage("cloud-init", "cloud-init ends with NoCloud and without error"),
    Stage("shutdown", "it shuts down cleanly"),
    Stage("untouched", "the artefact is what it was before"),
)


def stages(mode: str) -> tuple[Stage, ...]:
    """What is asserted of an artefact of this mode (``vm`` or ``image``)."""
    return tuple(stage for stage in STAGES if mode == "image" or not stage.image_only)


@dataclass(frozen=True)
class Finding:
    """What one stage came to; ``evidence`` is raw, as the guest gave it."""

    stage: str
    outcome: Outcome
    evidence: str
