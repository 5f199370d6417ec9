"""What is secret in a recipe reaches no process's arguments, no log and no error."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest

from tests.support.http_server import Server
from zwizard.engine.executor import CommandError, Executor
from zwizard.engine.sandbox import Tree
from zwizard.steps.actions import Action, Host, InstallBinary, LinesInTree

CANARY = "c4n4ry-S3cr3t"
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}


class Watcher(Server):
    """Notes the arguments of all processes while one of them asks for a file."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def process_request(self, request: object, client_address: object) -> None:
        self.seen |= {*arguments().values()}
        super().process_request(request, client_address)  # type: ignore[arg-type]


def arguments() -> dict[int, str]:
    """The arguments of all processes."""
    found = {}
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue  # it has just ended
        found[int(file.parent.name)] = words
    return found


@pytest.fixture
def server() -> Iterator[Watcher]:
    server = Watcher()
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def perform(
    action: Action, place: Path, root: Path, pulse: Callable[[], None] = lambda: None
) -> str:
    """Do it; the log."""
    with (place / "log").open("wb") as log:
        executor = Executor(
            Tree(root, root, whole=True),
            place / "out",
            ENVIRONMENT,
            log,
            pulse,
            downloads=place / "downloads",
        )
        try:
            executor.perform(action)
        except CommandError as error:
            log.write(f"{error}\n{error.shell}\n".encode())
    return (place / "log").read_text("utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("held", [True, False])
def test_a_url_with_a_password_and_a_signature(
    server: Watcher, tmp_path: Path, *, held: bool
) -> None:
    if held:
        server.files[f"app?X-Amz-Signature={CANARY}"] = b"not a program"
    url = server.url(f"app?X-Amz-Signature={CANARY}").replace("://", f"://ada:{CANARY}@")
    log = perform(InstallBinary(url, "", "/app"), tmp_path, tmp_path / "tree")
    assert f"GET /app?X-Amz-Signature={CANARY}" in "".join(f"GET {name}" for name in server.asked)
    assert server.url("app") in log
    assert ("is not a complete static binary" if held else "404") in log
    assert [line for line in server.seen if "curl" in line]
    names = "".join(path.name for path in tmp_path.rglob("*"))
    for text in (log, names, *server.seen):
        assert CANARY not in text


@pytest.mark.skipif(os.geteuid() != 0, reason="sandboxes are made as root here")
def test_lines_of_the_users_are_no_arguments(tmp_path: Path) -> None:
    seen: set[str] = set()
    sleep = f"sleep 600.{os.getpid()}"

    def look() -> None:
        found = arguments()
        seen.update(found.values())
        for process, words in found.items():
            if words == f"{sleep} ":
                os.kill(process, signal.SIGKILL)

    log = perform(LinesInTree(f"TOKEN={CANARY}\n{sleep}"), tmp_path, Path("/"), look)
    assert any("bwrap" in line for line in seen)
    for text in (log, *seen):
        assert CANARY not in text


@pytest.mark.skipif(os.geteuid() != 0, reason="sandboxes are made as root here")
def test_lines_of_the_users_run_without_input_and_cannot_read_the_script(tmp_path: Path) -> None:
    lines = "cat\nfor file in /proc/self/fd/*; do readlink $file; done\necho 'done'"
    log = perform(LinesInTree(lines), tmp_path, Path("/"))
    assert log.endswith("done\n")
    assert "memfd:script" not in log


def test_the_log_shows_a_command_without_its_secret(tmp_path: Path) -> None:
    log = perform(Host(("false", "--password", CANARY)), tmp_path, tmp_path)
    assert log.startswith("+ false --password [redacted]\n")
    assert CANARY not in log
