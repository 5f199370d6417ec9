"""Settings of all tests: directories of their own, time limits, distribution over two processes.

Tests of real artefacts run first, as they take longest.
"""

from __future__ import annotations

import gc
import itertools
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling, WorkStealingScheduling

from tests.hub.hub import Hub
from tests.hub.server import running
from tests.support.command import Run
from zwizard.__main__ import main

# Files of real tests, those that take longest first; the first two need nothing in common.
_LONG = (
    "test_same_bytes.py",
    "test_ubuntu.py",
    "test_build.py",
    "test_boot.py",
    "test_image.py",
    "test_arch.py",
    "test_repair.py",
)
_numbers = itertools.count()
_LIMITS = {"real": 1800, "slow": 300}  # seconds; pyproject.toml has that of all other tests


def pytest_configure(config: pytest.Config) -> None:
    """Let Hypothesis try fewer examples in the fast set, and fail none for a busy machine.

    Without real tests, temporary files are kept in memory if possible.
    """
    examples = 10 if "not slow" in config.option.markexpr else 100
    busy = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
    settings.register_profile(
        "zwizard", deadline=None, max_examples=examples, suppress_health_check=busy
    )
    settings.load_profile("zwizard")
    if "not real" in config.option.markexpr and (memory := _directory_in_memory()):
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", memory)


def _directory_in_memory() -> str:
    """A directory that serves the tests as well as one on a disk, and faster; "" without one."""
    place = "/dev/shm"
    try:
        with tempfile.NamedTemporaryFile(dir=place) as probe:
            os.setxattr(probe.name, "user.probe", b"")
        facts = os.statvfs(place)
    except OSError:
        return ""
    free = facts.f_bavail * facts.f_frsize
    return "" if free < 2**31 or facts.f_flag & os.ST_NOEXEC else place


@pytest.fixture(autouse=True)
def xdg(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test touches the user's own builds, layers or preferences, or waits for the disk.

    The working directory is empty: a build of the user's may lie where the tests are started.
    """
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    home = tmp_path_factory.getbasetemp() / "home" / str(next(_numbers))
    home.mkdir(parents=True)
    for kind in ("STATE", "CACHE", "CONFIG", "DATA"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(home / kind.lower()))
    (home / "work").mkdir()
    monkeypatch.chdir(home / "work")
    return home


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs ``zwizard`` with these arguments: exit code, standard output, standard error."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["zwizard", *map(str, arguments)])
        mask = os.umask(0o022)
        try:
            with pytest.raises(SystemExit) as ended:
                main()
        finally:
            os.umask(mask)
        output = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, output.out, output.err

    return run


@pytest.fixture
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub on loopback without flists, for one test."""
    with running(Hub(tmp_path_factory.mktemp("hub"))) as hub:
        yield hub


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(
    config: pytest.Config, log: Producer
) -> LoadFileScheduling | WorkStealingScheduling:
    """Share fixtures where there are real tests; otherwise keep both processes busy."""
    if "not real" in config.option.markexpr:
        return WorkStealingScheduling(config, log)
    return LoadFileScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files with real tests first, as they take longest; set the time limits."""
    real = {item.path for item in items if item.get_closest_marker("real")}

    def rank(item: pytest.Item) -> int:
        """Long real ones, other real ones, the rest."""
        if item.path.parent.name == "real" and item.path.name in _LONG:
            return _LONG.index(item.path.name)
        return len(_LONG) + (item.path not in real)

    items.sort(key=rank)
    for item in items:
        for mark, seconds in _LIMITS.items():
            if item.get_closest_marker(mark):
                item.add_marker(pytest.mark.timeout(seconds))


def pytest_collection_finish() -> None:
    """Collect garbage less often, and not among what stays: it takes a fifth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 50)
