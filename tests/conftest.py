"""No test touches the user's own builds, layers or preferences; and how two processes share them.

Real artefacts are made once: the tests that share them stay together, in one process, and begin
first, as they take longest.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

_ON_THEIR_OWN = ("test_arch.py", "test_container.py", "test_ubuntu.py")  # not on the Debian VM


@pytest.fixture(autouse=True)
def xdg(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path_factory.mktemp("home")
    for kind in ("STATE", "CACHE", "CONFIG", "DATA"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(home / kind.lower()))
    return home


class Together(LoadFileScheduling):
    """File by file, but for the files that share what is real."""

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        if not file.startswith("tests/real/"):
            return file
        return "others" if file.endswith(_ON_THEIR_OWN) else "debian"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Together:
    """Instead of one test here and the next there."""
    return Together(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is real first, by the groups that stay together."""
    items.sort(key=lambda item: (item.path.parent.name != "real", item.path.name in _ON_THEIR_OWN))
