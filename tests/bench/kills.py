"""SIGKILL at random moments: builds, repairs and boot tests end as if nothing had been killed.

``python -m tests.bench.kills [COUNT [KIND...]]``: by hand. Kinds: container, repair, vm, image,
boot; the last three need the network, and minutes each.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.real.workplace import Result, Workplace
from tests.support.faults import both, write
from tests.support.trees import vm_tree

VICTIMS = ("", "zwizard.jobs.supervisor", "zwizard.jobs.worker", "bin/zwizard")  # "": all of them


@dataclass(frozen=True)
class Scenario:
    """A command that is killed: how its build (or "") is called, and what the command makes."""

    command: tuple[str | Path, ...]
    build: str
    result: Path
    dated: bool = False  # what it changes keeps the time of the change, which is not compared

    def digest(self) -> str:
        """Of the result."""
        if not self.result.exists():
            return "missing"
        if not self.dated:
            return hashlib.sha256(self.result.read_bytes()).hexdigest()
        sums = hashlib.sha256()
        with tarfile.open(self.result) as archive:
            for member in archive:
                file = archive.extractfile(member) if member.isreg() else None
                facts = (member.name, member.mode, member.uid, member.gid, member.linkname)
                sums.update(repr((*facts, file.read() if file else b"")).encode())
        return sums.hexdigest()


class Kills:
    """Commands at one place, killed at moments that ``seed`` decides; TMPDIR must be its tmp."""

    victims: tuple[str, ...] = VICTIMS
    lasting = True  # a finished step is not carried out again

    def __init__(self, place: Workplace, seed: int) -> None:
        self.place = place
        self._random = random.Random(seed)
        self._scenarios: dict[str, tuple[Scenario, str, float]] = {}
        self._temporary = place.directory / "tmp"
        self._temporary.mkdir(exist_ok=True)

    def once(self, kind: str) -> str:
        """Kill one command of ``kind`` at work and carry it out again; what is wrong, or ""."""
        if kind not in self._scenarios:
            self._scenarios[kind] = self._undisturbed(kind)
        scenario, digest, seconds = self._scenarios[kind]
        self._forget(scenario, kind)
        victim = self._random.choice(self.victims)
        moment = self._random.uniform(0, seconds)
        position = self._size(scenario)
        running = self.place.start(*scenario.command)
        time.sleep(moment)
        self._strike(victim)
        running.communicate()
        done = self._finished(scenario, position)
        position = self._size(scenario)
        again = self.place.run(*self._again(scenario))
        repeated = done & self._started(scenario, position) if self.lasting else ()
        problems = [
            *([f"exit code {again.code}: {again.output[-800:]}{again.errors}"] * bool(again.code)),
            *(["another SHA-256"] if scenario.digest() != digest else []),
            *(f"{step} ran again" for step in repeated),
            *self._left(),
        ]
        name = victim.rpartition(".")[2] or "everything"
        return "\n".join([f"{kind}: {name} after {moment:.2f} s", *problems] if problems else [])

    def _strike(self, victim: str) -> None:
        kill(self.place.directory, victim)

    def _undisturbed(self, kind: str) -> tuple[Scenario, str, float]:
        scenario = SCENARIOS[kind](self.place)
        first = self._run(scenario)  # it may download and keep what no later run has to
        self._forget(scenario, kind)
        since = time.monotonic()
        self._run(scenario)
        seconds = time.monotonic() - since
        if first != scenario.digest():
            raise AssertionError(f"{kind} makes other bytes each time")
        return scenario, first, seconds

    def _run(self, scenario: Scenario) -> str:
        result: Result = self.place.run(*scenario.command)
        assert result.code == 0, result.output + result.errors
        self.place.traces()  # waits until its processes have ended
        return scenario.digest()

    def _forget(self, scenario: Scenario, kind: str) -> None:
        """Remove the result and the layers, of a system that takes minutes only some."""
        if not scenario.build:
            return
        scenario.result.unlink(missing_ok=True)
        made = sorted(
            self.place.layers.glob("*/layer.json"), key=lambda file: file.stat().st_mtime
        )
        kept = self._random.randrange(1, len(made) + 1) if kind in {"vm", "image"} else 0
        for record in made[kept:]:
            shutil.rmtree(record.parent)

    def _again(self, scenario: Scenario) -> tuple[str | Path, ...]:
        started = scenario.build and self._journal(scenario).parent.exists()
        return ("resume", scenario.build) if started else scenario.command

    def _journal(self, scenario: Scenario) -> Path:
        return self.place.build_directory(scenario.build) / "journal.jsonl"

    def _size(self, scenario: Scenario) -> int:
        journal = self._journal(scenario)
        return journal.stat().st_size if scenario.build and journal.exists() else 0

    def _events(self, scenario: Scenario, position: int, *names: str) -> set[str]:
        if not self._size(scenario):
            return set()
        lines = self._journal(scenario).read_bytes()[position:].splitlines()
        found: set[str] = set()
        for line in lines:
            with contextlib.suppress(ValueError):  # torn by the kill
                event = json.loads(line)
                found |= {event["step"]} if event["event"] in names else set()
        return found

    def _finished(self, scenario: Scenario, position: int) -> set[str]:
        return self._events(scenario, position, "step-finished", "step-cached")

    def _started(self, scenario: Scenario, position: int) -> set[str]:
        return self._events(scenario, position, "step-started")

    def _left(self) -> list[str]:
        hidden = [*self.place.directory.glob(".*"), *(self.place.directory / "state").rglob(".*")]
        found = [*hidden, *self._temporary.iterdir()]
        return [*self.place.traces(), *(f"file {path}" for path in found)]


def kill(place: Path, victim: str = "") -> None:
    """Kill the processes at work in ``place`` that have ``victim`` in their command line."""
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if str(place) in command and victim in command and int(entry.name) != os.getpid():
                os.kill(int(entry.name), signal.SIGKILL)


# --- what is killed ------------------------------------------------------------------------------


def _container(place: Workplace, name: str = "web") -> Scenario:
    shutil.copy(shutil.which("busybox") or "", place.directory / "program")
    tables = (
        '[source]\nkind = "binary"\nlocation = "program"\n'
        '[container]\nentrypoint = "/sleep"\nargs = ["3600"]\n'
    )
    recipe = place.recipe(name, tables, target="container")
    return Scenario(("build", recipe), name, place.directory / f"{name}.tar.gz")


def _repair(place: Workplace) -> Scenario:
    given = place.directory / "given/small"
    both(
        write("etc/machine-id", b"0123456789abcdef0123456789abcdef\n"),
        write("etc/hostname", b"box\n"),
    )(vm_tree(given))
    archive = given.with_name("small-repaired.tar.gz")
    return Scenario(("repair", given), "small-repaired", archive, dated=True)


def _system(target: str) -> Callable[[Workplace], Scenario]:
    def make(place: Workplace) -> Scenario:
        recipe = place.recipe(target, '[source]\nvariant = "minimal"\n', target=target)
        return Scenario(("build", recipe), target, place.directory / f"{target}.tar.gz")

    return make


def _boot(place: Workplace) -> Scenario:
    container = _container(place, "booted")
    assert place.run(*container.command).code == 0
    return Scenario(("boot", container.result), "", container.result)


SCENARIOS: dict[str, Callable[[Workplace], Scenario]] = {
    "container": _container,
    "repair": _repair,
    "vm": _system("vm"),
    "image": _system("image"),
    "boot": _boot,
}


def main(arguments: list[str]) -> int:
    """Kill COUNT times, the kinds in turn; 1 if something was wrong."""
    with tempfile.TemporaryDirectory(prefix="kills-", ignore_cleanup_errors=True) as place:
        return repeat(Path(place), Kills, arguments)


def repeat(place: Path, make: Callable[[Workplace, int], Kills], arguments: list[str]) -> int:
    """Strike as often as the first argument says, the kinds in turn; 1 if something was wrong."""
    count, kinds = int((arguments or ["10"])[0]), arguments[1:] or list(SCENARIOS)
    seed = time.time_ns() % 1_000_000
    print(f"seed {seed}", flush=True)
    wrong = 0
    os.environ["TMPDIR"] = f"{place}/tmp"
    kills = make(Workplace(place), seed)
    for number in range(count):
        problem = kills.once(kinds[number % len(kinds)])
        wrong += bool(problem)
        print(f"{number + 1}/{count} {problem or 'as if nothing had happened'}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
