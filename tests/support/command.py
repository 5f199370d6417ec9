"""Running zwizard in tests: in this process, and in a pseudo-terminal."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

Run = Callable[..., tuple[int, str, str]]


def refused(result: tuple[int, str, str], what: str, hint: str = "") -> None:
    """Assert a usage error: exit code 2, nothing on stdout, what is wrong and what to do."""
    code, out, err = result
    assert (code, out) == (2, "")
    lines = err.splitlines()
    assert lines[0].startswith("zwizard: ")
    assert what in lines[0]
    assert hint in err
    assert "Traceback" not in err


def in_a_terminal(keys: list[tuple[str, str]], *arguments: str, cwd: Path) -> tuple[int, str]:
    """Run ``zwizard`` in a pseudo-terminal; of each pair, type the second once the first shows."""
    terminal, theirs = pty.openpty()
    program = subprocess.Popen(
        [sys.executable, "-m", "zwizard", *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=cwd,
        env=os.environ | {"TERM": "xterm"},
        start_new_session=True,
    )
    os.close(theirs)
    output, new, deadline = b"", b"", time.monotonic() + 60
    while time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                new += os.read(terminal, 65536)
            except OSError:
                break
        if keys and keys[0][0].encode() in new:
            os.write(terminal, keys.pop(0)[1].encode())
            output, new = output + new, b""
    os.close(terminal)
    return program.wait(timeout=60), (output + new).decode()
