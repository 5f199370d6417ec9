"""Arch's package manager: pacman or pacstrap, and mkinitcpio."""

import hashlib
from dataclasses import replace

from zwizard.distros.base import Distro, Suite
from zwizard.families.family import local_directory
from zwizard.recipe.model import Recipe
from zwizard.steps import programs
from zwizard.steps.actions import (
    DOWNLOADS,
    ROOT,
    Action,
    Host,
    InTree,
    LinesInTree,
    Link,
    OnTree,
    Remove,
    TrustPackagers,
    Write,
)
from zwizard.steps.step import Step
from zwizard.util.units import MIB

ZONE_FILE = ""
LOCALE_FILE = "/etc/locale.conf"

# For the host's pacman, while it fills the tree from outside. Arch signs each package, but not the
# lists of them.
_CONF = "/etc/pacman.d/zwizard.conf"
_HOOKS = "/etc/pacman.d/hooks"
_CONFIGURATION = """\
[options]
Architecture = x86_64
SigLevel = Required DatabaseOptional
ParallelDownloads = 5
"""
_SERVER = "{mirror}/$repo/os/$arch"
_TRIES = 3  # pacman asks each server once, and gives up one after three failures

# Every machine makes its own key, which signs those of the packagers: an image must have none.
_KEYS = "/etc/pacman.d/gnupg"
_MAKE_KEYS = (("pacman-key", "--init"), ("pacman-key", "--populate"))
_KEYS_UNIT = "/etc/systemd/system/zwizard-pacman-keys.service"
_KEYS_SERVICE = f"""\
# Written by zwizard: an image holds no keys of pacman's, each machine makes its own.
[Unit]
Description=Make the keys that pacman trusts
ConditionPathExists=!{_KEYS}/trustdb.gpg
Before=cloud-final.service

[Service]
Type=oneshot
ExecStart=/usr/bin/pacman-key --init
ExecStart=/usr/bin/pacman-key --populate

[Install]
WantedBy=multi-user.target
"""


def bootstrap(recipe: Recipe, distro: Distro, suite: Suite) -> Step:
    """Fill an empty tree from outside, with pacman or with pacstrap, which needs root."""
    mirror = _mirror(recipe, distro)
    run = _pacstrap if recipe.source.bootstrap == "pacstrap" else _pacman
    return Step(
        "bootstrap",
        f"Install the base system of {distro.title}",
        (
            '"This will install basic arch linux"',
            "A package is accepted only if Arch's master keys have signed its packager's key.",
        ),
        (
            # As pacstrap makes them: mount points must exist.
            Host(("install", "-d", "-m", "0755", f"{ROOT}/var/lib/pacman", f"{ROOT}/var/log")),
            Host(("install", "-d", "-m", "0755", f"{ROOT}/dev", f"{ROOT}/run")),
            Host(("install", "-d", "-m", "1777", f"{ROOT}/tmp")),  # noqa: S108 - the tree's
            Host(("install", "-d", "-m", "0555", f"{ROOT}/proc", f"{ROOT}/sys")),
            *_from_outside(recipe, distro, run(recipe, distro, ("base",))),
            Write("/etc/pacman.d/mirrorlist", f"Server = {_SERVER.format(mirror=mirror)}\n"),
        ),
        answers=("source.mirror", "source.keys", "source.bootstrap"),
        network=True,
        size=600 * MIB,
        guide=("pacstrap /mnt base linux linux-firmware vim openssh cloud-init cloud-guest-utils"),
    )


def packages(recipe: Recipe, distro: Distro, suite: Suite) -> Step:
    """With pacman; the initramfs comes later."""
    image = recipe.target == "image"
    standard = recipe.source.variant == "standard"
    names = (
        *recipe.kernel.packages(distro),
        *(distro.image_packages if image else distro.vm_packages),
        *(distro.standard_packages if standard else ()),
    )
    return Step(
        "packages",
        f"Install {'' if recipe.kernel.file else 'kernel, '}cloud-init and SSH",
        (
            '"This will install basic arch linux but will also include cloud-init,'
            ' cloud-guest-utils, openssh, and vim for convenience"',
            "The next step makes the initramfs, once, with the modules it needs.",
        ),
        (
            Host(("install", "-d", f"{ROOT}{_HOOKS}")),
            Link(_INITRAMFS_HOOK, "/dev/null"),
            *install(recipe, distro, names),
            Remove((_INITRAMFS_HOOK,)),
            Write(_KEYS_UNIT, _KEYS_SERVICE),
            InTree(("systemctl", "enable", _KEYS_UNIT.rpartition("/")[2])),
        ),
        answers=("kernel.package", "kernel.file", "source.variant"),
        network=True,
        size=(800 if standard else 350) * MIB,
        guide=(
            "pacstrap /mnt base linux linux-firmware vim openssh cloud-init cloud-guest-utils\n"
            "pacman -S grub"
        ),
    )


def install(recipe: Recipe, distro: Distro, names: tuple[str, ...]) -> tuple[Action, ...]:
    """With the host's pacman; installed packages are upgraded first, as Arch requires."""
    return _from_outside(recipe, distro, _pacman(recipe, distro, names))


def complete(recipe: Recipe, distro: Distro) -> tuple[Action, ...]:
    """pacman itself skips what is installed."""
    lean = replace(recipe, source=replace(recipe.source, variant="minimal"))
    return packages(lean, distro, distro.suites[0]).actions


def _from_outside(recipe: Recipe, distro: Distro, command: OnTree) -> tuple[Action, ...]:
    """Run a command on the tree with verified keys and the recipe's mirror."""
    assert distro.keyring is not None
    mirror = _mirror(recipe, distro)
    server = f"Server = {_SERVER.format(mirror=mirror)}\n"
    repositories = "".join(f"\n[{name}]\n{server * _TRIES}" for name in distro.components)
    return (
        TrustPackagers(
            _kept(recipe, distro), distro.keyring.package, mirror, _masters(recipe, distro)
        ),
        Write(_CONF, _CONFIGURATION + repositories),
        command,
        Remove((_CONF,)),
    )


def _pacman(recipe: Recipe, distro: Distro, names: tuple[str, ...]) -> OnTree:
    places = ("--root", ROOT, "--hookdir", f"{ROOT}{_HOOKS}")
    argv = ("pacman", *places, *_pacman_options(recipe, distro), "-Syu", "--needed", *names)
    return _manager(recipe, distro, argv)


def _pacstrap(recipe: Recipe, distro: Distro, names: tuple[str, ...]) -> OnTree:
    # -G, -M: without this machine's keys and mirrors. The arguments after the root are pacman's.
    own = ("pacstrap", "-c", "-G", "-M", "-C", f"{ROOT}{_CONF}", ROOT, *names)
    return _manager(recipe, distro, (*own, *_pacman_options(recipe, distro)[2:]))


def _manager(recipe: Recipe, distro: Distro, argv: tuple[str, ...]) -> OnTree:
    # What it downloads is kept, and verified each time that it is installed; the keys are not
    # writable, as programs of packages run in the same sandbox.
    packages = f"{DOWNLOADS}/{_kept(recipe, distro)}/packages"
    return OnTree(argv, local_directory(recipe.source.mirror), (packages,))


def _pacman_options(recipe: Recipe, distro: Distro) -> tuple[str, ...]:
    kept = f"{DOWNLOADS}/{_kept(recipe, distro)}"
    places = ("--gpgdir", f"{kept}/gnupg", "--cachedir", f"{kept}/packages")
    return ("--config", f"{ROOT}{_CONF}", *places, "--noconfirm")


def _mirror(recipe: Recipe, distro: Distro) -> str:
    """The mirror's URL, also if the recipe has it as pacman's lists of mirrors do."""
    mirror = recipe.source.mirror or distro.mirror
    return mirror.removesuffix("/$repo/os/$arch").rstrip("/")


def _masters(recipe: Recipe, distro: Distro) -> tuple[str, ...]:
    """The fingerprints of the master keys: Arch's, or those of another mirror."""
    return recipe.source.keys or (distro.keyring.fingerprints if distro.keyring else ())


def _kept(recipe: Recipe, distro: Distro) -> str:
    """The directory for keys and packages of this mirror, trusted by these fingerprints."""
    basis = "\n".join((_mirror(recipe, distro), *_masters(recipe, distro)))
    return f"pacman-{hashlib.sha256(basis.encode()).hexdigest()[:16]}"


# --- the initramfs and the kernel ---------------------------------------------------------------

_INITRAMFS_HOOK = f"{_HOOKS}/90-mkinitcpio-install.hook"

# A disk image's root is always ext4 on a virtio disk.
_DISK_MODULES = ("virtio_blk", "ext4")

_MKINITCPIO = """\
# Written by zwizard: what it takes to reach the root file system, which has everything else. Not
# the systemd hook, which waits for a device of the name that Zero-OS gives the root (vroot).
MODULES=({modules})
HOOKS=({hooks})
COMPRESSION="zstd"
COMPRESSION_OPTIONS=(-1)
"""

# What pacman runs after installing a kernel: it copies it to /boot and makes its initramfs.
_MAKE_INITRAMFS = (
    "cd / && printf '%s\\n' usr/lib/modules/*/vmlinuz"
    " | /usr/share/libalpm/scripts/mkinitcpio install"
)

_SCRIPT = "/usr/local/lib/zos-kernel"
_HOOK = f"""\
# Written by zwizard: Zero-OS boots /boot/vmlinuz, and wants it unpacked (ELF).
[Trigger]
Type = Path
Operation = Install
Operation = Upgrade
Operation = Remove
Target = usr/lib/modules/*/vmlinuz

[Action]
Description = Unpacking the kernel for Zero-OS...
When = PostTransaction
Exec = {_SCRIPT}
"""


def initramfs(modules: tuple[str, ...], *, image: bool) -> tuple[Action, ...]:
    """With mkinitcpio, without detecting this machine's hardware (autodetect)."""
    text = mkinitcpio(modules, image=image)
    return (
        Write("/etc/mkinitcpio.conf.d/zwizard.conf", text),
        InTree(("sh", "-c", _MAKE_INITRAMFS)),
    )


def mkinitcpio(modules: tuple[str, ...], *, image: bool) -> str:
    """The text of mkinitcpio's configuration."""
    names = (*modules, *(_DISK_MODULES if image else ()))
    hooks = ("base", "udev", *(("fsck",) if image else ()))
    return _MKINITCPIO.format(modules=" ".join(names), hooks=" ".join(hooks))


def kernel() -> tuple[Action, ...]:
    """With a hook of pacman, after the one that makes the initramfs."""
    script = programs.script("zz-zos-kernel")
    return (
        Write(_SCRIPT, script, mode=0o755),
        Write(f"{_HOOKS}/zz-zos-kernel.hook", _HOOK),
        InTree((_SCRIPT,)),
    )


# --- what is set, run and removed ---------------------------------------------------------------


def commands(lines: tuple[str, ...]) -> tuple[Action, ...]:
    """With temporary keys for the pacman in the tree."""
    return (*map(InTree, _MAKE_KEYS), *map(LinesInTree, lines), Remove((_KEYS,)))


# pacman records when each package was installed, so that no two builds would be equal.
_FORGET_WHEN = (
    "sed -i '/^%INSTALLDATE%$/{n;s/.*/'\"$SOURCE_DATE_EPOCH\"'/}' /var/lib/pacman/local/*/desc"
)


def clean() -> tuple[Action, ...]:
    """Package lists and dates of the build; downloaded packages are outside of the tree."""
    return (
        InTree(("sh", "-c", _FORGET_WHEN)),
        Remove(("/var/cache/pacman/pkg", "/var/lib/pacman/sync/*", _KEYS)),
    )
