"""What mends an image by others: for each rule of the checklist the actions, and nothing more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from zwizard import distros
from zwizard.distros.base import Distro
from zwizard.families import family
from zwizard.recipe.model import Recipe
from zwizard.recipe.problems import Problem, RecipeError
from zwizard.sources import completion
from zwizard.steps.actions import Action, Chroot, Remove, Write
from zwizard.steps.step import Step

_MIB = 2**20
_ENABLE = (
    "for unit in {units}; do [ ! -e /lib/systemd/system/$unit.service ]"
    " || systemctl enable $unit; done"
)
_MODULES = ("virtiofs", "virtio_pci")


@dataclass(frozen=True)
class Fix:
    """What mends ``rules`` of a VM or container: the step it is part of, and what it changes.

    ``tools``: by the tree's own package tools, so that they have to be known.
    """

    rules: tuple[str, ...]
    step: str
    changes: str
    actions: Callable[[Distro, Recipe], tuple[Action, ...]] = lambda _, __: ()
    tools: bool = False


def _fixed(*actions: Action) -> Callable[[Distro, Recipe], tuple[Action, ...]]:
    return lambda _, __: actions


def _removed(*patterns: str) -> Callable[[Distro, Recipe], tuple[Action, ...]]:
    return _fixed(Remove(patterns))


def _enabled(*units: str) -> Action:
    return Chroot(("sh", "-c", _ENABLE.format(units=" ".join(units))))


REPACK = Fix(
    (
        *("archive-name", "archive-name-survives", "path-colon", "archive-root"),
        *("archive-paths", "archive-owners", "archive-duplicates", "special-files"),
    ),
    "pack",
    "it is packed anew, under a good name: nothing around it, each path once, owners as numbers,"
    " no devices",
)
"""What importing and packing mend by themselves."""

MENDS = (
    REPACK,
    Fix(
        ("cloud-init-installed", "init-present"),
        "packages",
        "what is lacking is installed",
        lambda distro, recipe: family.of(distro).complete(recipe, distro),
        tools=True,
    ),
    Fix(
        ("ssh-server",),
        "packages",
        "the SSH server is installed if it is lacking, and enabled",
        lambda distro, recipe: (
            *family.of(distro).complete(recipe, distro),
            _enabled("ssh", "sshd"),
        ),
        tools=True,
    ),
    Fix(
        ("initrd-virtiofs", "initrd-virtio-pci", "initrd-readable"),
        "initramfs",
        "the initramfs is made anew, with virtiofs and virtio_pci",
        lambda distro, _: family.of(distro).initramfs(_MODULES, image=False),
        tools=True,
    ),
    Fix(
        ("mode", "kernel-resolves", "kernel-link-relative", "kernel-elf", "initrd-resolves"),
        "kernel",
        "the kernels are unpacked to ELF, and /boot/vmlinuz and /boot/initrd.img are relative"
        " links to the newest",
        _fixed(*completion.unpack_kernels()),
    ),
    Fix(
        ("kernel-upgrades",),
        "kernel",
        "a hook unpacks each new kernel when it is installed",
        lambda distro, _: (*completion.unpack_kernels(), *family.of(distro).kernel()),
        tools=True,
    ),
    Fix(
        ("cloud-init-enabled",),
        "settings",
        "cloud-init's services are enabled, and what disables them is removed",
        _fixed(
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
        "cloud-init asks Zero-OS alone (NoCloud), and takes the network service that is there",
        _fixed(completion.CLOUD_CONFIG),
    ),
    Fix(
        ("root-password",),
        "settings",
        "root's password is dropped: login is by SSH key",
        _fixed(Chroot(("passwd", "-d", "root"))),
    ),
    Fix(
        ("resolv-conf",), "settings", "/etc/resolv.conf names a server", _fixed(completion.RESOLV)
    ),
    Fix(("hostname",), "settings", "/etc/hostname is removed", _removed("/etc/hostname")),
    Fix(
        ("tree-mountpoints",),
        "settings",
        "the directories that are mounted on are made",
        _fixed(*completion.MOUNTED),
    ),
    Fix(("ssh-host-keys",), "clean", "SSH host keys are removed", _removed("/etc/ssh/ssh_host_*")),
    Fix(
        ("machine-id",),
        "clean",
        "/etc/machine-id is emptied",
        _fixed(Remove(("/var/lib/dbus/machine-id",)), Write("/etc/machine-id", "")),
    ),
    Fix(
        ("cloud-init-clean",),
        "clean",
        "what cloud-init kept of a start is removed",
        _fixed(completion.STATE),
    ),
    Fix(
        ("cloud-init-network-clean",),
        "clean",
        "the network that cloud-init rendered elsewhere is removed",
        _fixed(completion.RENDERED),
    ),
    Fix(
        ("package-cache",),
        "clean",
        "downloaded packages are removed",
        _fixed(completion.CACHES),
    ),
    Fix(("dev-empty",), "clean", "/dev is emptied", _removed("/dev/*")),
    Fix(
        ("build-leftovers",),
        "clean",
        "policy-rc.d, and what is in /proc and /sys, is removed",
        _removed("/proc/*", "/sys/*", "/usr/sbin/policy-rc.d"),
    ),
)
"""In the order in which they are done."""

_TITLES = {
    "packages": "Install what it lacks",
    "initramfs": "Make the initramfs anew",
    "kernel": "Unpack the kernel to ELF and link it in /boot",
    "settings": "Set what it lacks",
    "clean": "Remove what belongs to one machine or build",
}
_SIZES = {"packages": 500 * _MIB, "initramfs": 20 * _MIB, "kernel": 60 * _MIB}


def fix_for(rule: str, distro: str) -> Fix | None:
    """What mends ``rule`` in a tree of the distribution called ``distro``, if anything can."""
    known = distros.named(distro).family != "none"
    return next((mend for mend in MENDS if rule in mend.rules and (known or not mend.tools)), None)


def steps(recipe: Recipe) -> tuple[Step, ...]:
    """The steps that mend what the recipe names; RecipeError for what nothing mends."""
    source = recipe.source
    wanted = {rule: fix_for(rule, source.distro) for rule in source.repair}
    if lost := tuple(rule for rule, mend in wanted.items() if mend is None):
        said = f"nothing mends {', '.join(lost)} in a rootfs of distro = {source.distro}"
        raise RecipeError((Problem("source.repair", source.repair, said),))
    chosen = [mend for mend in MENDS if mend in wanted.values()]
    names = (name for name in _TITLES if any(mend.step == name for mend in chosen))
    return tuple(_step(name, [m for m in chosen if m.step == name], recipe) for name in names)


def _step(name: str, mends: list[Fix], recipe: Recipe) -> Step:
    distro = distros.named(recipe.source.distro)
    actions = (action for mend in mends for action in mend.actions(distro, recipe))
    rules = [rule for mend in mends for rule in mend.rules if rule in recipe.source.repair]
    return Step(
        name,
        _TITLES[name],
        (*(f"{_capital(mend.changes)}." for mend in mends), f"Mends {', '.join(rules)}."),
        tuple(dict.fromkeys(actions)),
        answers=("source.repair",),
        network=name == "packages",
        size=_SIZES.get(name, _MIB),
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
