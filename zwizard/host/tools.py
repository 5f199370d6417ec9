"""The programs of this machine that zwizard runs: which are missing, and what installs them."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from zwizard.util.errors import ZwizardError

# Tools are looked for where root has them too: an ordinary user's PATH often lacks /usr/sbin.
PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin:/sbin"
_RELEASE = Path("/etc/os-release")


@dataclass(frozen=True)
class Tool:
    """A program, what it is for, and the package that has it, by package manager.

    ``files`` are where distributions keep it if it is not on anybody's PATH.
    """

    name: str
    purpose: str
    apt: str
    pacman: str
    dnf: str
    files: tuple[str, ...] = ()


def _virtiofsd_package() -> str:
    """Debian 12's QEMU brings virtiofsd along; later releases have a package of that name."""
    with contextlib.suppress(OSError):
        if re.search(r'VERSION_ID="?12"?$', _RELEASE.read_text("utf-8"), re.MULTILINE):
            return "qemu-system-common"
    return "virtiofsd"


TOOLS = {
    tool.name: tool
    for tool in (
        Tool("bash", "runs the plan's pipelines", "bash", "bash", "bash"),
        Tool("chroot", "runs commands in the tree", "coreutils", "coreutils", "coreutils"),
        Tool("mount", "mounts inside the sandbox", "mount", "util-linux", "util-linux"),
        Tool("umount", "unmounts inside the sandbox", "mount", "util-linux", "util-linux"),
        Tool("unshare", "makes the sandbox", "util-linux", "util-linux", "util-linux"),
        Tool("tar", "packs the archive", "tar", "tar", "tar"),
        Tool("mmdebstrap", "bootstraps Debian", "mmdebstrap", "mmdebstrap", "mmdebstrap"),
        Tool("debootstrap", "bootstraps Debian", "debootstrap", "debootstrap", "debootstrap"),
        Tool("pacman", "bootstraps Arch Linux", "pacman-package-manager", "pacman", "pacman"),
        Tool(
            "pacstrap",
            "bootstraps Arch Linux",
            "arch-install-scripts",
            "arch-install-scripts",
            "arch-install-scripts",
        ),
        Tool("flock", "fetches keys once", "util-linux", "util-linux", "util-linux-core"),
        Tool("sfdisk", "divides the disk image", "fdisk", "util-linux", "util-linux"),
        Tool("mke2fs", "makes the disk image's root", "e2fsprogs", "e2fsprogs", "e2fsprogs"),
        Tool("debugfs", "fills the disk image's root", "e2fsprogs", "e2fsprogs", "e2fsprogs"),
        Tool("mmd", "fills ESPs", "mtools", "mtools", "mtools"),
        Tool("qemu-img", "converts disk images", "qemu-utils", "qemu-img", "qemu-img"),
        Tool("curl", "fetches images and keys", "curl", "curl", "curl"),
        Tool("skopeo", "reads container images", "skopeo", "skopeo", "skopeo"),
        Tool("umoci", "lays out container images", "umoci", "umoci", "umoci"),
        Tool("gpg", "proves a distribution's keys", "gpg", "gnupg", "gnupg2"),
        Tool("xz", "unpacks a mirror's list, and kernels", "xz-utils", "xz", "xz"),
        Tool("lz4", "unpacks kernels", "lz4", "lz4", "lz4"),
        Tool("zstd", "unpacks kernels", "zstd", "zstd", "zstd"),
        Tool("dpkg-deb", "unpacks a distribution's keyring", "dpkg", "dpkg", "dpkg"),
        Tool("newuidmap", "builds without root", "uidmap", "shadow", "shadow-utils"),
        Tool(
            "qemu-system-x86_64",
            "boots the proof",
            "qemu-system-x86",
            "qemu-system-x86",
            "qemu-system-x86-core",
        ),
        Tool(
            "virtiofsd",
            "serves the proof's root",
            _virtiofsd_package(),
            "virtiofsd",
            "virtiofsd",
            ("/usr/lib/qemu/virtiofsd", "/usr/libexec/virtiofsd", "/usr/lib/virtiofsd"),
        ),
        Tool(
            "OVMF",
            "boots the proof of an image.raw",
            "ovmf",
            "edk2-ovmf",
            "edk2-ovmf",
            (
                "/usr/share/OVMF/OVMF_CODE_4M.fd",
                "/usr/share/OVMF/OVMF_CODE.fd",
                "/usr/share/edk2/x64/OVMF_CODE.4m.fd",
                "/usr/share/edk2/ovmf/OVMF_CODE.fd",
            ),
        ),
        Tool("mkfs.vfat", "makes ESPs and seed disks", "dosfstools", "dosfstools", "dosfstools"),
        Tool("mcopy", "fills ESPs and seed disks", "mtools", "mtools", "mtools"),
        Tool("ssh", "logs in to the proof", "openssh-client", "openssh", "openssh-clients"),
    )
}

_MANAGERS = {
    "apt-get": ("apt", ("apt-get", "install", "--yes")),
    "pacman": ("pacman", ("pacman", "-S", "--needed", "--noconfirm")),
    "dnf": ("dnf", ("dnf", "install", "--assumeyes")),
}


def find(name: str) -> str | None:
    """The path of a program, or None."""
    found = shutil.which(name, path=PATH)
    if found or name not in TOOLS:
        return found
    return next((file for file in TOOLS[name].files if Path(file).is_file()), None)


def missing(names: Iterable[str]) -> frozenset[str]:
    """Those of ``names`` that this machine lacks."""
    return frozenset(name for name in names if not find(name))


def needed(tools: frozenset[str]) -> frozenset[str]:
    """``tools``, and what an ordinary user's build needs beside them to do without sudo."""
    return tools if os.geteuid() == 0 else tools | {"newuidmap"}


def install_argv(names: Iterable[str]) -> tuple[str, ...]:
    """The command (for root) that installs these programs, by this machine's package manager.

    Empty if the machine has none that is known.
    """
    for program, (field, command) in _MANAGERS.items():
        if find(program):
            packages = {getattr(TOOLS[name], field) for name in names if name in TOOLS}
            return (*command, *sorted(packages))
    return ()


def install_command(names: Iterable[str]) -> str:
    """The same to be read and pasted, with sudo where it is needed."""
    argv = install_argv(names)
    if not argv:
        return f"install: {', '.join(sorted(names))}"
    return " ".join(argv if os.geteuid() == 0 else ("sudo", *argv))


def install(names: Iterable[str]) -> None:
    """Install these programs; ZwizardError if that fails. Prints as the package manager does."""
    argv = install_argv(names)
    if not argv:
        raise ZwizardError(
            "no package manager that zwizard knows (apt, pacman, dnf) is here",
            f"Install by hand: {', '.join(sorted(names))}.",
        )
    prefix = () if os.geteuid() == 0 else ("sudo",)
    refresh = ("apt-get", "update") if argv[0] == "apt-get" else ()
    for command in filter(None, (refresh, argv)):
        if subprocess.run([*prefix, *command], check=False).returncode != 0:
            raise ZwizardError(
                f"{' '.join((*prefix, *command))} failed", "See what it printed above."
            )
