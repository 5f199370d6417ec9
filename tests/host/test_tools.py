"""The tools: which are missing, and what installs them, by each distribution's own manager."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from zwizard.boottest import session
from zwizard.host import tools
from zwizard.plan.targets import make
from zwizard.recipe.model import Recipe
from zwizard.steps.actions import Action
from zwizard.util.errors import ZwizardError


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that is all of PATH, empty at first."""
    monkeypatch.setattr(tools, "PATH", str(tmp_path))
    return tmp_path


def put(here: Path, name: str, script: str = "exit 0") -> None:
    (here / name).write_text(f"#!/bin/sh\n{script}\n")
    (here / name).chmod(0o755)


def kinds(base: type[Action]) -> Iterator[type[Action]]:
    """Every class of action below ``base``."""
    for kind in base.__subclasses__():
        yield kind
        yield from kinds(kind)


def test_everything_that_an_action_or_a_boot_test_runs_has_a_package() -> None:
    declared = {program for kind in kinds(Action) for program in kind.programs}
    declared |= {*session._TOOLS, "virtiofsd", "OVMF"}
    for bootstrap in ("mmdebstrap", "debootstrap"):
        declared |= make(Recipe.from_dict({"source": {"bootstrap": bootstrap}})).tools()
    assert declared <= set(tools.TOOLS)
    for tool in tools.TOOLS.values():
        assert tool.purpose
        assert all(map(tool.package, ("apt", "pacman", "dnf")))


@pytest.mark.slow
def test_as_a_program_it_prints_the_packages_of_what_is_missing(here: Path) -> None:
    argv = [sys.executable, "-m", "zwizard.host.tools"]
    everything = subprocess.run(
        argv, env={"PATH": str(here)}, capture_output=True, text=True, check=True
    )
    assert {"umoci", "mmdebstrap"} <= set(everything.stdout.split())


def test_a_tool_counts_only_if_it_can_be_run(here: Path) -> None:
    put(here, "tar")
    (here / "debootstrap").write_text("not executable")
    assert tools.missing(("tar", "debootstrap", "bash")) == {"debootstrap", "bash"}


def test_tools_of_the_system_are_found_where_an_ordinary_path_lacks_them() -> None:
    assert tools.PATH.endswith(":/usr/local/sbin:/usr/sbin:/sbin")
    assert tools.find("sh")


@pytest.mark.parametrize(
    ("manager", "command"),
    [
        ("apt-get", "apt-get install --yes debootstrap mount uidmap"),
        ("pacman", "pacman -S --needed --noconfirm debootstrap shadow util-linux"),
        ("dnf", "dnf install --assumeyes debootstrap shadow-utils util-linux"),
    ],
)
def test_the_machines_own_manager_gets_its_own_names_each_once(
    here: Path, manager: str, command: str
) -> None:
    put(here, manager)
    names = ("debootstrap", "newuidmap", "mount", "umount")
    assert " ".join(tools.install_argv(names)) == command
    sudo = "" if os.geteuid() == 0 else "sudo "
    assert tools.install_command(names) == f"{sudo}{command}"


def test_without_a_known_manager_the_programs_are_named(here: Path) -> None:
    assert tools.install_argv(("debootstrap",)) == ()
    assert tools.install_command(("tar", "debootstrap")) == "install: debootstrap, tar"
    with pytest.raises(ZwizardError, match="no supported package manager") as caught:
        tools.install(("tar", "debootstrap"))
    assert caught.value.hint == "Install by hand: debootstrap, tar."


@pytest.fixture
def manager(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An apt-get that writes down how it is called, and a sudo that just runs it."""
    put(here, "apt-get", f'echo "$@" >> {here}/called; test "$1" != "$FAILING"')
    put(here, "sudo", '"$@"')
    monkeypatch.setenv("PATH", f"{here}:{os.environ['PATH']}")
    return here / "called"


def test_installing_refreshes_the_lists_and_installs(manager: Path) -> None:
    tools.install(("debootstrap",))
    assert manager.read_text() == "update\ninstall --yes debootstrap\n"


@pytest.mark.parametrize("failing", ["update", "install"])
def test_an_installation_that_fails_is_named(
    manager: Path, failing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAILING", failing)
    with pytest.raises(ZwizardError, match=f"apt-get {failing}.* failed"):
        tools.install(("debootstrap",))
    assert manager.read_text().splitlines()[-1].startswith(failing)


def test_what_is_on_nobodys_path_is_found_where_distributions_keep_it(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = here / "elsewhere/virtiofsd"
    tool = replace(tools.TOOLS["virtiofsd"], files=(str(here / "nowhere"), str(kept)))
    monkeypatch.setitem(tools.TOOLS, "virtiofsd", tool)
    assert tools.find("virtiofsd") is None
    kept.parent.mkdir()
    kept.write_text("")
    assert tools.find("virtiofsd") == str(kept)
    put(here, "virtiofsd")
    assert tools.find("virtiofsd") == str(here / "virtiofsd")  # the user's own comes first


@pytest.mark.parametrize(
    ("release", "package"),
    [
        ('ID=debian\nVERSION_ID="12"\n', "qemu-system-common"),
        ('ID=debian\nVERSION_ID="13"\n', "virtiofsd"),
        ("ID=arch\n", "virtiofsd"),
    ],
)
def test_the_package_of_virtiofsd_depends_on_the_release(
    here: Path, monkeypatch: pytest.MonkeyPatch, release: str, package: str
) -> None:
    (here / "os-release").write_text(release)
    monkeypatch.setattr(tools, "_RELEASE", here / "os-release")
    assert tools.TOOLS["virtiofsd"].package("apt") == package
