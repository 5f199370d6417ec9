"""The client of QEMU's control socket, against a server that answers as QEMU does."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from zwizard.boottest.machine.qmp import QmpClient


def test_a_socket_in_a_deep_directory_is_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)  # where a short name serves
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("control.sock")
        server.listen()

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b'{"return": {}}\n')

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        QmpClient(deep / "control.sock", lambda: False).close()
        thread.join(10)
