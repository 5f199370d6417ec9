"""The fixes of a repair do what they say, and nothing else."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.trees import vm_tree
from zwizard.checks import check
from zwizard.plan.repair import fix_for
from zwizard.steps.actions import InTree

MOUNTS = {
    "": "",
    "# UUID=1 / ext4": "# UUID=1 / ext4",
    "tmpfs /tmp tmpfs size=1G 0 0": "tmpfs /tmp tmpfs size=1G 0 0",
    "vroot / virtiofs rw": "vroot / virtiofs rw",
    "LABEL=cidata /seed vfat ro": "LABEL=cidata /seed vfat ro",
    "nas:/x /x nfs rw 0 0": "nas:/x /x nfs rw 0 0",
    "/etc /mnt none bind": "/etc /mnt none bind",
    "/dev/vdb /data ext4 rw,nofail 0 2": "/dev/vdb /data ext4 rw,nofail 0 2",
    "UUID=1 / ext4 rw 0 1": "# UUID=1 / ext4 rw 0 1",
    "/dev/loop0p1 /boot vfat nofail": "# /dev/loop0p1 /boot vfat nofail",
    "UUID=1-2 /boot/efi\tvfat umask=0077 0 1": "UUID=1-2 /boot/efi vfat umask=0077,nofail 0 0",
    "/dev/vda2 none swap sw 0 0": "/dev/vda2 none swap sw,nofail 0 0",
    "LABEL=data /data": "LABEL=data /data auto defaults,nofail 0 0",
    "data /data virtiofs": "data /data virtiofs defaults,nofail 0 0",
    "/nothing/here /mnt none bind 0 0": "/nothing/here /mnt none bind,nofail 0 0",
}


def fix_mounts(fstab: Path) -> None:
    """Run the fix of /etc/fstab on this file."""
    fix = fix_for("fstab-mounts", "debian")
    assert fix
    (action,) = fix.actions
    assert isinstance(action, InTree)
    *shell, script = action.argv
    subprocess.run([*shell, script.replace("/etc/fstab", str(fstab))], check=True)


@pytest.mark.parametrize(("line", "fixed"), MOUNTS.items())
def test_what_a_vm_cannot_mount_becomes_optional_or_a_comment(
    line: str, fixed: str, tmp_path: Path
) -> None:
    fstab = tmp_path / "fstab"
    fstab.write_text(f"proc /proc proc\n{line}")
    fix_mounts(fstab)
    assert fstab.read_text() == f"proc /proc proc\n{fixed}".rstrip("\n") + "\n"


def test_the_checklist_is_content_with_the_repaired_mounts(tmp_path: Path) -> None:
    root = vm_tree(tmp_path / "image")
    fstab = root / "etc/fstab"
    fstab.write_text("".join(f"{line}\n" for line in MOUNTS))
    before = check(root, mode="vm")
    fix_mounts(fstab)
    after = check(root, mode="vm")
    for rule in ("fstab-mounts", "fstab"):
        assert before.finding(rule).blocks or before.finding(rule).outcome.value == "fail"
        assert after.finding(rule).outcome.value == "pass", after.finding(rule).evidence
