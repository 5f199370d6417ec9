"""What steps usually take, by what they took, and how long a build still runs by that."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.builds import begin, end, finish, new_build
from zwizard.engine import estimates, layers, status
from zwizard.engine.builds import Build
from zwizard.engine.layers import Store
from zwizard.engine.status import Status, StepStatus
from zwizard.jobs import events, journal
from zwizard.recipe.fields import Source
from zwizard.recipe.model import Recipe


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "layers")


@pytest.fixture
def build(tmp_path: Path) -> Build:
    return new_build("web", tmp_path)


def ran(build: Build, *seconds: float) -> None:
    """The first step ran, each time anew, for so long."""
    for took in seconds:
        begin(build)
        finish(build, "bootstrap", seconds=took)


def test_where_nothing_ever_ran_nothing_is_known(build: Build, store: Store) -> None:
    assert estimates.usual(build, store) == {}


def test_the_median_of_the_last_five_times_counts(build: Build, store: Store) -> None:
    ran(build, 900, 800, 30, 40, 50, 38, 700)
    assert estimates.usual(build, store) == {"bootstrap": 40}


def test_this_build_counts_before_its_like_and_those_before_all_others(
    build: Build, store: Store, tmp_path: Path
) -> None:
    work = store.work("x")
    (work / "tree").mkdir(parents=True)
    store.commit(work, layers.Layer("ab" * 16, "kernel", True, 1, 5.0, 1.0, 0.0, layers.boot_id()))
    ran(new_build("other", tmp_path, Recipe(source=Source(suite="trixie"))), 10)
    assert estimates.usual(build, store) == {"bootstrap": 10, "kernel": 5}
    ran(new_build("like", tmp_path), 20)
    assert estimates.usual(build, store)["bootstrap"] == 20
    ran(build, 30)
    assert estimates.usual(build, store)["bootstrap"] == 30


def test_the_checklist_is_timed_too(build: Build, store: Store) -> None:
    begin(build)
    began = journal.append(build.journal, events.CheckStarted()).at
    end(build)
    assert estimates.CHECKLIST not in estimates.usual(
        build, store
    )  # that one was of the run before
    journal.append(build.journal, events.CheckStarted())
    ended = journal.append(build.journal, events.BuildFinished(ready=True)).at
    assert 0 <= estimates.usual(build, store)[estimates.CHECKLIST] <= ended - began


STEPS = (
    StepStatus(1, "bootstrap", "", "done", 100, 20),
    StepStatus(2, "packages", "", "running", 120),
    StepStatus(3, "pack", "", "waiting"),
)
USUAL = {"bootstrap": 20.0, "packages": 40.0, "pack": 9.0, estimates.CHECKLIST: 2.0}


@pytest.mark.parametrize(
    ("now", "left"),
    [(120, 51), (150, 21), (160, 11), (161, None), (119, 51)],
    ids=["just started", "in it", "as usual", "longer than usual", "clock set back"],
)
def test_what_is_left_is_what_the_steps_usually_take(now: float, left: float | None) -> None:
    assert estimates.to_go(Status("running", steps=STEPS), USUAL, now) == left


def test_with_a_step_that_never_ran_before_nothing_is_promised() -> None:
    partial = {name: took for name, took in USUAL.items() if name != "pack"}
    assert estimates.to_go(Status("running", steps=STEPS), partial, 120) is None


def test_before_a_step_runs_nothing_is_promised() -> None:
    """Every step may be cached."""
    waiting = tuple(replace(step, state="waiting") for step in STEPS)
    cached = (replace(STEPS[0], state="cached"), *waiting[1:])
    for steps in (waiting, cached):
        assert estimates.to_go(Status("running", steps=steps), USUAL, 120) is None
        assert estimates.fraction(Status("running", steps=steps), USUAL, 120) is None


def test_the_fraction_grows_with_the_time() -> None:
    current = Status("running", started=100, steps=STEPS)
    early, late = (estimates.fraction(current, USUAL, now) for now in (120, 150))
    assert early == 20 / 71
    assert late == 50 / 71


def test_in_the_checklist_only_that_is_left() -> None:
    current = Status("running", steps=STEPS, checking=200)
    assert estimates.to_go(current, USUAL, 201) == 1
    assert estimates.to_go(current, USUAL, 201.5) is None  # not "about 0 s"
    assert estimates.to_go(current, USUAL, 203) is None
    assert estimates.to_go(current, {}, 201) is None


def test_a_journal_tells_what_was_written_and_when_the_checklist_began(build: Build) -> None:
    begin(build)
    journal.append(build.journal, events.StepStarted(step="bootstrap", log=""))
    journal.append(build.journal, events.StepProgress(step="bootstrap", written=5 * 2**20))
    journal.append(build.journal, events.StepProgress(step="bootstrap", written=7 * 2**20))
    current = status.of(build)
    assert current.written == 7 * 2**20
    assert current.checking == 0
    at = journal.append(build.journal, events.CheckStarted()).at
    assert status.of(build).checking == at
