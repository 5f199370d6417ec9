"""How long steps usually take here, by the journals and layers of earlier builds."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from zwizard.engine import builds
from zwizard.engine.builds import Build
from zwizard.engine.layers import Store
from zwizard.engine.status import Status
from zwizard.jobs.journal import Event, replay
from zwizard.recipe.model import Recipe

CHECKLIST = "checklist"  # what follows the last step, among the steps' names
_RECENT = 5  # earlier runs that count

Pace = Mapping[str, float]  # seconds by step


def usual(build: Build, store: Store) -> Pace:
    """Seconds that each step took when it ran before: the median of the last five times.

    Where this build never ran it, builds of the same system count; where none of those did, any
    build, and the layers in ``store``. It reads every journal: not for an interface's thread.
    """
    own, kin, others = _Times(), _Times(), _Times()
    others.add((layer.step, layer.seconds) for layer in store.all())
    kind = _kind(builds.recipe_of(build))
    for other in reversed(builds.everything()):  # the latest last
        times = list(_timed(replay(other.journal)))
        if other == build:
            own.add(times)
        elif kind and _kind(builds.recipe_of(other)) == kind:
            kin.add(times)
        else:
            others.add(times)
    return {**others.medians(), **kin.medians(), **own.medians()}


def to_go(told: Status, pace: Pace, now: float) -> float | None:
    """About how many seconds a running build still takes; None where that is not known."""
    total = pace.get(CHECKLIST, 0.0)
    if told.checking:
        return _left(total, told.checking, now) if total else None
    for step in told.steps:
        if step.state not in {"waiting", "running"}:
            continue
        if step.name not in pace:
            return None
        whole = pace[step.name]
        total += _left(whole, step.began, now) if step.state == "running" else whole
    return total


def _left(whole: float, began: float, now: float) -> float:
    return max(0.0, whole - max(0.0, now - began))


class _Times:
    """Seconds by step, in the order in which they were measured."""

    def __init__(self) -> None:
        self._of: dict[str, list[float]] = defaultdict(list)

    def add(self, times: Iterable[tuple[str, float]]) -> None:
        for step, seconds in times:
            self._of[step].append(seconds)

    def medians(self) -> dict[str, float]:
        return {step: statistics.median(all_[-_RECENT:]) for step, all_ in self._of.items()}


def _timed(events: Iterable[Event]) -> Iterator[tuple[str, float]]:
    """What a journal says of how long each step took, and the checklist."""
    checking: Any = None
    for event in events:
        match event:
            case {"event": "step-finished", "step": str(step), "seconds": int() | float() as took}:
                yield step, float(took)
            case {"event": "check-started", "at": began}:
                checking = began
            case {"event": "build-finished", "at": ended} if checking is not None:
                yield CHECKLIST, float(ended - checking)
                checking = None
            case {"event": "build-started"}:
                checking = None


def _kind(recipe: Recipe | None) -> tuple[str, ...]:
    """What makes builds alike in how long they take."""
    if recipe is None:
        return ()
    source = recipe.source
    return (recipe.target, source.distro, source.suite, source.variant, source.bootstrap)
