"""Real artefacts, each built once and shared with the other process of the tests."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.real.workplace import Result, Workplace, is_root


@dataclass(frozen=True)
class Built:
    """A build that has ended: where, how, and its archive."""

    place: Workplace
    name: str
    result: Result

    @property
    def archive(self) -> Path:
        """The archive."""
        return self.place.directory / f"{self.name}.tar.gz"

    @property
    def sha256(self) -> str:
        """The archive's sum, as the build says."""
        return str(self.result.last("build-finished")["sha256"])


@pytest.fixture(scope="session")
def common(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory that the processes of the tests share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory, common: Path) -> Workplace:
    """Where this process builds; layers that the other one has made are cached."""
    return Workplace(tmp_path_factory.mktemp("place"), shared_cache=common / "cache")


class SharedArchives:
    """Archives that one process of the tests builds and all of them read."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(exist_ok=True)

    def build(self, place: Workplace, name: str, tables: str = "") -> Built:
        """Build a VM at ``place`` and copy its archive here."""
        with self._locked(name):
            result = place.run("build", place.recipe(name, tables), "--json")
            assert result.code == 0, result.output + result.errors
            built = Built(place, name, result)
            if not self._archive(name).exists():
                shutil.copy(built.archive, self._archive(name))
        return built

    def find(self, name: str) -> Path | None:
        """The archive of a VM, once no process is building it any more; None if none has."""
        with self._locked(name):
            return self._archive(name) if self._archive(name).exists() else None

    def _archive(self, name: str) -> Path:
        return self._directory / f"{name}.tar.gz"

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        with (self._directory / f"{name}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


@pytest.fixture(scope="session")
def archives(common: Path) -> SharedArchives:
    """What the processes of this session have built."""
    return SharedArchives(common / "shared")


@pytest.fixture(scope="session")
def vm(place: Workplace, archives: SharedArchives) -> Built:
    """The default recipe, built by this process."""
    return archives.build(place, "debian-vm")


@pytest.fixture(scope="session")
def vm_archive(request: pytest.FixtureRequest, archives: SharedArchives) -> Path:
    """Its archive, built by any process, to be read only."""
    return archives.find("debian-vm") or request.getfixturevalue("vm").archive


MORE = '[source]\npackages = ["busybox-static", "grub-efi-amd64-signed"]\n'


@pytest.fixture(scope="session")
def more(place: Workplace, archives: SharedArchives) -> Built:
    """The same with a program that needs nothing around it, and a loader for disk images."""
    return archives.build(place, "debian-more", MORE)


@pytest.fixture(scope="session")
def more_archive(request: pytest.FixtureRequest, archives: SharedArchives) -> Path:
    """Its archive, built by any process, to be read only."""
    return archives.find("debian-more") or request.getfixturevalue("more").archive


@pytest.fixture(scope="session")
def image(vm: Built) -> Built:
    """The default image recipe, built: the base of the VM serves it too."""
    recipe = vm.place.recipe("debian-image", target="image")
    result = vm.place.run("build", recipe, "--json")
    assert result.code == 0, result.output + result.errors
    return Built(vm.place, "debian-image", result)


@pytest.fixture(scope="session")
def ordinary_place() -> Iterator[Workplace]:
    """Where an ordinary user builds: this one, or a throw-away one with a range of sub-ids."""
    if not is_root():
        pytest.skip("these tests already run as an ordinary user")
    if not _others_can_run():
        pytest.skip(f"other users cannot run {sys.executable}")
    # A process each, where the tests run in several.
    name = f"zwizard-{os.environ.get('PYTEST_XDIST_WORKER', 'test')}"
    subprocess.run(["userdel", "--remove", name], capture_output=True, check=False)
    subprocess.run(["useradd", "--create-home", "--shell", "/bin/sh", name], check=True)
    home = Path("/home") / name
    try:
        yield Workplace(home, name)
    finally:
        subprocess.run(["pkill", "-KILL", "-u", name], check=False)
        shutil.rmtree(home)
        subprocess.run(["userdel", name], check=True, capture_output=True)


def _others_can_run() -> bool:
    """Whether every directory above the interpreter and above this project is open to others."""
    files = (Path(sys.executable).resolve(), Path(sys.executable), Path(__file__).resolve())
    return all(
        directory.stat().st_mode & 0o005 == 0o005 for file in files for directory in file.parents
    )
