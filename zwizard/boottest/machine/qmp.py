"""A client of QEMU's control socket (QMP): why the machine stopped, and its forwarded port."""

import contextlib
import json
import os
import re
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zwizard.boottest.machine.qemu import ADDRESS

_TIMEOUT = 30.0  # seconds until QEMU listens
_FORWARDED = re.compile(rf"HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)\s+{ADDRESS.ip}\s+22\b")


class QmpClient:
    """A QMP connection. ``stopped`` is why the machine stopped, in QEMU's terms, or ""."""

    def __init__(self, path: Path, alive: Callable[[], bool]) -> None:
        self.stopped = ""
        self._halted = False
        self._rest = b""
        self._socket = _connect(path, alive)
        self._execute("qmp_capabilities")

    def port(self) -> int:
        """The host's port that leads to the guest's SSH server; raises OSError."""
        answer = self._execute("human-monitor-command", {"command-line": "info usernet"})
        found = _FORWARDED.search(str(answer))
        if not found:
            raise OSError(f"QEMU forwards no port: {answer!r}")
        return int(found[1])

    def poll(self) -> str:
        """Process QEMU's events since the last call; why the machine stopped, or ""."""
        self._socket.settimeout(0)
        with contextlib.suppress(OSError):
            while data := self._socket.recv(65536):
                self._rest += data
        *whole, self._rest = self._rest.split(b"\n")
        for line in whole:
            self._handle(json.loads(line))
        if self._halted and not self.stopped:
            with contextlib.suppress(OSError):  # QEMU has ended meanwhile
                self.stopped = str(self._execute("query-status")["status"])
        return self.stopped

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _handle(self, event: dict[str, Any]) -> None:
        if event.get("event") == "SHUTDOWN":
            self.stopped = str(event["data"].get("reason", "unknown"))
        self._halted = event.get("event") == "STOP" or self._halted

    def _execute(self, command: str, arguments: dict[str, Any] | None = None) -> Any:
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
            message = json.loads(line)
            if "return" in message or "error" in message:
                return message.get("return", message.get("error"))
            self._handle(message)


def _connect(path: Path, alive: Callable[[], bool]) -> socket.socket:
    """Connect as soon as QEMU listens; raises OSError if it ends first or takes too long."""
    deadline = time.monotonic() + _TIMEOUT
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        while True:
            connection = socket.socket(socket.AF_UNIX)
            try:
                # By descriptor: the whole path may be longer than the 107 bytes of a socket.
                connection.connect(f"/proc/self/fd/{directory}/{path.name}")
            except OSError:
                connection.close()
                if time.monotonic() > deadline or not alive():
                    raise
                time.sleep(0.02)
            else:
                return connection
    finally:
        os.close(directory)
