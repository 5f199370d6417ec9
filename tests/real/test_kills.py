"""SIGKILLs at random moments, of everything or of one process, change nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench import stops
from tests.bench.kills import Kills, kill
from tests.real.workplace import Workplace

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not shutil.which("busybox"), reason="busybox-static is not here"),
]


@pytest.fixture(scope="module")
def kills(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kills]:
    directory = tmp_path_factory.mktemp("kills")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TMPDIR", f"{directory}/tmp")
        yield Kills(Workplace(directory), seed=14)


@pytest.mark.parametrize("number", range(10))
def test_a_killed_build_or_repair_is_resumed_to_the_same_bytes(kills: Kills, number: int) -> None:
    assert kills.once("repair" if number % 3 == 2 else "container") == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a file system")
def test_what_a_machine_that_stops_has_not_synced_is_made_again(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert stops.main(["6", "container", "repair"]) == 0, str(capfd.readouterr())


def test_an_archive_is_packed_once_even_if_its_sum_was_never_written(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    busybox = Path(shutil.which("busybox") or "").read_bytes()
    (tmp_path / "program").write_bytes(busybox + os.urandom(2**25))  # its check takes a while
    tables = '[source]\nkind = "binary"\nlocation = "program"\n'
    recipe = place.recipe("web", tables, target="container")
    running = place.start("build", recipe)
    journal = place.build_directory("web") / "journal.jsonl"
    place.wait_for(
        lambda: journal.exists() and b"check-started" in journal.read_bytes(), "no check"
    )
    kill(tmp_path)
    running.communicate()
    assert not list(place.layers.glob("*/sha256"))
    again = place.run("build", recipe, "--json")
    assert again.code == 0, again.output + again.errors
    assert again.steps("step-started") == []
    assert place.traces() == []
