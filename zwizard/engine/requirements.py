"""What a build needs before it starts: tools, space, writable directories; what is cached."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from zwizard.engine.layers import Layer, Store, disk_usage
from zwizard.host import tools
from zwizard.host.privileges import Privilege
from zwizard.image.archive.decompress import is_compressed
from zwizard.steps.step import Plan, Step
from zwizard.util import paths, places
from zwizard.util.units import MIB

_SPARE = 50 * MIB  # bytes that should stay free
_NOTES = 10 * MIB  # a build's journal, logs and report
_GROWTH = 4  # times that a compressed file grows, at most as a rule
_PATIENCE = 5.0  # seconds that measuring a directory may take
_QCOW2 = b"QFI\xfb"
_ANOTHER_OUTPUT = "Free some space there, or choose another directory for the archive."


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
    plan: Plan,
    store: Store,
    output: Path,
    changes: Mapping[str, str] | None = None,
    state: Path | None = None,
) -> Forecast:
    """What building ``plan`` into the directory ``output`` would do.

    ``state``: the directory of its journal and logs, this user's by default.

    ``changes`` describes, by key, what changed in the recipe since this archive was last built:
    the reasons that steps run. None: it was never built.
    """
    plan = _measured(plan)
    unmade = "not built yet" if changes is None else "not finished yet"
    steps = _states(plan, store, changes or {}, unmade)
    to_run = tuple(step.step for step in steps if not step.layer)
    needs, delivers = sum(step.size for step in to_run), _archive_size(plan, store, output)
    beside = _device(output) == _device(store.directory)
    missing = tools.missing(replace(plan, steps=to_run).tools() if to_run else ())
    own = places.own()
    problems = [
        *([UnmetRequirement(*tools.describe_missing(missing))] if missing else []),
        *_place_problem(output, 0 if beside else delivers, _ANOTHER_OUTPUT),
        *_place_problem(store.directory, needs + (delivers if beside else 0), own[paths.cache()]),
        *_place_problem(state or paths.state(), _NOTES if to_run else 0, own[paths.state()]),
    ]
    free = places.free_space(store.directory)
    return Forecast(steps, needs, free, tuple(problems), missing)


def unpacked_size(file: Path) -> int:
    """About how many bytes the contents of a file or directory take; raises OSError."""
    if file.is_dir():
        if (found := _directory_size(file, file.stat().st_mtime_ns)) is None:
            raise TimeoutError(f"{file} is too large to be measured")
        return found
    with file.open("rb") as opened:
        grows = is_compressed(opened) or opened.read(len(_QCOW2)) == _QCOW2
    return file.stat().st_blocks * 512 * (_GROWTH if grows else 1)


@lru_cache(maxsize=8)
def _directory_size(directory: Path, _changed: int) -> int | None:
    """None if it has too much in it, as / or a home, typed on the way to a file, may have."""
    try:
        return disk_usage(directory, _PATIENCE)
    except TimeoutError:
        return None


def _measured(plan: Plan) -> Plan:
    """``plan`` with the sizes of what is made of a file, by that file if it is on this machine."""
    first = plan.steps[0]
    try:
        taken = unpacked_size(Path(first.unpacks)) if first.unpacks else None
    except OSError:  # a URL, too much to measure, or a problem that is reported elsewhere
        taken = None
    if taken is None:
        return plan
    steps = (replace(first, size=taken + taken // 4), *plan.steps[1:])
    packs = replace(steps[-1], size=sum(step.size for step in steps[:-1]) // 2)
    return replace(plan, steps=(*steps[:-1], packs))


def _archive_size(plan: Plan, store: Store, output: Path) -> int:
    """About how many bytes the archive will take in ``output``; 0 if it is there already."""
    try:
        packed = store.archive(plan.fingerprints()[-1]).stat().st_size
        delivered = output / plan.archive
        return 0 if delivered.exists() and delivered.stat().st_size == packed else packed
    except OSError:
        return plan.steps[-1].size


def _device(directory: Path) -> int:
    return places.existing(directory).lstat().st_dev


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


def _place_problem(directory: Path, needs: int, remedy: str) -> list[UnmetRequirement]:
    """Why ``needs`` bytes cannot be written to ``directory``, if so."""
    reason = places.problem(directory, needs and needs + _SPARE)
    return [UnmetRequirement(reason, remedy)] if reason else []
