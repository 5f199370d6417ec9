"""The kernel that is to start in a tree, and its initramfs, whoever made the tree."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from zwizard.image.tree import EntryType, FileTree

BOOT = "/boot/"
_OWN = ("vmlinuz-own", "vmlinuz")
_NAMES = ("vmlinuz-*", "kernel-*", "*/*/linux")
_BESIDE_MODULES = ("/usr/lib/modules/*/vmlinuz", "/lib/modules/*/vmlinuz")
_SPARE = re.compile(r"[^A-Za-z0-9./_+~:@-]|\.(?:old|bak)$|\.dpkg-|\.rpm|rescue")
_LINKS = 4
_TOOLS = (
    *("/usr/sbin/update-initramfs", "/usr/lib/dracut/modules.d/*virtiofs"),
    "/usr/bin/mkinitcpio",
)
_UNFIT = {
    "/usr/bin/dracut": "its dracut has no module virtiofs (dracut-network, or a newer dracut)",
    "/usr/sbin/update-tirfs": "tiny-initramfs takes only a device as root=, not Zero-OS's vroot",
    "/usr/bin/booster": "booster does not know rootfstype=virtiofs",
    "/sbin/mkinitfs": "it is not known whether Alpine's mkinitfs mounts a root over virtiofs",
}
_INITRDS = (
    *("initrd.img-{}", "initramfs-{}.img", "initramfs-{}", "initrd-{}", "initrd-{}.img"),
    "booster-{}.img",
)


@dataclass(frozen=True, slots=True)
class BootFiles:
    """Absolute paths in the tree of a kernel and its initramfs; ``initrd`` is "" without one."""

    kernel: str
    initrd: str


def find_boot_files(tree: FileTree) -> BootFiles | None:
    """What is to be started, as ``steps/scripts/zz-zos-kernel`` finds it; None if nothing is.

    A kernel of the user's own; else the one that is linked; else the newest by its version, if
    possible one with an initramfs, by the names that distributions give them.
    """
    own = _first(tree, [BOOT + name for name in _OWN])
    kernel = own or _linked(tree) or _newest(tree)
    if not kernel:
        return None
    kept = _file(tree, f"{BOOT}initrd.img") or _initrd(tree, kernel)
    if not kept and kernel != f"{BOOT}vmlinuz-own":
        kept = _follow(tree, f"{BOOT}initrd.img")
    return BootFiles(kernel, kept)


def why_no_initramfs(tree: FileTree) -> str:
    """Why ``steps/scripts/initramfs.sh`` makes no initramfs in the tree; "" if it makes one."""
    if any(True for _ in tree.glob(*_TOOLS)):
        return ""
    unfit = (why for path, why in _UNFIT.items() if tree.resolve(path).file)
    return next(unfit, "no tool that makes an initramfs is in it")


def why_no_kernel(tree: FileTree) -> str:
    """Why nothing can be linked as the kernel; "" if something can."""
    return "" if find_boot_files(tree) else "no kernel is in it, under any distribution's name"


def _file(tree: FileTree, path: str) -> str:
    """``path`` if a file is stored there, not beneath or behind a link; else ""."""
    entry = tree.node(path)
    return path if entry is not None and entry.kind is EntryType.FILE else ""


def _first(tree: FileTree, paths: Iterable[str]) -> str:
    return next(filter(None, (_file(tree, path) for path in paths)), "")


def _follow(tree: FileTree, link: str) -> str:
    """The file in /boot that ``link`` leads to, "" if it leads to none."""
    path = link
    for _ in range(_LINKS):
        entry = tree.node(path)
        if entry is None or entry.kind is not EntryType.LINK:
            break
        target = entry.target
        for start in ("../", "/", "boot/", "./"):
            target = target.removeprefix(start)
        path = BOOT + target
    return "" if path == link or "/../" in path else _file(tree, path)


def _linked(tree: FileTree) -> str:
    for link in (f"{BOOT}vmlinuz", "/vmlinuz"):
        found = _follow(tree, link)
        if found.startswith(f"{BOOT}vmlinux-"):
            unpacked = "" if tree.node("/etc/mkinitcpio.d") else found
            found = _file(tree, found.replace("vmlinux-", "vmlinuz-")) or unpacked
        if found:
            return found
    return ""


def _newest(tree: FileTree) -> str:
    in_boot = sorted(_candidates(tree, (BOOT + name for name in _NAMES)))
    found = in_boot or sorted(_candidates(tree, _BESIDE_MODULES))
    paths: list[str] = [path for _, path in reversed(found)]
    return next((path for path in paths if _initrd(tree, path)), (paths or [""])[0])


def _candidates(tree: FileTree, patterns: Iterable[str]) -> Iterator[tuple[list[Any], str]]:
    """The kernels that match, by version."""
    for pattern in patterns:
        start = pattern.partition("*")[0]  # a directory on the way may be a link
        for entry in tree.glob(pattern):
            named = entry.path.startswith(start) and not _SPARE.search(entry.path)
            if named and entry.kind is EntryType.FILE:
                yield _order(_version(entry.path)), entry.path


def _version(kernel: str) -> str:
    directory, _, name = kernel.rpartition("/")
    return name.partition("-")[2] or directory.rpartition("/")[2]


def _order(version: str) -> list[Any]:
    """Sorts as ``sort -V`` does, for the versions of kernels."""
    parts = re.split(r"(\d+)", version)
    return [int(part) if part.isdigit() else part for part in parts]


def _initrd(tree: FileTree, kernel: str) -> str:
    """Its initramfs, by the names that distributions give it; "" without one."""
    directory, version = kernel.rpartition("/")[0], _version(kernel)
    places = [f"{BOOT}{name.format(version)}" for name in _INITRDS]
    if kernel == f"{BOOT}vmlinuz":
        places = [f"{BOOT}initrd", f"{BOOT}initramfs.img"]
    elif kernel.endswith("/linux"):
        places = [f"{directory}/initrd"]
    elif kernel.endswith("/vmlinuz"):
        places = [*places[:2], f"{directory}/initrd", f"{directory}/initramfs.img"]
    return _first(tree, places)
