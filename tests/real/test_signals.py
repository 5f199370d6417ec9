"""A signal in any step of a build stops it, leaves nothing, and the build goes on from there."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from tests.real.workplace import Workplace
from tests.support.http_server import Server

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not shutil.which("busybox"), reason="busybox-static is not here"),
]

TABLES = '[source]\nkind = "binary"\nlocation = "{url}"\n'


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.over.set()
    server.shutdown()
    server.server_close()


def test_a_signal_in_each_step_stops_a_build_that_ends_with_the_same_bytes(
    server: Server, tmp_path: Path
) -> None:
    busybox = Path(shutil.which("busybox") or "").read_bytes()
    server.files["program"] = busybox + os.urandom(2**26)  # to be at work on for a while
    server.etag = '"one"'
    server.faults = [404, 404, "stall"]  # there are no checksums
    place = Workplace(tmp_path)
    recipe = place.recipe("web", TABLES.format(url=server.url("program")), target="container")
    journal = place.build_directory("web") / "journal.jsonl"
    for number, mark in (
        (signal.SIGTERM, b'"step": "program"'),  # curl waits for more
        (signal.SIGHUP, b'"step": "pack"'),
        (signal.SIGTERM, b'"event": "check-started"'),
    ):
        running = place.start("build", recipe)
        place.wait_for(lambda mark=mark: journal.exists() and mark in journal.read_bytes(), "late")
        running.send_signal(number)
        output, errors = running.communicate(timeout=60)
        assert running.returncode == 130, output + errors
        assert place.journal("web")[-1]["event"] == "build-cancelled"
        assert place.traces() == []
    done = place.run("resume", "web", "--json")
    assert done.code == 0, done.output + done.errors
    assert done.steps("step-started") == []
    undisturbed = Workplace(tmp_path / "other")
    undisturbed.directory.mkdir()
    (undisturbed.directory / "program").write_bytes(server.files["program"])
    again = undisturbed.recipe("web", TABLES.format(url="program"), target="container")
    assert undisturbed.run("build", again).code == 0
    archives = [each.directory / "web.tar.gz" for each in (place, undisturbed)]
    assert archives[0].read_bytes() == archives[1].read_bytes()
