"""What is looked at before anything runs: every obstacle is told with its remedy."""

from __future__ import annotations

import gzip
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from zwizard.engine import requirements
from zwizard.engine.layers import Store, new_layer
from zwizard.engine.requirements import Forecast, forecast
from zwizard.host import tools as host_tools
from zwizard.plan.targets import make
from zwizard.recipe.fields import Container, Kernel, Source
from zwizard.recipe.model import Recipe
from zwizard.steps.step import Plan
from zwizard.util import places

RECIPE = Recipe()
PLAN = make(RECIPE)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "layers").mkdir()
    return Store(tmp_path / "layers")


def commit(store: Store, plan: Plan, *numbers: int) -> None:
    """Put the layers of these steps (from 1) there."""
    for number in numbers:
        work = store.work("build") / "layer"
        (work / "tree").mkdir(parents=True)
        fingerprint, step = plan.fingerprints()[number - 1], plan.steps[number - 1]
        since = time.monotonic() - 20
        below = store.get(plan.fingerprints()[number - 2]) if number > 1 else None
        made = new_layer(fingerprint, step.name, work / "tree", whole=True, since=since)
        store.commit(work, replace(made, below=below.made if below else 0.0))


def reasons(ahead: Forecast) -> list[str]:
    return [state.reason for state in ahead.steps]


def test_a_first_build_runs_every_step(store: Store, tmp_path: Path) -> None:
    ahead = forecast(PLAN, store, tmp_path)
    assert ahead.cached == 0
    assert reasons(ahead) == ["not built yet"] + ['depends on "bootstrap"'] * 6
    assert ahead.needs == sum(step.size for step in PLAN.steps)
    assert ahead.problems == ()


def test_what_is_there_does_not_run_and_needs_no_space(store: Store, tmp_path: Path) -> None:
    commit(store, PLAN, 1, 2, 3)
    ahead = forecast(PLAN, store, tmp_path)
    assert ahead.cached == 3
    assert reasons(ahead) == ["", "", "", "not built yet", *['depends on "kernel"'] * 3]
    assert ahead.needs == sum(step.size for step in PLAN.steps[3:])
    layer = ahead.steps[0].layer
    assert layer is not None
    assert layer.seconds == pytest.approx(20, abs=1)


def test_a_layer_without_the_ones_below_it_is_not_counted(store: Store, tmp_path: Path) -> None:
    commit(store, PLAN, 1, 3)
    ahead = forecast(PLAN, store, tmp_path)
    assert ahead.cached == 1
    assert ahead.steps[2].layer is None


def test_when_all_is_there_nothing_runs(store: Store, tmp_path: Path) -> None:
    commit(store, PLAN, *range(1, 8))
    ahead = forecast(PLAN, store, tmp_path)
    assert (ahead.cached, ahead.needs, ahead.problems) == (7, 0, ())


def test_an_archive_whose_layers_are_gone_is_made_again(store: Store, tmp_path: Path) -> None:
    commit(store, PLAN, 7)
    ahead = forecast(PLAN, store, tmp_path)
    assert ahead.cached == 0
    assert reasons(ahead) == ["not built yet"] + ['depends on "bootstrap"'] * 6


def test_a_step_that_runs_again_says_what_changed(store: Store, tmp_path: Path) -> None:
    commit(store, PLAN, *range(1, 8))
    after = make(replace(RECIPE, kernel=Kernel(modules=("virtiofs", "virtio_pci", "nvme"))))
    changes = {"kernel.modules": "Modules: two → three", "system.run": "not of this step"}
    ahead = forecast(after, store, tmp_path, changes)
    reason = "Modules: two → three"
    assert reasons(ahead)[:4] == ["", "", reason, 'depends on "initramfs"']


def test_a_step_that_did_not_finish_says_so(store: Store, tmp_path: Path) -> None:
    commit(store, PLAN, 1)
    assert reasons(forecast(PLAN, store, tmp_path, {}))[1] == "not finished yet"


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with every tool of zwizard's, from which a test may take some away."""
    place = tmp_path / "tools"
    place.mkdir()
    for name in (*host_tools.TOOLS, "apt-get"):
        (place / name).write_text("#!/bin/sh\n")
        (place / name).chmod(0o755)
    monkeypatch.setattr(host_tools, "PATH", str(place))
    return place


def test_missing_tools_are_named_with_the_command_that_installs_them(
    tools: Path, store: Store, tmp_path: Path
) -> None:
    (tools / "mmdebstrap").unlink()
    (tools / "bwrap").unlink()
    (trouble,) = forecast(PLAN, store, tmp_path).problems
    message, remedy = trouble.message, trouble.remedy
    assert message == "missing on this machine: bwrap, mmdebstrap"
    assert "apt-get install --yes bubblewrap mmdebstrap" in remedy
    assert "zwizard doctor --install" in remedy


def test_a_tool_that_only_finished_steps_need_is_not_missed(
    tools: Path, store: Store, tmp_path: Path
) -> None:
    (tools / "mmdebstrap").unlink()
    (tools / "debootstrap").unlink()
    commit(store, PLAN, 1)
    assert forecast(PLAN, store, tmp_path).problems == ()
    commit(store, PLAN, *range(2, 8))
    (tools / "tar").unlink()
    assert forecast(PLAN, store, tmp_path).problems == ()


def test_the_documents_tool_is_missed_only_where_it_was_chosen(
    tools: Path, store: Store, tmp_path: Path
) -> None:
    (tools / "debootstrap").unlink()
    by_document = make(replace(RECIPE, source=Source(bootstrap="debootstrap")))
    assert forecast(PLAN, store, tmp_path).problems == ()
    (trouble,) = forecast(by_document, store, tmp_path).problems
    assert trouble.message == "missing on this machine: debootstrap"


class Usage(NamedTuple):
    """What shutil.disk_usage returns."""

    total: int
    used: int
    free: int


def test_too_little_space_names_needed_and_free(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(2**40, 2**40, 300 * 2**20))
    (trouble,) = forecast(PLAN, store, tmp_path).problems
    message, remedy = trouble.message, trouble.remedy
    assert message.startswith(f"{store.directory} has 300.0 MiB free, and this needs about ")
    assert "zwizard clean" in remedy
    commit(store, PLAN, *range(1, 7))
    # The archive, its copy on the same file system, and what stays free.
    assert "570.0 MiB" in forecast(PLAN, store, tmp_path).problems[0].message
    commit(store, PLAN, 7)
    store.archive(PLAN.fingerprints()[-1]).write_bytes(b"packed")
    assert forecast(PLAN, store, tmp_path).problems == ()


@pytest.mark.slow
def test_space_is_measured_in_each_directory_with_a_remedy_for_it(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = {"layers": 2**40, "images": 100 * 2**20, "state": 2**20}
    monkeypatch.setattr(places, "free_space", lambda place: free[place.name])
    monkeypatch.setattr(requirements, "_device", lambda place: place.name)
    places_ = tmp_path / "images", tmp_path / "state"
    full, state = forecast(PLAN, store, places_[0], state=places_[1]).problems
    assert full.message == f"{places_[0]} has 100.0 MiB free, and this needs about 310.0 MiB"
    assert "another directory for the archive" in full.remedy
    assert state.message.startswith(f"{places_[1]} has 1.0 MiB free")
    assert "XDG_STATE_HOME" in state.remedy
    commit(store, PLAN, *range(1, 8))
    packed = store.archive(PLAN.fingerprints()[-1])
    with packed.open("wb") as file:
        file.truncate(200 * 2**20)
    (full,) = forecast(PLAN, store, places_[0], state=places_[1]).problems
    assert "250.0 MiB" in full.message  # the archive as it is
    places_[0].mkdir()
    shutil.copyfile(packed, places_[0] / PLAN.archive)
    assert forecast(PLAN, store, places_[0], state=places_[1]).problems == ()  # delivered


@pytest.mark.slow
@pytest.mark.parametrize("packed", [False, True])
def test_an_import_needs_as_much_as_its_file_takes_unpacked(
    store: Store, tmp_path: Path, packed: bool
) -> None:
    file = tmp_path / "tree.tar"
    file.write_bytes(gzip.compress(os.urandom(25 * 2**20), 0) if packed else bytes(25 * 2**20))
    source = Source(kind="rootfs", location=str(file), distro="other")
    plan = make(
        replace(RECIPE, target="container", source=source, container=Container("/bin/app"))
    )
    ahead = forecast(plan, store, tmp_path)
    assert (180 if packed else 40) < ahead.needs / 2**20 < (250 if packed else 90)
    assert ahead.steps[0].step.size < plan.steps[0].size


@pytest.mark.slow
def test_a_directory_that_takes_too_long_is_guessed_and_not_measured_again(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tree").mkdir()
    slow = tmp_path / "du"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(requirements, "_PATIENCE", 0.1)
    source = Source(kind="rootfs", location=str(tmp_path / "tree"), distro="other")
    plan = make(
        replace(RECIPE, target="container", source=source, container=Container("/bin/app"))
    )
    assert forecast(plan, store, tmp_path).steps[0].step == plan.steps[0]
    known = requirements._directory_size.cache_info().hits
    assert forecast(plan, store, tmp_path).steps[0].step == plan.steps[0]
    assert requirements._directory_size.cache_info().hits == known + 1


def test_a_directory_to_import_is_measured_and_a_url_is_guessed(
    store: Store, tmp_path: Path
) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/file").write_bytes(bytes(2**20))
    assert 2**20 <= requirements.unpacked_size(tmp_path / "tree") < 2**21
    source = Source(kind="rootfs", location="https://host.example/a.tar", distro="other")
    plan = make(
        replace(RECIPE, target="container", source=source, container=Container("/bin/app"))
    )
    assert forecast(plan, store, tmp_path).steps[0].step == plan.steps[0]


def test_an_output_that_is_a_file_is_no_directory(store: Store, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for output in (tmp_path / "file", tmp_path / "file/below"):
        (trouble,) = forecast(PLAN, store, output).problems
        assert trouble.message == f"{tmp_path / 'file'} is not a directory"


def test_an_output_that_is_not_there_yet_is_no_problem(store: Store, tmp_path: Path) -> None:
    assert forecast(PLAN, store, tmp_path / "to/be/made").problems == ()


def test_an_unwritable_output_directory_is_a_problem(store: Store, tmp_path: Path) -> None:
    # For root only what the kernel itself forbids cannot be written to.
    place = Path("/proc/self") if os.geteuid() == 0 else tmp_path / "closed"
    if os.geteuid() != 0:
        place.mkdir(mode=0o500)
    (trouble,) = forecast(PLAN, store, place / "images").problems
    assert trouble.message == f"you cannot write to {place / 'images'}"


def test_all_problems_are_listed_together(tools: Path, store: Store, tmp_path: Path) -> None:
    (tools / "tar").unlink()
    (tmp_path / "file").write_text("")
    assert len(forecast(PLAN, store, tmp_path / "file").problems) == 2
