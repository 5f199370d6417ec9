"""A server to download from."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Thread

import pytest

from tests.support.http_server import Server


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.over.set()
    server.shutdown()
    server.server_close()
    thread.join()
