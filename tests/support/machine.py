"""A machine with secrets, and a tree on it with programs that look for them."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import secrets
import shlex
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from zwizard.engine.executor import functions
from zwizard.host.privileges import Privilege
from zwizard.steps.actions import InTree

ESCAPES = Path(__file__).with_name("escapes.py")
LEAST = 70  # ways that are tried


@dataclass(frozen=True)
class Machine:
    """What is outside, and the tree with an interpreter to try from."""

    facts: dict[str, object]
    tree: Path

    launch: tuple[str, ...] = Privilege("root", "").isolate()

    def run(self, line: str, network: str = "") -> subprocess.CompletedProcess[str]:
        """Run a line of bash as the engine does, with the functions of the sandbox."""
        places = f"ROOT={shlex.quote(str(self.tree))} OUT=/none NETWORK={network}\n"
        places += f"DOWNLOADS={shlex.quote(str(self.tree.parent / 'downloads'))}\n"
        code = f"set -euo pipefail\n{places}{functions(InTree(()))}\n{line}"
        return subprocess.run(
            [*self.launch, "bash", "-c", code],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def escapes(self, line: str, network: str = "") -> dict[str, str]:
        """The ways that worked."""
        done = self.run(line, network)
        assert done.returncode == 0, done.stdout + done.stderr
        result = json.loads(done.stdout.splitlines()[-1])
        assert result["tried"] > LEAST
        worked: dict[str, str] = result["worked"]
        return worked


@contextlib.contextmanager
def machine(launch: tuple[str, ...] = Privilege("root", "").isolate()) -> Iterator[Machine]:
    """This machine, for as long as it has the secrets; nothing may be written beside the tree."""
    place, secret = Path(tempfile.mkdtemp(dir="/var/tmp")), secrets.token_hex(8)
    place.chmod(0o755)  # as an ordinary user too, only the sandbox may keep one out
    (place / "secret").write_text(secret)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, place)
        marker = ["bash", "-c", f"exec -a {secret} sleep 600"]
        process = subprocess.Popen(marker, env={"SECRET": secret, **os.environ})
        stack.callback(process.wait)
        stack.callback(process.kill)
        port = _serve(stack)
        for address in (str(place / "socket"), f"\0{secret}"):
            server = stack.enter_context(socket.socket(socket.AF_UNIX))
            server.bind(address)
            server.listen()
        libc = ctypes.CDLL(None)
        memory = secrets.randbelow(2**30) + 1
        segment = libc.shmget(memory, 4096, 0o1666)
        stack.callback(libc.shmctl, segment, 0, None)
        libc.syscall(248, b"user", secret.encode(), b"key", 3, ctypes.c_long(-4))
        (Path("/dev/shm") / secret).touch()
        stack.callback((Path("/dev/shm") / secret).unlink)
        facts: dict[str, object] = {
            "secret": secret,
            "file": str(place / "secret"),
            "shadow": _line_of_shadow(),
            "socket": str(place / "socket"),
            "disk": _disk(),
            "memory": memory,
            "process": process.pid,
            "keyring": -4,
            "port": port,
            "host": socket.gethostname(),
        }
        tree = place / "tree"
        _furnish(tree)
        shutil.copy(ESCAPES, tree / "escapes.py")
        (tree / "escapes.json").write_text(json.dumps(facts))
        (place / "downloads").mkdir()
        yield Machine(facts, tree, launch)
        assert sorted(path.name for path in place.iterdir()) == MADE


MADE = ["downloads", "secret", "socket", "tree"]


def _serve(stack: contextlib.ExitStack) -> int:
    """A service on both loopbacks that answers every byte."""
    server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    port = int(server.getsockname()[1])
    servers = [server]
    with contextlib.suppress(OSError):
        other = socket.create_server(("::1", port), family=socket.AF_INET6)
        servers.append(stack.enter_context(other))
    for each in servers:
        threading.Thread(target=_answer, args=(each,), daemon=True).start()
    return port


def _answer(server: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            client, _ = server.accept()
            client.send(b"x")
            client.close()


def _line_of_shadow() -> str:
    with contextlib.suppress(OSError):
        return Path("/etc/shadow").read_text().splitlines()[0]
    return "not readable"


def _disk() -> tuple[int, int]:
    """The device of the file system that the tests run on."""
    number = Path(__file__).stat().st_dev
    return os.major(number), os.minor(number)


def _furnish(tree: Path) -> None:
    """A tree with a shell, some tools and this interpreter's Python."""
    python = Path(sys.executable).resolve()
    library = Path(sysconfig.get_path("stdlib"))
    unneeded = shutil.ignore_patterns("test", "dist-packages", "site-packages", "__pycache__")
    shutil.copytree(library, tree / library.relative_to("/"), ignore=unneeded, symlinks=True)
    modules = [str(path) for path in (tree / library.relative_to("/")).rglob("*.so")]
    wanted = [str(python), *(shutil.which(name) or "" for name in ("sh", "cat", "id", "sleep"))]
    listed = subprocess.run(
        ["ldd", *wanted, *modules], capture_output=True, text=True, check=False
    )
    needed = {word for word in listed.stdout.split() if word.startswith("/") and ":" not in word}
    for file in {*wanted, *needed} - set(modules):
        copy = tree / file[1:]
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)
    (tree / "usr/bin/python3").symlink_to(python)
    for name in ("dev", "etc", "proc", "run", "sys", "tmp"):
        (tree / name).mkdir(exist_ok=True)
        (tree / name).chmod(0o777)  # whose tree it is does not matter here
