"""A user of the hub who believes everything: for the tests of the hub itself."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx

from tests.hub.hub import Hub
from tests.hub.samples import SAMPLE


class Client(httpx.Client):
    """Talks to the hub with its user's token."""

    def __init__(self, hub: Hub, timeout: httpx.Timeout | float = 60) -> None:
        headers = {"Authorization": f"bearer {hub.token}"}
        super().__init__(
            base_url=hub.url, headers=headers, trust_env=False, timeout=timeout, verify=False
        )

    def upload(self, name: str, data: bytes = SAMPLE, **metadata: str) -> httpx.Response:
        fields = {f"metadata-{key}": value for key, value in metadata.items()}
        files = {"file": (name, data)}
        return self.post("/api/flist/me/upload", files=files, data=fields)


def wait_until(true: Callable[[], bool]) -> bool:
    """Whether it is true, within about a minute."""
    for _ in range(6000):
        if true():
            return True
        time.sleep(0.01)
    return False
