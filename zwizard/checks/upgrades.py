"""Whether a package upgrade would undo the extraction of a kernel."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zwizard.checks.helpers import SETTINGS, few, matches, text
from zwizard.checks.rule import Verdict, failed, passed, unknown
from zwizard.image.tree import EntryType

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zwizard.image.tree import Entry, FileTree

READS = (
    "/var/lib/dpkg/status",
    "/etc/apt/preferences",
    "/etc/apt/preferences.d/*",
    "/etc/kernel/postinst.d/*",
    "/etc/pacman.conf",
    "/etc/pacman.d/hooks/*",
    "/usr/share/libalpm/hooks/*",
)

_TEXT = 16 << 20
# A hook that extracts a kernel names the tool or the result.
_EXTRACTS = re.compile(r"extract-vmlinux|vmlinux\b|zos-kernel|zwizard")
_KERNEL_PACKAGE = re.compile(r"linux-image-.+")
_HOOKS = ("/etc/kernel/postinst.d", "/etc/pacman.d/hooks", "/usr/share/libalpm/hooks")
_OTHER_DATABASES = ("/usr/lib/sysimage/rpm", "/var/lib/rpm", "/lib/apk/db/installed")


def judge(view: FileTree, kernel: Entry | None) -> Verdict:
    """Whether ``kernel``, an extracted one, outlives upgrades; raises UnreadableError."""
    hook = next(_hooks(view), None)
    if hook is not None:
        return passed(f"{hook} extracts each new kernel")
    if view.resolve("/var/lib/dpkg/status").file is not None:
        return _dpkg(view)
    if view.resolve("/var/lib/pacman/local").entry is not None:
        return _pacman(view)
    database = next((path for path in _OTHER_DATABASES if view.lstat(path) is not None), None)
    if database is not None:
        return unknown(f"the package database {database} is not one that can be read here")
    name = kernel.path if kernel is not None else "the kernel"
    return passed(f"no package manager is there to replace {name}")


def _hooks(view: FileTree) -> Iterator[str]:
    for directory in _HOOKS:
        for entry in view.listing(directory):
            found = view.resolve(entry.path).file
            if found is None or found.size > SETTINGS:
                continue
            runs = found.mode & 0o111 or entry.name.endswith(".hook")
            if runs and _EXTRACTS.search(text(view, entry.path) or ""):
                yield entry.path


def _dpkg(view: FileTree) -> Verdict:
    """Every installed kernel package is held, or apt is told never to install one."""
    packages = dict(few(_installed(text(view, "/var/lib/dpkg/status", _TEXT) or ""), "kernels"))
    pinned = few(_pinned(view), "pins of packages")
    loose = [
        name
        for name, held in packages.items()
        if not held and not any(matches(name, pattern) for pattern in pinned)
    ]
    if loose:
        return failed(f"not held: {', '.join(sorted(loose)[:5])}")
    if packages:
        return passed(f"held: {', '.join(sorted(packages)[:5])}")
    return passed("no kernel package is installed")


def _installed(status: str) -> Iterator[tuple[str, bool]]:
    """The installed kernel packages, and whether each is held (dpkg(1), package states)."""
    for paragraph in status.split("\n\n"):
        name = re.search(r"^Package: *(\S+)", paragraph, re.MULTILINE)
        state = re.search(r"^Status: *(\S+) (\S+) (\S+)", paragraph, re.MULTILINE)
        if name and state and state[3] == "installed" and _KERNEL_PACKAGE.fullmatch(name[1]):
            yield name[1], state[1] == "hold"


def _pinned(view: FileTree) -> Iterator[str]:
    """The package patterns that apt's preferences forbid (apt_preferences(5), negative pins)."""
    paths = ["/etc/apt/preferences"]
    paths += [entry.path for entry in view.listing("/etc/apt/preferences.d")]
    for path in paths:
        for paragraph in (text(view, path) or "").split("\n\n"):
            names = re.search(r"^Package: *(.+)$", paragraph, re.MULTILINE)
            if names and re.search(r"^Pin-Priority: *-\d+", paragraph, re.MULTILINE):
                yield from names[1].split()


def _pacman(view: FileTree) -> Verdict:
    """pacman's IgnorePkg names the installed kernels."""
    kernels = [name for name in ("linux", "linux-lts", "linux-zen", "linux-hardened")
               if _pacman_has(view, name)]  # fmt: skip
    settings = text(view, "/etc/pacman.conf") or ""
    ignored = re.findall(r"^[ \t]*IgnorePkg[ \t]*=[ \t]*(.+)$", settings, re.MULTILINE)
    patterns = few(" ".join(ignored).split(), "packages in IgnorePkg")
    loose = [k for k in kernels if not any(matches(k, pattern) for pattern in patterns)]
    if loose:
        return failed(f"not in IgnorePkg: {', '.join(loose)}")
    return passed(f"ignored: {', '.join(kernels)}" if kernels else "no kernel package installed")


def _pacman_has(view: FileTree, name: str) -> bool:
    directory = re.compile(rf"{re.escape(name)}-[^-]+-[^-]+")
    return any(
        entry.kind is EntryType.DIRECTORY and directory.fullmatch(entry.name)
        for entry in view.listing("/var/lib/pacman/local")
    )
