"""The rule about package upgrades that would replace an extracted kernel."""

import re
from collections.abc import Iterator

from zwizard.checks.context import CheckContext
from zwizard.checks.helpers import SETTINGS, few, matches, text, texts
from zwizard.checks.mode_detection import KERNEL
from zwizard.checks.rule import VM, should
from zwizard.checks.verdict import Verdict, failed, passed, unknown
from zwizard.image.tree import EntryType, FileTree

_TEXT = 16 << 20
# A hook that extracts a kernel names the tool or the result.
_EXTRACTS = re.compile(r"extract-vmlinux|vmlinux\b|zos-kernel|zwizard")
_KERNEL_PACKAGE = re.compile(r"linux-image-.+")
_HOOKS = ("/etc/kernel/postinst.d/*", "/etc/pacman.d/hooks/*", "/usr/share/libalpm/hooks/*")
_RUN_PARTS = re.compile(r"[A-Za-z0-9_-]+")  # what run-parts(8) takes for a hook
_GRUB = re.compile(r"\b(?:update-grub|grub-mkconfig)\b")
_PINS = ("/etc/apt/preferences", "/etc/apt/preferences.d/*")
_OTHER_DATABASES = ("/usr/lib/sysimage/rpm", "/var/lib/rpm", "/lib/apk/db/installed")


@should(
    "Package upgrades keep the extracted kernel",
    VM,
    source="An upgrade inside the VM replaces the extracted kernel with a compressed one; on older"
    " nodes the next boot fails and the workload is deleted (zos issue 2236).",
    fix="Hold the kernel's packages (apt-mark hold), or install a hook in /etc/kernel/postinst.d"
    " that extracts each new kernel; remove /boot/grub/grub.cfg, with which GRUB's hook fails.",
    example="not held: linux-image-cloud-amd64",
    after="kernel-resolves",
    reads=("/var/lib/dpkg/status", "/etc/pacman.conf", *_PINS, *_HOOKS),
    keys=("system.run",),
)
def kernel_upgrades(context: CheckContext) -> Verdict:
    """The kernel's package is held or pinned, a hook extracts each new one, or none owns it."""
    tree = context.tree
    hook = next(_hooks(tree), None)
    if hook is not None and (broken := _fails(tree)):
        return failed(f"{broken} fails without a disk, and dpkg stays broken")
    if hook is not None:
        return passed(f"{hook} extracts each new kernel")
    if tree.resolve("/var/lib/dpkg/status").file is not None:
        return _dpkg(tree)
    if tree.resolve("/var/lib/pacman/local").entry is not None:
        return _pacman(tree)
    database = next((path for path in _OTHER_DATABASES if tree.lstat(path) is not None), None)
    if database is not None:
        return unknown(f"the package database {database} cannot be read by zwizard")
    kernel = tree.resolve(KERNEL).file
    name = kernel.path if kernel is not None else "the kernel"
    return passed(f"there is no package manager that would replace {name}")


def _hooks(tree: FileTree) -> Iterator[str]:
    for entry in tree.glob(*_HOOKS):
        found = tree.resolve(entry.path).file
        if found is None or found.size > SETTINGS:
            continue
        script = found.mode & 0o111 and _RUN_PARTS.fullmatch(entry.name)
        runs = script or entry.name.endswith(".hook")
        if runs and _EXTRACTS.search(text(tree, entry.path) or ""):
            yield entry.path


def _fails(tree: FileTree) -> str:
    """The hook that an upgrade runs and that fails: GRUB's, where it has a menu to make anew."""
    menu = tree.resolve("/boot/grub/grub.cfg").file
    program = any(tree.resolve(f"{place}/update-grub").file for place in ("/usr/sbin", "/sbin"))
    if menu is None or not program:
        return ""
    for entry in tree.glob("/etc/kernel/postinst.d/*"):
        found = tree.resolve(entry.path).file
        runs = found is not None and found.mode & 0o111 and _RUN_PARTS.fullmatch(entry.name)
        if runs and _GRUB.search(text(tree, entry.path) or ""):
            return entry.path
    return ""


def _dpkg(tree: FileTree) -> Verdict:
    """Every installed kernel package is held, or apt's pins forbid its installation."""
    packages = dict(few(_installed(text(tree, "/var/lib/dpkg/status", _TEXT) or ""), "kernels"))
    pinned = few(_pinned(tree), "pins of packages")
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


def _pinned(tree: FileTree) -> Iterator[str]:
    """The package patterns that apt's preferences forbid (apt_preferences(5), negative pins)."""
    for _, content in texts(tree, *_PINS):
        for paragraph in content.split("\n\n"):
            names = re.search(r"^Package: *(.+)$", paragraph, re.MULTILINE)
            if names and re.search(r"^Pin-Priority: *-\d+", paragraph, re.MULTILINE):
                yield from names[1].split()


def _pacman(tree: FileTree) -> Verdict:
    """pacman's IgnorePkg names the installed kernels."""
    kernels = [name for name in ("linux", "linux-lts", "linux-zen", "linux-hardened")
               if _pacman_has(tree, name)]  # fmt: skip
    settings = text(tree, "/etc/pacman.conf") or ""
    ignored = re.findall(r"^[ \t]*IgnorePkg[ \t]*=[ \t]*(.+)$", settings, re.MULTILINE)
    patterns = few(" ".join(ignored).split(), "packages in IgnorePkg")
    loose = [k for k in kernels if not any(matches(k, pattern) for pattern in patterns)]
    if loose:
        return failed(f"not in IgnorePkg: {', '.join(loose)}")
    return passed(f"ignored: {', '.join(kernels)}" if kernels else "no kernel package installed")


def _pacman_has(tree: FileTree, name: str) -> bool:
    directory = re.compile(rf"{re.escape(name)}-[^-]+-[^-]+")
    return any(
        entry.kind is EntryType.DIRECTORY and directory.fullmatch(entry.name)
        for entry in tree.listing("/var/lib/pacman/local")
    )
