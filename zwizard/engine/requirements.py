"""What is looked at before anything runs: tools, space, places to write, what is there already."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from zwizard.engine.layers import Layer, Store
from zwizard.host import tools
from zwizard.host.privileges import Privilege
from zwizard.steps.step import Plan, Step
from zwizard.util import paths
from zwizard.util.text import size

_SPARE = 200 * 2**20  # bytes that should stay free


@dataclass(frozen=True)
class UnmetRequirement:
    """Something that keeps a build from starting: what, what to do, the recipe's key if any."""

    said: str
    remedy: str
    key: str = ""


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
    """What a build would do and need. Bytes are estimates; ``troubles`` stop it, if any.

    ``lacking`` are the programs that the steps to run need and this machine has not.
    """

    steps: tuple[StepState, ...]
    needs: int
    free: int
    troubles: tuple[UnmetRequirement, ...]
    lacking: frozenset[str] = frozenset()

    @property
    def first(self) -> int:
        """The number of steps that are there already, from the first."""
        return next((i for i, state in enumerate(self.steps) if not state.layer), len(self.steps))


def store_of(privilege: Privilege) -> Store:
    """Where the layers are."""
    return Store(privilege.layers_below(paths.cache()))


def forecast(
    plan: Plan, store: Store, output: Path, changes: Mapping[str, str] | None = None
) -> Forecast:
    """What building ``plan`` into the directory ``output`` would do.

    ``changes`` describes, by key, what changed in the recipe since this archive was last built:
    the reasons that steps run. None: it was never built.
    """
    unmade = "not built yet" if changes is None else "not finished yet"
    steps = _states(plan, store, changes or {}, unmade)
    missing = tuple(state.step for state in steps if not state.layer)
    needs = sum(step.size for step in missing)
    free = free_space(store.directory)
    lacking = tools.missing(replace(plan, steps=missing).tools() if missing else ())
    troubles = [
        *_tool_trouble(lacking),
        *_place_trouble(output, "Choose another directory for the archive."),
        *_place_trouble(store.directory, "Move the cache with XDG_CACHE_HOME."),
    ]
    if missing and free < needs + _SPARE:
        said = f"{store.directory} has {size(free)} free, and this needs about"
        remedy = "Free some space (zwizard clean), or move the cache with XDG_CACHE_HOME."
        troubles.append(UnmetRequirement(f"{said} {size(needs + _SPARE)}", remedy))
    return Forecast(steps, needs, free, tuple(troubles), lacking)


def _states(
    plan: Plan, store: Store, changes: Mapping[str, str], unmade: str
) -> tuple[StepState, ...]:
    fingerprints = plan.fingerprints()
    layers = [store.get(fingerprint) for fingerprint in fingerprints]
    # A later layer lies on its parents, so it counts only where all of them are there too.
    present = next((i for i, x in enumerate(layers) if x is None), len(layers))
    states = []
    for number, (step, fingerprint, layer) in enumerate(
        zip(plan.steps, fingerprints, layers, strict=True), 1
    ):
        if number <= present:
            states.append(StepState(number, step, fingerprint, layer, ""))
            continue
        changed = [changes[key] for key in step.answers if key in changes]
        first = plan.steps[present].name
        otherwise = unmade if number == present + 1 else f'depends on "{first}"'
        states.append(StepState(number, step, fingerprint, None, ", ".join(changed) or otherwise))
    return tuple(states)


def _tool_trouble(lacking: frozenset[str]) -> list[UnmetRequirement]:
    if not lacking:
        return []
    remedy = f"{tools.install_command(lacking)}   (or: zwizard doctor --install)"
    return [UnmetRequirement(f"missing on this machine: {', '.join(sorted(lacking))}", remedy)]


def _place_trouble(directory: Path, remedy: str) -> list[UnmetRequirement]:
    """Why ``directory`` cannot take what goes there, if it cannot."""
    place = existing(directory)
    if not place.is_dir():
        return [UnmetRequirement(f"{place} is not a directory", remedy)]
    if not os.access(place, os.W_OK | os.X_OK):
        return [UnmetRequirement(f"{directory} cannot be written to by you", remedy)]
    return []


def existing(path: Path) -> Path:
    """``path``, or the nearest of its parents that exists."""
    return next(place for place in (path, *path.parents) if place.exists())


def free_space(path: Path) -> int:
    """Bytes free for this user where ``path`` is or will be."""
    return shutil.disk_usage(existing(path)).free
