"""Debian's package manager: mmdebstrap or debootstrap, apt, initramfs-tools."""

import shlex

from zwizard.distros.base import Distro, Suite
from zwizard.families.family import local_directory
from zwizard.recipe.model import Recipe
from zwizard.steps import programs
from zwizard.steps.actions import (
    DOWNLOADS,
    ROOT,
    Action,
    Append,
    InTree,
    LinesInTree,
    Link,
    OnTree,
    Remove,
    TrustKeys,
    Write,
)
from zwizard.steps.step import Step
from zwizard.util.units import MIB

ZONE_FILE = "/etc/timezone"
LOCALE_FILE = "/etc/default/locale"

_POLICY = "/usr/sbin/policy-rc.d"
_HOOK = "/etc/kernel/postinst.d/zz-zos-kernel"

# Packages ask this program whether they may start a service; in a chroot they may not.
QUIET = Write(_POLICY, "#!/bin/sh\nexit 101\n", mode=0o755)
UNQUIET = Remove((_POLICY,))


def bootstrap(recipe: Recipe, distro: Distro, suite: Suite) -> Step:
    """The base system, with mmdebstrap or debootstrap."""
    source = recipe.source
    tool = "mmdebstrap" if source.bootstrap == "auto" else source.bootstrap
    mirror = (source.mirror,) if source.mirror else ()
    options: tuple[str, ...] = (
        (f"--components={','.join(distro.components)}",) if distro.components else ()
    )
    keys: tuple[Action, ...] = ()
    if keyring := distro.keyring:
        options += ("--keyring", f"{DOWNLOADS}/{keyring.file}")
        keys = (
            TrustKeys(
                keyring.file,
                keyring.package,
                source.mirror or distro.mirror,
                suite.name,
                keyring.fingerprints,
            ),
        )
    command: tuple[str, ...]
    if tool == "debootstrap":
        command = ("debootstrap", *options, suite.name, ROOT, *mirror)
    else:
        variant = {"standard": "important", "minimal": "apt"}[source.variant]
        command = ("mmdebstrap", "--mode=root", "--format=directory", f"--variant={variant}")
        # The sandbox has the mounts. The next step needs the package lists, and removes them.
        command += ("--skip=check/empty,chroot/mount,cleanup/apt/lists",)
        command += (*options, suite.name, ROOT, *mirror)
    return Step(
        "bootstrap",
        f"Install the base system of {suite.title}",
        ('"this will create and download the basic rootfs"',),
        (*keys, OnTree(command, readable=local_directory(source.mirror))),
        answers=("source.suite", "source.variant", "source.bootstrap", "source.mirror"),
        network=True,
        size=(320 if source.variant == "standard" else 230) * MIB,
        guide="sudo debootstrap jammy ubuntu:jammy http://archive.ubuntu.com/ubuntu",
    )


def packages(recipe: Recipe, distro: Distro, suite: Suite) -> Step:
    """What every VM on Zero-OS needs: kernel, cloud-init, SSH, a network; an image also GRUB."""
    minimal = recipe.source.variant == "minimal"
    image = recipe.target == "image"
    needed = (*distro.image_packages, *suite.image_packages) if image else distro.vm_packages
    names = (
        *needed,
        *(distro.minimal_packages if minimal else ()),
        *recipe.kernel.packages(distro),
    )
    host_keys = tuple(
        Write(f"/etc/ssh/ssh_host_{kind}_key", "", mode=0o600)
        for kind in ("rsa", "ecdsa", "ed25519")
    )
    # No initramfs yet: the next step makes it once, with its modules.
    install = ("env", "INITRD=No", *_install(names, recommends=not minimal))
    return Step(
        "packages",
        f"Install {'' if recipe.kernel.file else 'kernel, '}cloud-init, SSH and network",
        (
            '"apt-get install cloud-init openssh-server curl"',
            *(() if recipe.kernel.file else ('"Also really important that we install a kernel"',)),
            "Empty SSH host keys stop the package from making keys that would be removed again.",
        ),
        (
            *host_keys,
            QUIET,
            *(_GRUB_ANSWERS if image else ()),
            InTree(_UPDATE),
            InTree(install),
            UNQUIET,
        ),
        answers=("kernel.package", "kernel.file"),
        network=True,
        size=300 * MIB,
        guide=(
            "apt-get update\napt-get install cloud-init openssh-server curl\n"
            "apt-get install linux-modules-extra-5.15.0-25-generic"
        ),
    )


# Answers for GRUB's package: install to the path that every firmware tries.
_GRUB_ANSWERS = (
    InTree(
        (
            *("sh", "-c"),
            "printf 'grub-efi-amd64 grub2/%s\\n' 'update_nvram boolean false'"
            " 'force_efi_extra_removable boolean true' | debconf-set-selections",
        )
    ),
)


def install(recipe: Recipe, distro: Distro, names: tuple[str, ...]) -> tuple[Action, ...]:
    """Install the packages ``names`` without starting services."""
    command = _install(names, recommends=recipe.source.variant != "minimal")
    return (QUIET, InTree(_UPDATE), InTree(command), UNQUIET)


def complete(recipe: Recipe, distro: Distro) -> tuple[Action, ...]:
    """Install the missing packages that the target needs; the others stay as they are."""
    script = programs.script("complete.sh")
    line = shlex.join(_install((), recommends=recipe.source.variant != "minimal"))
    script += f"{shlex.join(_UPDATE)}\nINITRD=No {line} $missing\n"
    image = recipe.target == "image"
    of_suites = {name for suite in distro.suites for name in suite.image_packages}
    needed = (*distro.image_packages, *sorted(of_suites)) if image else distro.vm_packages
    names = (*needed, *distro.minimal_packages, "initramfs-tools")
    files = {name: distro.shown_by.get(name, "") for name in names}
    for package in recipe.kernel.packages(distro):
        own = recipe.kernel.package
        files[package] = f"/var/lib/dpkg/info/{own}.list" if own else "/boot/vmlinuz*"
    pairs = (word for pair in files.items() for word in pair)
    answers = _GRUB_ANSWERS if image else ()
    return (QUIET, *answers, InTree(("sh", "-c", script, "complete", *pairs)), UNQUIET)


# A mirror that does not answer is tried again, with growing pauses.
_RETRY = ("-o", "Acquire::Retries=3")

# Any failure is an error; translated descriptions of packages are not needed.
_UPDATE = (
    *("apt-get", "update", *_RETRY, "-o", "APT::Update::Error-Mode=any"),
    *("-o", "Acquire::Languages=none"),
)

# Each downloaded package is deleted after its installation, so that no layer contains it.
_NO_DEBS = ("-o", "APT::Keep-Downloaded-Packages=false")


def _install(names: tuple[str, ...], *, recommends: bool) -> tuple[str, ...]:
    lean = () if recommends else ("--no-install-recommends",)
    return ("apt-get", "install", "--yes", *_RETRY, *_NO_DEBS, *lean, *names)


# A disk image's root is always ext4 on a virtio disk.
DISK_MODULES = ("virtio_blk", "ext4", "crc32c")

# At a low level, zstd compresses faster and decompresses as fast.
CONFIGURATION = "MODULES=list\nCOMPRESS=zstd\nCOMPRESSLEVEL=1\n"


# A VM boots 30 seconds faster. Later scripts read what one writes to param.conf
# (initramfs-tools(7)).
AT_ONCE = """\
#!/bin/sh
# Written by zwizard. Zero-OS says rootdelay=30 to every machine, and initramfs-tools sleeps that
# long, whatever is there already: a root over virtiofs is, as soon as its driver.
[ "${1:-}" != prereqs ] || exit 0
case " $(cat /proc/cmdline) " in
*" rootfstype=virtiofs "*) echo "ROOTDELAY=" >>/conf/param.conf ;;
esac
"""
_NO_DELAY = Write("/etc/initramfs-tools/scripts/init-top/zwizard", AT_ONCE, mode=0o755)


def initramfs(modules: tuple[str, ...], *, image: bool) -> tuple[Action, ...]:
    """With initramfs-tools."""
    names = (*modules, *(DISK_MODULES if image else ()))
    return (
        Append("/etc/initramfs-tools/modules", "".join(f"{name}\n" for name in names)),
        Write("/etc/initramfs-tools/conf.d/zwizard", CONFIGURATION),
        *(() if image else (_NO_DELAY,)),
        InTree(("update-initramfs", "-c", "-k", "all")),
    )


def kernel() -> tuple[Action, ...]:
    """With a hook that the kernels' packages run."""
    hook = programs.script("zz-zos-kernel")
    return (
        Write(_HOOK, hook, mode=0o755),
        Link("/etc/kernel/postrm.d/zz-zos-kernel", "../postinst.d/zz-zos-kernel"),
        InTree((_HOOK,)),
    )


def commands(lines: tuple[str, ...]) -> tuple[Action, ...]:
    """Without starting services, whatever they install."""
    return (QUIET, *map(LinesInTree, lines), UNQUIET)


def clean() -> tuple[Action, ...]:
    """Downloaded packages, package lists, logs and backups."""
    return (
        InTree(("apt-get", "clean")),
        Remove(
            (
                "/var/lib/apt/lists/*",
                "/var/log/apt",
                "/var/cache/apt/*.bin",
                "/var/cache/debconf/*-old",
                "/var/lib/dpkg/*-old",
            )
        ),
    )
