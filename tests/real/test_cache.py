"""The cache in earnest: damaged layers are made again, and builds that run at once share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.real.workplace import Workplace
from tests.support.executables import elf
from zwizard.engine.layers import DOWNLOADS, Store
from zwizard.plan.targets import make
from zwizard.recipe.model import Recipe

pytestmark = pytest.mark.real

TABLES = """
[source]
kind = "rootfs"
location = "tree"
distro = "other"
[container]
entrypoint = "/bin/app"
"""
STEPS = ["import", "settings", "clean", "pack"]


@pytest.fixture
def here(tmp_path: Path) -> Workplace:
    """Where a small container can be built."""
    (tmp_path / "tree/bin").mkdir(parents=True)
    (tmp_path / "tree/bin/app").write_bytes(elf())
    (tmp_path / "tree/bin/app").chmod(0o755)
    (tmp_path / "tree/etc").mkdir()
    return Workplace(tmp_path)


def layers(place: Workplace, name: str) -> tuple[Store, tuple[str, ...]]:
    recipe = Recipe.load(place.build_directory(name) / "recipe.toml")
    return Store(place.layers), make(recipe).fingerprints()


def flip(file: Path) -> None:
    """Change a byte and no metadata, as a bad disk does."""
    status = file.stat()
    data = file.read_bytes()
    with file.open("r+b") as opened:
        opened.write(bytes([data[0] ^ 1]))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def in_the_way(layer: Path) -> None:
    shutil.rmtree(layer)
    layer.write_text("no layer")


@pytest.mark.parametrize(
    ("damage", "evidence"),
    [
        (lambda layer: (layer / "tree/bin/app").unlink(), "./bin/app is missing"),
        (lambda layer: flip(layer / "tree/bin/app"), "./bin/app has other contents"),
        (lambda layer: (layer / "tree/bin/app").chmod(0o600), "./bin/app has another mode"),
        (lambda layer: os.truncate(layer / "manifest", 99), "its manifest is damaged"),
        (lambda layer: (layer / "manifest").unlink(), "its manifest is damaged"),
        (lambda layer: os.truncate(layer / "layer.json", 0), "its record is missing or damaged"),
        (lambda layer: shutil.rmtree(layer / "tree"), "its contents are missing"),
        (in_the_way, "its record is missing or damaged"),
    ],
)
def test_a_damaged_layer_is_named_and_made_again_with_those_on_it(
    here: Workplace, damage: Callable[[Path], object], evidence: str
) -> None:
    recipe = here.recipe("web", TABLES, "container")
    first = here.run("build", recipe, "--json").last("build-finished")
    store, fingerprints = layers(here, "web")
    damage(store.path(fingerprints[0]))
    store.archive(fingerprints[-1]).unlink()  # so that something is built on it
    again = here.run("build", recipe, "--json")
    assert (again.last("layer-damaged")["step"], again.last("layer-damaged")["evidence"]) == (
        "import",
        evidence,
    )
    assert again.steps("step-started") == STEPS
    assert again.last("build-finished")["sha256"] == first["sha256"]
    assert here.run("build", recipe, "--json").steps("step-cached") == STEPS
    assert here.traces() == []


def test_a_damaged_packed_archive_is_packed_again(here: Workplace) -> None:
    recipe = here.recipe("web", TABLES, "container")
    first = here.run("build", recipe, "--json").last("build-finished")
    store, fingerprints = layers(here, "web")
    flip(store.archive(fingerprints[-1]))
    again = here.run("build", recipe, "--json")
    assert again.last("layer-damaged")["evidence"] == "the packed archive has other contents"
    assert again.steps("step-started") == ["pack"]
    assert again.last("build-finished")["sha256"] == first["sha256"]


def test_four_that_start_at_once_follow_one_build(here: Workplace) -> None:
    recipe = here.recipe("web", TABLES, "container")
    with ThreadPoolExecutor(4) as at_once:
        results = list(at_once.map(lambda _: here.run("build", recipe, "--json"), range(4)))
    assert [result.code for result in results] == [0] * 4, results
    assert len({result.last("build-finished")["sha256"] for result in results}) == 1
    assert [path.name for path in here.build_directory("web").parent.iterdir()] == ["web"]


def test_a_build_waits_for_who_makes_its_layer_and_takes_over_when_that_one_dies(
    here: Workplace,
) -> None:
    assert here.run("build", here.recipe("api", TABLES, "container")).code == 0
    store, fingerprints = layers(here, "api")
    store.remove(fingerprints[1])
    maker = store.lock(fingerprints[1])
    assert maker is not None
    os.write(maker, b"api")
    waiting = here.start("build", here.recipe("web", TABLES, "container"), "--json")
    here.wait_for(lambda: (here.build_directory("web") / "journal.jsonl").exists(), "no start")
    here.wait_for(
        lambda: any(event["event"] == "step-waiting" for event in here.journal("web")), "no wait"
    )
    assert here.journal("web")[-1]["holder"] == "api"
    assert "api" in here.run("show", "web").output + here.run("log", "web", "settings").output
    os.close(maker)
    waiting.communicate(timeout=120)
    assert waiting.returncode == 0
    ran = [event["step"] for event in here.journal("web") if event["event"] == "step-started"]
    assert ran == STEPS[1:]


def test_clean_of_another_state_home_takes_nothing_from_a_build(here: Workplace) -> None:
    recipe = here.recipe("web", TABLES, "container")
    here.run("build", recipe)
    store, fingerprints = layers(here, "web")
    store.remove(fingerprints[1])
    maker = store.lock(fingerprints[1])
    assert maker is not None
    (store.directory / DOWNLOADS).mkdir()
    building = here.start("build", recipe, "--json")
    here.wait_for(
        lambda: any(event["event"] == "step-waiting" for event in here.journal("web")), "no wait"
    )
    other = Workplace(here.directory / "other")
    other.directory.mkdir()
    (other.directory / "cache").symlink_to(here.directory / "cache")
    assert other.run("clean", "--all").code == 0
    assert store.get(fingerprints[0]) is not None
    assert (store.directory / DOWNLOADS).exists()
    assert list((store.directory / ".work").iterdir()) != []
    os.close(maker)
    building.communicate(timeout=120)
    assert building.returncode == 0
