"""The initramfs of a tree made elsewhere is made by the tool that is in it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from zwizard.sources import completion
from zwizard.steps.actions import InTree

VERSION = "6.1.0-1"
PLACES = ("/usr/sbin/", "/usr/bin/", "/usr/lib/", "/usr/share/", "/etc/", "/boot", "/lib/modules",
          "/var/lib/dpkg")  # fmt: skip


def run(root: Path, *, image: bool = False) -> list[str]:
    """The commands that the script runs in the tree at ``root``, in which every tool is a fake."""
    (action,) = completion.initramfs(("virtiofs", "virtio_pci"), image=image)
    assert isinstance(action, InTree)
    shell, option, script, *arguments = action.argv
    for place in PLACES:
        script = script.replace(f" {place}", f" {root}{place}").replace(
            f'"{place}', f'"{root}{place}').replace(f">{place}", f">{root}{place}")  # fmt: skip
    (root / "log").touch()
    tools = root / "tools"
    tools.mkdir(exist_ok=True)
    for name in ("update-initramfs", "dracut", "mkinitcpio"):
        (tools / name).write_text(f'#!/bin/sh\necho "{name} $*" >>{root}/log\n')
        (tools / name).chmod(0o755)
    environment = {"PATH": f"{tools}:/usr/bin:/bin"}
    argv = [shell, option, script, *arguments]
    subprocess.run(argv, env=environment, check=True, capture_output=True)
    return (root / "log").read_text().replace(str(root), "").splitlines()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("etc/initramfs-tools", f"lib/modules/{VERSION}", "boot"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / f"lib/modules/{VERSION}/modules.dep").touch()
    return tmp_path


def has(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch(0o755)


TOOLS = ("usr/sbin/mkinitramfs", "usr/sbin/update-initramfs")
DRACUT = "usr/lib/dracut/modules.d/95virtiofs"


@pytest.mark.parametrize(
    ("files", "commands"),
    {
        (*TOOLS, DRACUT): ["update-initramfs -c -k all"],
        ("usr/sbin/mkinitramfs", DRACUT): [f"dracut --force --kver {VERSION}"],
        (DRACUT, "usr/bin/mkinitcpio"): [f"dracut --force --kver {VERSION}"],
        (DRACUT, "var/lib/dpkg/status"): [
            f"dracut --force --kver {VERSION} /boot/initrd.img-{VERSION}"
        ],
        (DRACUT, f"boot/initrd-{VERSION}"): [
            f"dracut --force --kver {VERSION} /boot/initrd-{VERSION}"
        ],
        ("usr/bin/mkinitcpio",): [f"mkinitcpio -k {VERSION} -g /boot/initramfs-{VERSION}.img"],
        ("usr/sbin/update-tirfs",): [],
    }.items(),
)
def test_the_tool_of_the_tree_is_run_and_no_other(
    files: tuple[str, ...], commands: list[str], root: Path
) -> None:
    has(root, *files)
    assert run(root) == commands


def test_dracut_makes_it_for_any_machine_also_at_upgrades(root: Path) -> None:
    has(root, DRACUT)
    run(root, image=True)
    text = (root / "etc/dracut.conf.d/zz-zwizard.conf").read_text()
    assert 'hostonly="no"' in text
    assert 'add_dracutmodules+=" virtiofs "' in text
    assert 'add_drivers+=" virtiofs virtio_pci virtio_blk' in text
    assert list((root / "etc/initramfs-tools").iterdir()) == []


def test_a_second_run_adds_no_module_twice(root: Path) -> None:
    has(root, *TOOLS)
    (root / "etc/initramfs-tools/modules").write_text("nvme\nvirtiofs\n")
    run(root)
    run(root)
    assert (root / "etc/initramfs-tools/modules").read_text() == "nvme\nvirtiofs\nvirtio_pci\n"
    assert (root / "etc/initramfs-tools/scripts/init-top/zwizard").stat().st_mode & 0o111
