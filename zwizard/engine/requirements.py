"""What a build needs before it starts: tools, space, writable directories; what is cached."""

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
from zwizard.util.units import MIB

_SPARE = 200 * MIB  # bytes that should stay free


@dataclass(frozen=True)
class UnmetRequirement:
    """A reason why a build cannot start, what to do, and the key of the recipe if there is one."""

    message: str
    remedy: str
    key: str = ""


@dataclass(frozen=True)
class StepState:
    """A step before a build: its cached layer, or the ``reason`` why it will run."""

    number: int
    step: Step
    layer: Layer | None
    reason: str


@dataclass(frozen=True)
class Forecast:
    """What a build would do; ``needs`` (an estimate) and ``free`` are bytes.

    ``problems`` prevent it; ``missing`` are the programs that it needs and this host has not.
    """

    steps: tuple[StepState, ...]
    needs: int
    free: int
    problems: tuple[UnmetRequirement, ...]
    missing: frozenset[str] = frozenset()

    @property
    def cached(self) -> int:
        """The number of cached steps, counted from the first."""
        return next((i for i, state in enumerate(self.steps) if not state.layer), len(self.steps))


def store_of(privilege: Privilege) -> Store:
    """The store of the layers that this privilege makes."""
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
    to_run = tuple(state.step for state in steps if not state.layer)
    needs = sum(step.size for step in to_run)
    free = free_space(store.directory)
    missing = tools.missing(replace(plan, steps=to_run).tools() if to_run else ())
    problems = [
        *([UnmetRequirement(*tools.describe_missing(missing))] if missing else []),
        *_place_problem(output, "Choose another directory for the archive."),
        *_place_problem(store.directory, "Move the cache with XDG_CACHE_HOME."),
    ]
    if to_run and free < needs + _SPARE:
        message = f"{store.directory} has {size(free)} free, and this needs about"
        remedy = "Free some space (zwizard clean), or move the cache with XDG_CACHE_HOME."
        problems.append(UnmetRequirement(f"{message} {size(needs + _SPARE)}", remedy))
    return Forecast(steps, needs, free, tuple(problems), missing)


def _states(
    plan: Plan, store: Store, changes: Mapping[str, str], unmade: str
) -> tuple[StepState, ...]:
    layers = store.chain(plan.fingerprints())
    present = len(layers)
    states = []
    for number, step in enumerate(plan.steps, 1):
        if number <= present:
            states.append(StepState(number, step, layers[number - 1], ""))
            continue
        changed = [changes[key] for key in step.answers if key in changes]
        first = plan.steps[present].name
        otherwise = unmade if number == present + 1 else f'depends on "{first}"'
        states.append(StepState(number, step, None, ", ".join(changed) or otherwise))
    return tuple(states)


def _place_problem(directory: Path, remedy: str) -> list[UnmetRequirement]:
    """Why nothing can be written to ``directory``, if so."""
    place = existing(directory)
    if not place.is_dir():
        return [UnmetRequirement(f"{place} is not a directory", remedy)]
    if not os.access(place, os.W_OK | os.X_OK):
        return [UnmetRequirement(f"you cannot write to {directory}", remedy)]
    return []


def existing(path: Path) -> Path:
    """``path``, or its nearest parent that exists."""
    return next(place for place in (path, *path.parents) if place.exists())


def free_space(path: Path) -> int:
    """Bytes free for this user on the file system of ``path``."""
    return shutil.disk_usage(existing(path)).free
