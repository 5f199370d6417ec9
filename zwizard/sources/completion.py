"""What is done to a system made elsewhere: what is missing is added, settings, the clean-up."""

from dataclasses import replace

from zwizard import distros
from zwizard.families import apt, family, guest, pacman
from zwizard.recipe.fields import FIELDS
from zwizard.recipe.model import Recipe
from zwizard.steps import programs
from zwizard.steps.actions import Action, Directory, InTree, LinkKernels, Remove, ShInTree, Write
from zwizard.steps.step import Step
from zwizard.util.units import MIB

_SCRIPT = "/.zos-kernel"
RESOLV = Write("/etc/resolv.conf", "nameserver 1.1.1.1\n")
CLOUD_CONFIG = guest.cloud_config("netplan, network-manager, networkd, sysconfig, eni")
STATE = Remove(
    (
        *(f"/var/lib/cloud/{name}" for name in ("instance", "instances", "data", "seed", "sem")),
        "/var/log/cloud-init*",
    )
)
RENDERED = Remove(
    (
        "/etc/netplan/50-cloud-init.yaml",
        "/etc/network/interfaces.d/50-cloud-init*",
        "/etc/NetworkManager/system-connections/cloud-init-*",
        "/etc/systemd/network/10-cloud-init-*",
        "/etc/udev/rules.d/*persistent-net*",
    )
)
"""What cloud-init keeps of the machines it ran on: its state, and the network it set up."""

NO_GRUB = Remove(("/boot/grub/grub.cfg", "/boot/grub2/grub.cfg"))
"""Where it is missing, GRUB's hooks and package do nothing: its tools fail without a disk."""

CACHES = Remove(
    (
        *("/var/cache/apt/archives/*.deb", "/var/cache/pacman/pkg/*", "/var/cache/dnf/*"),
        *("/var/cache/yum/*", "/var/cache/zypp/*", "/var/cache/apk/*", "/etc/apk/cache/*"),
    )
)
"""Where package managers keep what they have downloaded."""

MOUNTED = (
    *(Directory(path) for path in ("/dev", "/proc", "/sys", "/run")),
    Directory("/tmp", 0o1777),  # noqa: S108 - the image's
)
"""What Zero-OS mounts over, which has to be there: a flist is read-only below."""


def complete(recipe: Recipe) -> Step:
    """Install what is missing in the tree; where nothing is, no network is used."""
    distro, own = distros.named(recipe.source.distro), recipe.kernel.file
    return Step(
        "packages",
        f"Install what is missing: {'' if own else 'kernel, '}cloud-init, SSH, network, init",
        (
            '"apt-get install cloud-init openssh-server curl"',
            *(() if own else ('"Also really important that we install a kernel"',)),
            "Only what is not there yet.",
        ),
        family.of(distro).complete(recipe, distro),
        answers=("kernel.package", "kernel.file"),
        network=True,
        size=500 * MIB,
        guide="apt-get update\napt-get install cloud-init openssh-server curl",
    )


def initramfs(modules: tuple[str, ...], *, image: bool) -> tuple[Action, ...]:
    """The initramfs, with ``modules`` and those of a disk, by the tool that the tree has."""
    names = (*modules, *(apt.DISK_MODULES if image else ()))
    at_once = "" if image else apt.AT_ONCE
    configurations = (apt.CONFIGURATION, at_once, pacman.mkinitcpio(modules, image=image))
    script = programs.script("initramfs.sh")
    return (ShInTree(("sh", "-c", script, "initramfs", " ".join(names), *configurations)),)


def unpack_kernels() -> tuple[Action, ...]:
    """The kernels to ELF, by this machine's tools: the tree may lack them."""
    script = programs.script("zz-zos-kernel")
    return (Write(_SCRIPT, script), LinkKernels(_SCRIPT), Remove((_SCRIPT,)))


def kernel(recipe: Recipe) -> Step:
    """The kernel unpacked by tools of this machine; and at later upgrades."""
    hook = family.of(distros.named(recipe.source.distro)).kernel()
    return guest.kernel(hook, *unpack_kernels())


def settings(recipe: Recipe) -> Step:
    """Configuration from Zero-OS; time zone and locale only where the recipe changes them."""
    system, distro = recipe.system, distros.named(recipe.source.distro)
    zone, locale, of = system.timezone, system.locale, family.of(distro)
    image = recipe.target == "image"
    services = (*(distro.image_services if image else distro.vm_services), *system.services)
    actions: list[Action] = [
        CLOUD_CONFIG,
        *((guest.RESOLVED,) if image else ()),
        Remove(("/etc/cloud/cloud-init.disabled", "/etc/hostname")),
        *(guest.timezone(zone, of) if zone != FIELDS["system.timezone"].default else ()),
        *(guest.localise(locale, of) if locale != FIELDS["system.locale"].default else ()),
    ]
    if services:
        actions.append(InTree(("systemctl", "enable", *services)))
    if distro.family != "none":
        actions.append(InTree(("passwd", "-d", "root")))
    return Step(
        "system",
        "Let cloud-init be configured by Zero-OS; set what you asked for",
        (
            '"Cloud-init receive its config over the NoCloud source"',
            '"You don\'t have to set the hostname, this will be setup later on zos"',
            '"let\'s drop the root password all together"',
        ),
        tuple(actions),
        answers=("system.timezone", "system.locale", "system.services"),
        size=4 * MIB,
    )


def clean(recipe: Recipe) -> Step:
    """Everything that belongs to a build or to one machine, by whomever it was used."""
    usual = guest.clean(distros.named(recipe.source.distro), cloud_init=False)
    return replace(usual, actions=(*usual.actions, STATE, RENDERED))


def tidy() -> Step:
    """What belongs to a build, in a tree that may hold no program to remove it."""
    return Step(
        "clean",
        "Clean up caches and what the machine mounts over",
        ('"clean up cache"',),
        (
            CACHES,
            Remove(("/dev/*", "/run/*", "/tmp/*", "/var/tmp/*")),  # noqa: S108 - the image's
            *MOUNTED,
        ),
        size=MIB,
    )
