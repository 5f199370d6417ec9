"""The programs of this machine that zwizard runs: which are missing, and what installs them.

``python -m zwizard.host.tools`` prints Debian's packages of those that are missing.
"""

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zwizard.host.privileges import find_privilege, shared_network
from zwizard.util.errors import ZwizardError

# Tools are looked for where root has them too: an ordinary user's PATH often lacks /usr/sbin.
PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin:/sbin"
_RELEASE = Path("/etc/os-release")


@dataclass(frozen=True)
class Tool:
    """A program, what it is for, and the package that has it, by package manager.

    A package without a name has that of the manager before it. ``files`` are where distributions
    keep the program if it is not on PATH.
    """

    name: str
    purpose: str
    apt: str
    pacman: str = ""
    dnf: str = ""
    files: tuple[str, ...] = ()

    def package(self, manager: str) -> str:
        """The package's name for ``apt``, ``pacman`` or ``dnf``."""
        if manager == "apt" and self.name == "virtiofsd" and _is_debian_12():
            return "qemu-system-common"  # later releases have a package for it
        names = {"apt": self.apt, "pacman": self.pacman or self.apt}
        return names.get(manager) or self.dnf or names["pacman"]


def _is_debian_12() -> bool:
    with contextlib.suppress(OSError):
        return bool(re.search(r'^VERSION_ID="?12"?$', _RELEASE.read_text("utf-8"), re.MULTILINE))
    return False


_VIRTIOFSD = ("/usr/lib/qemu/virtiofsd", "/usr/libexec/virtiofsd", "/usr/lib/virtiofsd")
_OVMF = (
    "/usr/share/OVMF/OVMF_CODE_4M.fd",
    "/usr/share/OVMF/OVMF_CODE.fd",
    "/usr/share/edk2/x64/OVMF_CODE.4m.fd",
    "/usr/share/edk2/ovmf/OVMF_CODE.fd",
)
_QEMU = "qemu-system-x86"
_TABLE = (
    Tool("bash", "runs the commands of a plan", "bash"),
    Tool("bwrap", "keeps programs of a tree in a sandbox", "bubblewrap"),
    Tool("slirp4netns", "gives the sandbox the internet alone", "slirp4netns"),
    Tool("base64", "keeps the list of refused system calls", "coreutils"),
    Tool("nsenter", "enters the network of the sandbox", "util-linux", "", "util-linux-core"),
    Tool("mount", "mounts inside the sandbox", "mount", "util-linux"),
    Tool("umount", "unmounts inside the sandbox", "mount", "util-linux"),
    Tool("unshare", "makes the sandbox", "util-linux"),
    Tool("newuidmap", "builds without root", "uidmap", "shadow", "shadow-utils"),
    Tool("tar", "packs and unpacks archives", "tar"),
    Tool("mmdebstrap", "bootstraps Debian and Ubuntu", "mmdebstrap"),
    Tool("debootstrap", "bootstraps Debian and Ubuntu", "debootstrap"),
    Tool("pacman", "bootstraps Arch Linux", "pacman-package-manager", "pacman"),
    Tool("pacstrap", "bootstraps Arch Linux", "arch-install-scripts"),
    Tool("flock", "downloads keys once", "util-linux", "", "util-linux-core"),
    Tool("curl", "downloads images and keys", "curl"),
    Tool("gpg", "verifies a distribution's keys", "gpg", "gnupg", "gnupg2"),
    Tool("dpkg-deb", "unpacks a distribution's keyring", "dpkg"),
    Tool("xz", "decompresses package lists, kernels, images", "xz-utils", "xz"),
    Tool("zstd", "decompresses kernels and images", "zstd"),
    Tool("lz4", "decompresses kernels", "lz4"),
    Tool("sfdisk", "partitions the disk image", "fdisk", "util-linux"),
    Tool("mke2fs", "formats the disk image's root", "e2fsprogs"),
    Tool("debugfs", "fills the disk image's root", "e2fsprogs"),
    Tool("mkfs.vfat", "formats ESPs and seed disks", "dosfstools"),
    Tool("mmd", "fills ESPs", "mtools"),
    Tool("mcopy", "fills ESPs and seed disks", "mtools"),
    Tool("qemu-img", "converts disk images", "qemu-utils", "qemu-img"),
    Tool("umoci", "unpacks container images", "umoci"),
    Tool("qemu-system-x86_64", "runs boot tests", _QEMU, "", f"{_QEMU}-core"),
    Tool("virtiofsd", "serves the root in boot tests", "virtiofsd", files=_VIRTIOFSD),
    Tool("OVMF", "is the firmware in boot tests of disk images", "ovmf", "edk2-ovmf", "", _OVMF),
    Tool("ssh", "logs in during boot tests", "openssh-client", "openssh", "openssh-clients"),
)  # fmt: skip
TOOLS = {tool.name: tool for tool in _TABLE}

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
    """Those of ``names`` that are missing on this machine."""
    return frozenset(name for name in names if not find(name))


def needed(tools: frozenset[str]) -> frozenset[str]:
    """``tools``, and for an ordinary user what makes sudo unnecessary."""
    return tools if os.geteuid() == 0 else tools | {"newuidmap"}


def install_argv(names: Iterable[str]) -> tuple[str, ...]:
    """The command (for root) that installs these programs by this machine's package manager.

    Empty if there is no package manager that zwizard supports.
    """
    for program, (manager, command) in _MANAGERS.items():
        if find(program):
            packages = {TOOLS[name].package(manager) for name in names if name in TOOLS}
            return (*command, *sorted(packages))
    return ()


def install_command(names: Iterable[str]) -> str:
    """The same as text to paste, with sudo where it is needed."""
    argv = install_argv(names)
    if not argv:
        return f"install: {', '.join(sorted(names))}"
    return " ".join(argv if os.geteuid() == 0 else ("sudo", *argv))


def describe_missing(names: Iterable[str]) -> tuple[str, str]:
    """That these programs are missing, and what to do."""
    message = f"missing on this machine: {', '.join(sorted(names))}"
    return message, f"{install_command(names)}   (or: zwizard doctor --install)"


def install(names: Iterable[str]) -> None:
    """Install these programs; the package manager prints. ZwizardError if it fails."""
    argv = install_argv(names)
    if not argv:
        raise ZwizardError(
            "no supported package manager (apt, pacman, dnf) on this machine",
            f"Install by hand: {', '.join(sorted(names))}.",
        )
    prefix = () if os.geteuid() == 0 else ("sudo",)
    refresh = ("apt-get", "update") if argv[0] == "apt-get" else ()
    for command in filter(None, (refresh, argv)):
        if subprocess.run([*prefix, *command], check=False).returncode != 0:
            raise ZwizardError(
                f"{' '.join((*prefix, *command))} failed", "See what it printed above."
            )


def run(name: str, *arguments: str | Path, cwd: Path | None = None) -> None:
    """Run a program without output; ZwizardError with what it printed if it fails."""
    command = [find(name) or name, *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ZwizardError(f"{name} failed: {done.stderr.strip()}")


def report() -> dict[str, Any]:
    """Where each tool is, which are missing and how to install them; how builds run."""
    privilege = find_privilege()
    absent = sorted(missing(TOOLS))
    return {
        "privilege": privilege.mode,
        "description": privilege.description,
        "remedy": privilege.remedy,
        "shared_network": shared_network(),
        "tools": {name: find(name) for name in TOOLS},
        "missing": absent,
        "install": list(install_argv(absent)) if absent else [],
    }


if __name__ == "__main__":
    print(*sorted({TOOLS[name].package("apt") for name in missing(TOOLS)}))  # noqa: T201
