"""What a proof asserts, in the order in which it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["pass", "fail", "unknown"]


@dataclass(frozen=True)
class Stage:
    """One thing that is asserted, of artefacts of these ``modes``."""

    name: str
    title: str
    modes: frozenset[str] = frozenset({"container", "vm", "image"})


_MACHINE = frozenset({"vm", "image"})
_IMAGE = frozenset({"image"})
_CONTAINER = frozenset({"container"})


STAGES = (
    Stage("start", "the machine is put together and started"),
    Stage("kernel", "the kernel starts"),
    Stage("root", "the root file system is mounted"),
    Stage("init", "init is reached", _MACHINE),
    Stage("entrypoint", "the entrypoint is started, with its arguments", _CONTAINER),
    Stage("environment", "its environment is the one given", _CONTAINER),
    Stage("login", "root logs in over SSH with the proof's key", _MACHINE),
    Stage("hostname", "the host name is the one given"),
    Stage("network", "address and route are the ones given"),
    Stage("grown", "the root has grown to the disk", _IMAGE),
    Stage("password", "root does not log in with a password", _MACHINE),
    Stage("cloud-init", "cloud-init ends with NoCloud and without error", _MACHINE),
    Stage("stays", "the entrypoint goes on running", _CONTAINER),
    Stage("shutdown", "it shuts down cleanly", _MACHINE),
    Stage("untouched", "the artefact is what it was before"),
)


def stages(mode: str) -> tuple[Stage, ...]:
    """What is asserted of an artefact of this mode (``container``, ``vm`` or ``image``)."""
    return tuple(stage for stage in STAGES if mode in stage.modes)


@dataclass(frozen=True)
class Finding:
    """What one stage came to; ``evidence`` is raw, as the guest gave it."""

    stage: str
    outcome: Outcome
    evidence: str
