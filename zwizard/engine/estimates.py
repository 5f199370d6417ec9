"""How long steps usually take on this host, by the journals and layers of earlier builds."""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from zwizard.engine import builds
from zwizard.engine.builds import Build
from zwizard.engine.layers import Store
from zwizard.engine.status import Status
from zwizard.jobs import events
from zwizard.jobs.journal import replay
from zwizard.recipe.model import Recipe

CHECKLIST = "checklist"  # what follows the last step, among the steps' names
_RECENT = 5  # earlier runs that count
LEAST = 1.0  # seconds that are worth telling

Pace = Mapping[str, float]  # seconds by step


def usual(build: Build, store: Store) -> Pace:
    """Seconds that each step usually takes: the median of its last five runs.

    If this build never ran it, builds of the same system count; if none of those did, any build,
    and the layers in ``store``. Reads every journal: not for an interface's thread.
    """
    tiers: tuple[list[tuple[str, float]], ...] = ([], [], [])
    others, similar, own = tiers
    others += ((layer.step, layer.seconds) for layer in store.all())
    kind = _kind(builds.recipe_of(build))
    for other in reversed(builds.everything()):  # the latest last
        alike = similar if kind and _kind(builds.recipe_of(other)) == kind else others
        (own if other == build else alike).extend(_timed(replay(other.journal)))
    return {step: seconds for tier in tiers for step, seconds in _medians(tier).items()}


def to_go(status: Status, pace: Pace, now: float) -> float | None:
    """About how many seconds a running build still takes.

    None if nobody knows, as a step never ran or runs longer than usual, or as the build has only
    begun and its steps may all be cached; None also for the last second.
    """
    left = _to_go(status, pace, now)
    return left if left is not None and left >= LEAST else None


def fraction(status: Status, pace: Pace, now: float) -> float | None:
    """How much of a running build is done, from 0 to 1; None if nobody knows."""
    left, passed = to_go(status, pace, now), max(0.0, now - status.started)
    return None if left is None else passed / (passed + left)


def _to_go(status: Status, pace: Pace, now: float) -> float | None:
    total = pace.get(CHECKLIST, 0.0)
    if status.checking:
        return _left(total, status.checking, now) if total else None
    if not any(step.state in {"running", "done"} for step in status.steps):
        return None
    for step in status.steps:
        if step.state not in {"waiting", "running"}:
            continue
        if step.name not in pace:
            return None
        left: float | None = pace[step.name]
        if step.state == "running":
            left = _left(pace[step.name], step.started, now)
        if left is None:
            return None
        total += left
    return total


def _left(whole: float, started: float, now: float) -> float | None:
    passed = max(0.0, now - started)
    return whole - passed if passed <= whole else None


def _medians(times: Iterable[tuple[str, float]]) -> Pace:
    by_step: dict[str, list[float]] = defaultdict(list)
    for step, seconds in times:
        by_step[step].append(seconds)
    return {step: statistics.median(all_[-_RECENT:]) for step, all_ in by_step.items()}


def _timed(journal: Iterable[events.Event]) -> Iterator[tuple[str, float]]:
    """The seconds of each step in a journal, and of the checklist."""
    checking: float | None = None
    for event in journal:
        match event:
            case events.StepFinished(step=step, seconds=seconds):
                yield step, seconds
            case events.CheckStarted(at=at):
                checking = at
            case events.BuildFinished(at=at) if checking is not None:
                yield CHECKLIST, at - checking
                checking = None
            case events.BuildStarted():
                checking = None


def _kind(recipe: Recipe | None) -> tuple[str, ...]:
    if recipe is None:
        return ()
    source = recipe.source
    return (recipe.target, source.distro, source.suite, source.variant, source.bootstrap)
