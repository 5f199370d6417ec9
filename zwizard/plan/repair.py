"""Repairs of an image made elsewhere: for each rule the actions that fix it, and no others."""

from collections.abc import Callable
from dataclasses import dataclass

from zwizard import distros
from zwizard.distros.base import Distro
from zwizard.families import family
from zwizard.image.boot_files import why_no_initramfs, why_no_kernel
from zwizard.image.tree import FileTree
from zwizard.recipe.model import Recipe
from zwizard.recipe.problems import Problem, RecipeError
from zwizard.sources import completion
from zwizard.steps import programs
from zwizard.steps.actions import Action, InTree, Remove, Write
from zwizard.steps.step import Step
from zwizard.util.units import MIB

_ENABLE = (
    "for unit in {units}; do [ ! -e /lib/systemd/system/$unit.service ]"
    " || systemctl enable $unit; done"
)
_MODULES = ("virtiofs", "virtio_pci")


@dataclass(frozen=True)
class Fix:
    """What fixes ``rules`` of a VM or container: its step, and what it changes, in words.

    It takes ``actions``, and those ``by_family``, which run the tree's own package manager: one
    that zwizard must support. ``obstacle`` says why it cannot work in a tree, "" if it can.
    """

    rules: tuple[str, ...]
    step: str
    changes: str
    actions: tuple[Action, ...] = ()
    by_family: Callable[[Distro, Recipe], tuple[Action, ...]] | None = None
    obstacle: Callable[[FileTree], str] | None = None


def _enabled(*units: str) -> Action:
    return InTree(("sh", "-c", _ENABLE.format(units=" ".join(units))))


REPACK = Fix(
    (
        *("archive-name", "archive-name-survives", "path-colon", "archive-root"),
        *("archive-paths", "archive-owners", "archive-duplicates", "special-files"),
    ),
    "pack",
    "the archive is packed again under a valid name: the system at its root, each path once,"
    " owners as numbers, no devices",
)
"""What importing and packing fix by themselves."""

FIXES = (
    REPACK,
    Fix(
        ("cloud-init-installed", "init-present"),
        "packages",
        "missing packages are installed",
        by_family=lambda distro, recipe: family.of(distro).complete(recipe, distro),
    ),
    Fix(
        ("ssh-server",),
        "packages",
        "the SSH server is installed if it is missing, and enabled",
        by_family=lambda distro, recipe: (
            *family.of(distro).complete(recipe, distro),
            _enabled("ssh", "sshd"),
        ),
    ),
    Fix(
        ("initrd-virtiofs", "initrd-virtio-pci", "initrd-readable"),
        "initramfs",
        "the initramfs is made again by the image's own tool, with virtiofs and virtio_pci",
        completion.initramfs(_MODULES, image=False),
        obstacle=why_no_initramfs,
    ),
    Fix(
        ("mode", "kernel-resolves", "kernel-link-relative", "kernel-elf", "initrd-resolves"),
        "kernel",
        "the kernel that is linked, or else the newest, is unpacked to ELF, and /boot/vmlinuz and"
        " /boot/initrd.img are relative links to it and its initramfs",
        completion.unpack_kernels(),
        obstacle=why_no_kernel,
    ),
    Fix(
        ("kernel-upgrades",),
        "kernel",
        "a hook unpacks each new kernel when it is installed, and GRUB's menu is removed: with it"
        " GRUB's own hook fails where no disk is",
        (completion.NO_GRUB, *completion.unpack_kernels()),
        lambda distro, _: family.of(distro).kernel(),
    ),
    Fix(
        ("cloud-init-enabled",),
        "settings",
        "cloud-init's services are enabled, and the file that disables them is removed",
        (
            Remove(("/etc/cloud/cloud-init.disabled",)),
            _enabled(
                *("cloud-init-main", "cloud-init-local", "cloud-init", "cloud-init-network"),
                *("cloud-config", "cloud-final"),
            ),
        ),
    ),
    Fix(
        ("cloud-init-nocloud", "network-renderer"),
        "settings",
        "cloud-init reads only Zero-OS's disk (NoCloud) and uses the image's network service",
        (completion.CLOUD_CONFIG,),
    ),
    Fix(
        ("root-password",),
        "settings",
        "root's password is deleted: login is by SSH key",
        (InTree(("passwd", "-d", "root")),),
    ),
    Fix(
        ("fstab-mounts", "fstab"),
        "settings",
        "lines of /etc/fstab for what a VM does not have get the option nofail; those of another"
        " root and of loop devices become comments",
        (InTree(("sh", "-c", programs.script("fstab.sh"))),),
    ),
    Fix(("resolv-conf",), "settings", "/etc/resolv.conf names a server", (completion.RESOLV,)),
    Fix(("hostname",), "settings", "/etc/hostname is removed", (Remove(("/etc/hostname",)),)),
    Fix(
        ("tree-mountpoints",),
        "settings",
        "missing mount points are made",
        completion.MOUNTED,
    ),
    Fix(
        ("ssh-host-keys",),
        "clean",
        "SSH host keys are removed",
        (Remove(("/etc/ssh/ssh_host_*",)),),
    ),
    Fix(
        ("machine-id",),
        "clean",
        "/etc/machine-id is emptied",
        (Remove(("/var/lib/dbus/machine-id",)), Write("/etc/machine-id", "")),
    ),
    Fix(
        ("cloud-init-clean",),
        "clean",
        "cloud-init's state of an earlier boot is removed",
        (completion.STATE,),
    ),
    Fix(
        ("cloud-init-network-clean",),
        "clean",
        "the network configuration that cloud-init wrote elsewhere is removed",
        (completion.RENDERED,),
    ),
    Fix(
        ("package-cache",),
        "clean",
        "downloaded packages are removed",
        (completion.CACHES,),
    ),
    Fix(("dev-empty",), "clean", "/dev is emptied", (Remove(("/dev/*",)),)),
    Fix(
        ("build-leftovers",),
        "clean",
        "policy-rc.d and the contents of /proc and /sys are removed",
        (Remove(("/proc/*", "/sys/*", "/usr/sbin/policy-rc.d")),),
    ),
)
"""In the order of the steps."""

_TITLES = {
    "packages": "Install missing packages",
    "initramfs": "Make the initramfs again",
    "kernel": "Unpack the kernel to ELF and link it in /boot",
    "settings": "Set what is missing",
    "clean": "Remove state of one machine or build",
}
_SIZES = {"packages": 500 * MIB, "initramfs": 20 * MIB, "kernel": 60 * MIB}


def fix_for(rule: str, distro: str) -> Fix | None:
    """The fix for ``rule`` in a tree of the distribution called ``distro``, if there is one."""
    tools = distros.named(distro).family != "none"
    return next((fix for fix in FIXES if rule in fix.rules and (tools or not fix.by_family)), None)


def steps(recipe: Recipe) -> tuple[Step, ...]:
    """The steps that fix the rules named by the recipe; RecipeError if there is no fix for one."""
    source = recipe.source
    by_rule = {rule: fix_for(rule, source.distro) for rule in source.repair}
    if missing := ", ".join(rule for rule, fix in by_rule.items() if fix is None):
        reason = f"no fix for {missing} in a rootfs of distro = {source.distro}"
        raise RecipeError((Problem("source.repair", source.repair, reason),))
    chosen = [fix for fix in FIXES if fix in by_rule.values()]
    by_step = {name: [fix for fix in chosen if fix.step == name] for name in _TITLES}
    return tuple(_step(name, fixes, recipe) for name, fixes in by_step.items() if fixes)


def _step(name: str, fixes: list[Fix], recipe: Recipe) -> Step:
    distro = distros.named(recipe.source.distro)
    actions: list[Action] = []
    for fix in fixes:
        actions += (*fix.actions, *(fix.by_family(distro, recipe) if fix.by_family else ()))
    rules = [rule for fix in fixes for rule in fix.rules if rule in recipe.source.repair]
    changes = (f"{fix.changes[:1].upper()}{fix.changes[1:]}." for fix in fixes)
    return Step(
        name,
        _TITLES[name],
        (*changes, f"Fixes {', '.join(rules)}."),
        tuple(dict.fromkeys(actions)),
        answers=("source.repair",),
        network=name == "packages",
        size=_SIZES.get(name, MIB),
    )
