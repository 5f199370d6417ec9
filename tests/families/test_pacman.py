"""Plans of Arch Linux: every sentence of the document's guide to an image, and a VM of it."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace

import pytest

from zwizard.plan.targets import make
from zwizard.recipe.model import Recipe
from zwizard.steps import render
from zwizard.steps.actions import InTree, Link, OnTree, Remove, TrustPackagers, Write
from zwizard.steps.step import Plan, Step

MIRROR = "https://mirror.example/archlinux"
SOURCE = {"distro": "arch", "mirror": MIRROR, "packages": ["htop"]}
SYSTEM = {"run": ["pacman -Q"], "locale": "nl_BE.UTF-8"}


def plan(target: str, **source: object) -> Plan:
    data = {"target": target, "source": SOURCE | source, "system": SYSTEM}
    return make(Recipe.from_dict(data))


def step(made: Plan, name: str) -> Step:
    return next(step for step in made.steps if step.name == name)


def pacman(step: Step) -> tuple[str, ...]:
    """What the host's pacman is told in a step."""
    (found,) = (
        action.argv
        for action in step.actions
        if isinstance(action, OnTree) and action.argv[0] in {"pacman", "pacstrap"}
    )
    return found


def written(made: Plan, path: str) -> str:
    return next(
        action.text
        for step in made.steps
        for action in step.actions
        if isinstance(action, Write) and action.path == path
    )


def in_tree(made: Plan) -> list[tuple[str, ...]]:
    return [a.argv for step in made.steps for a in step.actions if isinstance(a, InTree)]


def test_an_image_has_every_package_of_the_documents_list() -> None:
    document = "base linux linux-firmware vim openssh cloud-init cloud-guest-utils grub"
    made = plan("image")
    installed = {*pacman(step(made, "bootstrap")), *pacman(step(made, "packages"))}
    assert set(document.split()) <= installed


def test_an_image_is_set_up_as_the_document_does() -> None:
    made = plan("image")
    commands = in_tree(made)
    assert ("passwd", "-d", "root") in commands
    enabled = {unit for argv in commands if argv[:2] == ("systemctl", "enable") for unit in argv}
    assert {"sshd", "systemd-networkd", "systemd-resolved", "cloud-final"} <= enabled
    links = [a for a in step(made, "system").actions if isinstance(a, Link)]
    assert Link("/etc/resolv.conf", "/run/systemd/resolve/stub-resolv.conf") in links
    fstab = written(made, "/etc/fstab")
    assert " / ext4 " in fstab
    assert " /boot vfat " in fstab
    defaults = written(made, "/etc/default/grub")
    assert 'GRUB_CMDLINE_LINUX_DEFAULT="loglevel=3 console=tty console=ttyS0"' in defaults
    assert "GRUB_TIMEOUT=0\n" in defaults
    assert 'GRUB_DISTRIBUTOR="Arch Linux"' in defaults
    removed = {p for a in step(made, "clean").actions if isinstance(a, Remove) for p in a.patterns}
    assert "/var/cache/pacman/pkg" in removed
    assert ("cloud-init", "clean", "--logs") in commands


def test_a_vm_has_its_services_enabled_as_arch_enables_none() -> None:
    enabled = {unit for argv in in_tree(plan("vm")) if argv[0] == "systemctl" for unit in argv}
    assert {"sshd", "systemd-networkd", "cloud-init-main", "cloud-final"} <= enabled


@pytest.mark.parametrize("target", ["vm", "image"])
def test_nothing_of_debians_is_in_it(target: str) -> None:
    text = render.text(plan(target))
    for word in ("apt-get", "dpkg", "policy-rc.d", "update-initramfs", "/etc/default/locale"):
        assert f"{word} " not in text.replace("\n", " ")


def test_the_initramfs_has_the_modules_asked_for_and_does_not_look_at_this_machine() -> None:
    for target, modules, hooks in (
        ("vm", "(virtiofs virtio_pci)", "(base udev)"),
        ("image", "(virtiofs virtio_pci virtio_blk ext4)", "(base udev fsck)"),
    ):
        settings = written(plan(target), "/etc/mkinitcpio.conf.d/zwizard.conf")
        assert f"MODULES={modules}\nHOOKS={hooks}\n" in settings


def test_the_kernel_is_kept_right_after_upgrades_by_a_hook_that_comes_last() -> None:
    made = plan("vm")
    hook = written(made, "/etc/pacman.d/hooks/zz-zos-kernel.hook")
    assert "Operation = Upgrade\n" in hook
    assert "Target = usr/lib/modules/*/vmlinuz\n" in hook
    script = hook.partition("Exec = ")[2].strip()
    assert (script,) in in_tree(made)
    assert written(made, script).startswith("#!/bin/sh")


def test_every_use_of_the_mirror_comes_after_its_keys_are_verified() -> None:
    for step in plan("image").steps:
        kinds = [
            "pacman" if isinstance(a, OnTree) and a.argv[0] == "pacman" else type(a).__name__
            for a in step.actions
        ]
        if "pacman" in kinds:
            assert kinds.index("TrustPackagers") < kinds.index("pacman")
    assert "SigLevel = Required DatabaseOptional" in written(
        plan("vm"), "/etc/pacman.d/zwizard.conf"
    )


def test_keys_and_packages_are_kept_apart_by_mirror_and_by_who_is_trusted() -> None:
    ours = "0123456789ABCDEF0123456789ABCDEF01234567"
    made = [plan("vm"), plan("vm", keys=[ours]), plan("vm", mirror="https://other.example/arch")]
    trusted = [
        action
        for one in made
        for action in step(one, "bootstrap").actions
        if isinstance(action, TrustPackagers)
    ]
    assert len({action.name for action in trusted}) == 3
    assert trusted[1].fingerprints == (ours,)
    assert len(trusted[0].fingerprints) == 5


def test_a_mirror_may_be_given_as_pacmans_own_lists_have_it() -> None:
    assert (
        plan("vm", mirror=f"{MIRROR}/$repo/os/$arch").fingerprints() == plan("vm").fingerprints()
    )
    assert written(plan("vm"), "/etc/pacman.d/mirrorlist") == (
        f"Server = {MIRROR}/$repo/os/$arch\n"
    )


def test_pacstrap_takes_only_what_the_document_says_and_our_keys() -> None:
    argv = pacman(step(plan("vm", bootstrap="pacstrap"), "bootstrap"))
    assert argv[:7] == (
        "pacstrap",
        "-c",
        "-G",
        "-M",
        "-C",
        "$ROOT/etc/pacman.d/zwizard.conf",
        "$ROOT",
    )
    assert argv[7] == "base"
    assert "--gpgdir" in argv


def test_the_minimal_variant_has_neither_firmware_nor_editor() -> None:
    assert {"linux-firmware", "vim"}.isdisjoint(
        pacman(step(plan("image", variant="minimal"), "packages"))
    )


def test_the_tools_are_those_that_the_actions_run() -> None:
    common = {
        "bash",
        "base64",
        "bwrap",
        "nsenter",
        "unshare",
        "curl",
        "flock",
        "gpg",
        "install",
        "mount",
        "tar",
        "umount",
        "zstd",
    }
    assert plan("vm").tools() == common | {"pacman"}
    assert plan("vm", bootstrap="pacstrap").tools() == common | {"pacman", "pacstrap"}


def test_a_late_answer_keeps_the_base() -> None:
    before = plan("vm")
    data = Recipe.from_dict({"source": SOURCE, "system": SYSTEM})
    after = make(replace(data, system=replace(data.system, timezone="Europe/Paris")))
    first = [step.name for step in before.steps].index("system")
    assert after.fingerprints()[:first] == before.fingerprints()[:first]
    assert after.fingerprints()[first] != before.fingerprints()[first]


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not here")
@pytest.mark.parametrize("target", ["vm", "image"])
def test_shellcheck_finds_nothing_in_the_script(target: str) -> None:
    # As for Debian's: no other file is followed, and $ in commands is meant for the tree's shell.
    argv = ["shellcheck", "--exclude=SC1091,SC2016", "-"]
    done = subprocess.run(
        argv, input=render.script(plan(target)), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")
