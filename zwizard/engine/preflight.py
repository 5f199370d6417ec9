"""What is looked at before anything runs: tools, space, places to write, what is there already."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from zwizard import paths
from zwizard.engine.layers import Layer, Store
from zwizard.engine.sandbox import Privilege
from zwizard.plan.step import Plan, Step
from zwizard.text import size

_SPARE = 200 * 2**20  # bytes that should stay free


@dataclass(frozen=True)
class StepState:
    """A step as a build would find it: its layer if it is there, and if not, why it will run."""

    number: int
    step: Step
    fingerprint: str
    layer: Layer | None
    reason: str


@dataclass(frozen=True)
class Forecast:
    """What a build would do and need. Bytes are estimates; ``problems`` stop it, if any."""

    steps: tuple[StepState, ...]
    needs: int
    free: int
    problems: tuple[tuple[str, str], ...]  # what is wrong, and what to do about it

    @property
    def first(self) -> int:
        """The number of steps that are there already, from the first."""
        return next((i for i, state in enumerate(self.steps) if not state.layer), len(self.steps))


def store_of(privilege: Privilege) -> Store:
    """Where the layers are."""
    return Store(privilege.layers_below(paths.cache()))


def forecast(plan: Plan, store: Store, output: Path, *, before: Plan | None = None) -> Forecast:
    """What building ``plan`` into the directory ``output`` would do.

    ``before``: the plan this build had the last time; what differs is the reason a step runs.
    """
    steps = _states(plan, store, before)
    missing = tuple(state for state in steps if not state.layer)
    needs = sum(state.step.size for state in missing)
    free = free_space(store.directory)
    found = [*_tool_problems(plan, missing), *_place_problems(output)]
    if missing and free < needs + _SPARE:
        found.append(
            (
                f"{store.directory} has {size(free)} free, and this needs about"
                f" {size(needs + _SPARE)}",
                "Free some space (zwizard clean), or move the cache with XDG_CACHE_HOME.",
            )
        )
    return Forecast(steps, needs, free, tuple(found))


def _states(plan: Plan, store: Store, before: Plan | None) -> tuple[StepState, ...]:
    fingerprints = plan.fingerprints()
    layers = [store.get(fingerprint) for fingerprint in fingerprints]
    # A later layer lies on its parents, so it counts only where all of them are there too.
    present = next((i for i, x in enumerate(layers) if x is None), len(layers))
    earlier = {step.name: step for step in before.steps} if before else {}
    states = []
    parent = ""
    for number, (step, print_, layer) in enumerate(
        zip(plan.steps, fingerprints, layers, strict=True), 1
    ):
        there = layer if number <= present else None
        reason = ""
        if number > present:
            reason = parent or _reason(step, earlier.get(step.name), bool(before))
            parent = parent or f"it lies on {step.name}"
        states.append(StepState(number, step, print_, there, reason))
    return tuple(states)


def _reason(step: Step, earlier: Step | None, had_before: bool) -> str:
    if not had_before:
        return "not made yet"
    if earlier is None:
        return "new in this recipe"
    if earlier.actions != step.actions:
        return f"changed: {', '.join(step.answers) or 'what it does'}"
    return "not finished yet"


def _tool_problems(plan: Plan, missing: tuple[StepState, ...]) -> list[tuple[str, str]]:
    from zwizard.engine import doctor

    needed = Plan(plan.name, plan.target, plan.environment, tuple(s.step for s in missing))
    lacking = doctor.missing(needed.tools() if missing else frozenset())
    if not lacking:
        return []
    return [
        (
            f"missing on this machine: {', '.join(sorted(lacking))}",
            f"{doctor.install_command(lacking)}   (or: zwizard doctor --install)",
        )
    ]


def _place_problems(output: Path) -> list[tuple[str, str]]:
    place = existing(output)
    if not place.is_dir():
        return [(f"{place} is not a directory", "Choose another directory for the archive.")]
    if not os.access(place, os.W_OK | os.X_OK):
        return [
            (f"{output} cannot be written to by you", "Choose another directory for the archive.")
        ]
    return []


def existing(path: Path) -> Path:
    """``path``, or the nearest of its parents that exists."""
    return next(place for place in (path, *path.parents) if place.exists())


def free_space(path: Path) -> int:
    """Bytes free for this user where ``path`` is or will be."""
    return shutil.disk_usage(existing(path)).free
