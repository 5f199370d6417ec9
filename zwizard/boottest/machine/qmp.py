"""QEMU's control socket: what the machine did, and which port leads to it."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zwizard.boottest.machine.qemu import ADDRESS

_PATIENCE = 30.0  # seconds in which QEMU should listen
_FORWARDED = re.compile(rf"HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)\s+{ADDRESS.ip}\s+22\b")


class QmpClient:
    """A QMP connection. ``stopped`` is why the machine stopped: QEMU's word, or ""."""

    def __init__(self, path: Path, alive: Callable[[], bool]) -> None:
        self.stopped = ""
        self._halted = False
        self._rest = b""
        self._socket = _connect(path, alive)
        self._ask("qmp_capabilities")

    def port(self) -> int:
        """The port of this machine that leads to the guest's SSH server."""
        said = self._ask("human-monitor-command", {"command-line": "info usernet"})
        found = _FORWARDED.search(str(said))
        if not found:
            raise OSError(f"QEMU forwards no port: {said!r}")
        return int(found[1])

    def look(self) -> str:
        """Take in what QEMU has said since; why the machine stopped, or ""."""
        self._socket.settimeout(0)
        with contextlib.suppress(OSError):
            while data := self._socket.recv(65536):
                self._rest += data
        *whole, self._rest = self._rest.split(b"\n")
        for line in whole:
            self._hear(json.loads(line))
        if self._halted and not self.stopped:
            with contextlib.suppress(OSError):  # it has ended since
                self.stopped = str(self._ask("query-status")["status"])
        return self.stopped

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()

    def _hear(self, told: dict[str, Any]) -> None:
        if told.get("event") == "SHUTDOWN":
            self.stopped = str(told["data"].get("reason", "unknown"))
        self._halted = told.get("event") == "STOP" or self._halted

    def _ask(self, command: str, arguments: dict[str, Any] | None = None) -> Any:
        request = {"execute": command} | ({"arguments": arguments} if arguments else {})
        self._socket.settimeout(10)
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        while True:
            while b"\n" not in self._rest:
                data = self._socket.recv(65536)
                if not data:
                    raise OSError("QEMU closed its control socket")
                self._rest += data
            line, _, self._rest = self._rest.partition(b"\n")
            told = json.loads(line)
            if "return" in told or "error" in told:
                return told.get("return", told.get("error"))
            self._hear(told)


def _connect(path: Path, alive: Callable[[], bool]) -> socket.socket:
    """Connect as soon as QEMU listens; OSError if it has ended before, or does not."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        made = socket.socket(socket.AF_UNIX)
        try:
            made.connect(str(path))
        except OSError:
            made.close()
            if time.monotonic() > deadline or not alive():
                raise
            time.sleep(0.02)
        else:
            return made
