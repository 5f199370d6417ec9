"""A repair says what it changes, and which programs of the image it runs for that."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.trees import vm_tree
from zwizard.checks import check
from zwizard.console.repair import describe
from zwizard.engine.repair import remedy


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A VM's tree, without faults."""
    root = tmp_path / "image"
    vm_tree(root)
    return root


def test_programs_of_the_image_are_named_before_they_run(image: Path) -> None:
    (image / "etc/cloud/cloud-init.disabled").touch()
    found = remedy(check(image, mode="vm"), image)
    assert found.programs == ("sh",)
    assert "Programs of the image run for this, in a sandbox: sh" in describe(found)


def test_a_fix_that_runs_nothing_names_no_program(image: Path) -> None:
    (image / "etc/hostname").write_text("mine\n")
    found = remedy(check(image, mode="vm"), image)
    assert [finding.slug for finding, _ in found.fixed] == ["hostname"]
    assert found.programs == ()
    assert "sandbox" not in describe(found)


def test_the_new_archive_gets_a_name_that_not_even_a_link_has(image: Path) -> None:
    (image / "etc/hostname").write_text("mine\n")
    (image.parent / "image-repaired.tar.gz").symlink_to("nowhere")
    found = remedy(check(image, mode="vm"), image)
    assert found.archive == image.parent / "image-repaired-2.tar.gz"


# --- what cannot be fixed is said before it begins, with the reason -----------------------------

TOOLS = {
    "usr/sbin/update-initramfs": "",
    "usr/lib/dracut/modules.d/95virtiofs/module-setup.sh": "",
    "usr/bin/mkinitcpio": "",
    "usr/sbin/update-tirfs": "tiny-initramfs",
    "usr/bin/booster": "booster",
    "usr/bin/dracut": "no module virtiofs",
    "sbin/mkinitfs": "mkinitfs",
    "bin/true": "no tool that makes an initramfs",
}


@pytest.mark.parametrize(("tool", "reason"), TOOLS.items())
def test_an_initramfs_is_made_by_the_images_own_tool_or_it_is_said_why_not(
    tool: str, reason: str, image: Path
) -> None:
    (image / "boot/initrd.img").resolve().write_bytes(b"no initramfs")
    (image / tool).parent.mkdir(parents=True, exist_ok=True)
    (image / tool).touch(0o755)
    found = remedy(check(image, mode="vm"), image)
    fixed = [finding.slug for finding, _ in found.fixed]
    assert ("initrd-readable" in fixed) is not bool(reason)
    assert ("initrd-readable" in found.reasons) is bool(reason)
    assert reason in found.reasons.get("initrd-readable", "")
    if reason:
        assert f"initrd-readable: {found.reasons['initrd-readable']}. " in describe(found)


def test_without_any_kernel_nothing_is_promised_of_it(image: Path) -> None:
    for name in (image / "boot").iterdir():
        name.unlink()
    found = remedy(check(image, mode="vm"), image)
    assert found.fixed == ()
    assert {"mode", "kernel-resolves"} <= set(found.reasons)


def test_a_package_manager_that_is_not_supported_is_the_reason(image: Path) -> None:
    (image / "usr/sbin/sshd").unlink()
    (image / "etc/os-release").write_text("ID=void\n")
    found = remedy(check(image, mode="vm"), image)
    assert found.reasons == {"ssh-server": "its package manager is not supported"}
