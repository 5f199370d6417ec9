"""Rules about what the guest keeps of the machine that built it, and what it needs to start."""

import re
import socket
from collections.abc import Callable, Mapping

from zwizard.checks.context import CheckContext
from zwizard.checks.helpers import account, files, lines, text
from zwizard.checks.rule import CONTAINER, EVERY, VM_IMAGE, advice, must, should
from zwizard.checks.verdict import Mode, Verdict, failed, passed
from zwizard.image.tree import EntryType, FileTree

_ID = re.compile(r"[0-9a-f]{32}")


@should(
    "Each machine gets its own machine ID",
    VM_IMAGE,
    source="An ID in the image survives the first boot, so all machines made from it share it:"
    " DHCP leases, journals and cluster members get mixed up (machine-id(5)).",
    fix="Empty /etc/machine-id (: > /etc/machine-id; systemd fills it), and rm -f"
    " /var/lib/dbus/machine-id.",
    example="/etc/machine-id has 0123456789abcdef0123456789abcdef",
    reads=("/etc/machine-id", "/var/lib/dbus/machine-id"),
    keys=("system.run",),
)
def machine_id(context: CheckContext) -> Verdict:
    """The IDs of systemd and D-Bus are empty, missing or ``uninitialized``."""
    for path in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
        content = (text(context.guest, path) or "").strip()
        if content and content != "uninitialized":
            shown = content if _ID.fullmatch(content) else "something that is not an ID"
            return failed(f"{path} has {shown}")
    there = context.guest.lstat("/etc/machine-id")
    return passed("/etc/machine-id is empty" if there else "/etc/machine-id does not exist")


@must(
    "The first boot asks nothing",
    VM_IMAGE,
    source="With a machine ID that is uninitialized or missing systemd calls this the first boot,"
    " and systemd-firstboot waits at the console for what is not set: “Press any key to proceed”"
    " (machine-id(5), systemd-firstboot(1)).",
    fix="Empty /etc/machine-id, which is no first boot; or systemctl mask systemd-firstboot, or"
    " set what it asks for: systemd-firstboot --root=… --timezone=UTC --locale=C.UTF-8.",
    example="systemd-firstboot asks for locale, timezone",
    reads=("/etc/machine-id", "/lib/systemd/system/systemd-firstboot.service", "/etc/shadow"),
    keys=("system.run",),
)
def first_boot_asks(context: CheckContext) -> Verdict:
    """It is no first boot, or everything is set that systemd-firstboot asks for."""
    tree = context.guest
    identity = text(tree, "/etc/machine-id")
    if identity is not None and identity.strip() != "uninitialized":
        return passed("/etc/machine-id is no sign of a first boot")
    if not context.services.enabled("systemd-firstboot"):
        return passed("systemd-firstboot does not run")
    unit = context.services.unit("systemd-firstboot")
    asked = set(_PROMPT.findall((text(tree, unit.path) if unit is not None else None) or ""))
    open_ones = [name for name, is_set in _ANSWERS.items() if name in asked and not is_set(tree)]
    if open_ones:
        return failed(f"systemd-firstboot asks for {', '.join(open_ones)}")
    return passed("systemd-firstboot finds everything set")


_PROMPT = re.compile(r"--prompt-(\S+)")


def _any(*patterns: str) -> Callable[[FileTree], bool]:
    return lambda tree: any(tree.glob(*patterns))


def _one_locale(tree: FileTree) -> bool:
    """A locale is set, or there is no choice."""
    installed = list(tree.glob("/usr/lib/locale/*"))
    several = len(installed) > 1 or any(entry.name == "locale-archive" for entry in installed)
    return not several or _any("/etc/locale.conf", "/etc/default/locale")(tree)


def _one_keymap(tree: FileTree) -> bool:
    installed = _any("/usr/share/keymaps/*", "/usr/share/kbd/keymaps/*", "/usr/lib/kbd/keymaps/*")
    return not installed(tree) or _any("/etc/vconsole.conf")(tree)


def _root_is_set(tree: FileTree) -> bool:
    password = [*account(tree, "/etc/shadow"), ""][1]
    accounts = all(map(tree.lstat, ("/etc/passwd", "/etc/shadow")))
    return accounts and password != "!unprovisioned"  # noqa: S105 - systemd's word for none


# Without a list to choose from it asks nothing.
_ANSWERS: Mapping[str, Callable[[FileTree], bool]] = {
    "locale": _one_locale,
    "keymap": _one_keymap,
    "timezone": lambda tree: (
        any(tree.glob("/etc/localtime")) or not any(tree.glob("/usr/share/zoneinfo/*"))
    ),
    "root-password": _root_is_set,
}


# What distributions call a machine that has no name yet.
_NAMELESS = frozenset({
    "localhost", "localhost.localdomain", "debian", "ubuntu", "archlinux", "alpine", "fedora",
    "(none)",
})  # fmt: skip


@advice(
    "The image has no host name",
    VM_IMAGE,
    source="“You don't have to set the hostname, this will be setup later on zos when the VM is"
    " deployed via cloud-init” (Zmachine guide, “Installation”); debootstrap copies the builder's"
    " name.",
    fix="rm /etc/hostname",
    example="/etc/hostname is buildbox",
    reads=("/etc/hostname",),
    keys=("system.run",),
)
def hostname(context: CheckContext) -> Verdict:
    """/etc/hostname is missing, empty or a distribution's default."""
    name = next(lines(context.guest, "/etc/hostname"), "")
    if not name or name in _NAMELESS:
        return passed(name or "none")
    here = " (the name of this host)" if name == socket.gethostname() else ""
    return failed(f"/etc/hostname is {name}{here}")


# What makes the files in /run that resolv.conf may be a link to.
_RESOLVERS = (
    ("/run/systemd/resolve/", "systemd-resolved"),
    ("/usr/lib/systemd/resolv.conf", "systemd-resolved"),
    ("/lib/systemd/resolv.conf", "systemd-resolved"),
    ("/run/NetworkManager/", "NetworkManager"),
    ("/run/resolvconf/", "resolvconf"),
    ("/etc/resolvconf/run/", "resolvconf"),
    ("/run/connman/", "connman"),
)


@should(
    "Name resolution works",
    EVERY,
    must_in=CONTAINER,
    source="“make sure we using resolved: ln -s /run/systemd/resolve/stub-resolv.conf"
    " /etc/resolv.conf”, or “echo 'nameserver 1.1.1.1' > /etc/resolv.conf” (Zmachine guide). In a"
    " container Zero-OS writes the file, and fails if it is a link to nothing.",
    fix="rm /etc/resolv.conf; echo 'nameserver 1.1.1.1' > /etc/resolv.conf",
    example="/etc/resolv.conf names no name server",
    reads=("/etc/resolv.conf", "/run/systemd/resolve/*", "/lib/systemd/resolv.conf"),
    keys=("system.run",),
)
def resolv_conf(context: CheckContext) -> Verdict:
    """In a container no dangling link; in a VM a name server, or a link to an enabled service."""
    found = context.guest.resolve("/etc/resolv.conf")
    link = context.guest.lstat("/etc/resolv.conf")
    is_link = link is not None and link.kind is EntryType.LINK
    if context.mode is Mode.CONTAINER:
        if is_link and found.entry is None:
            return failed(found.shown)
        return passed("a file" if found.entry is not None else "none: Zero-OS creates it")
    if is_link and link is not None:
        paths = (found.entry.path if found.entry is not None else found.missing, link.target)
        for prefix, service in _RESOLVERS:
            if any(path.startswith(prefix) for path in paths):
                return _by_service(context, service)
    if found.file is None:
        return failed(found.shown)
    servers = [line for line in lines(context.guest, "/etc/resolv.conf")
               if line.startswith("nameserver")]  # fmt: skip
    return passed(servers[0]) if servers else failed("/etc/resolv.conf names no name server")


def _by_service(context: CheckContext, service: str) -> Verdict:
    if context.services.enabled(service):
        return passed(f"created by {service}, which is enabled")
    return failed(
        f"it is a link to a file of {service}, which is not enabled",
        f"systemctl enable {service}, or write the file: echo 'nameserver 1.1.1.1' >"
        " /etc/resolv.conf",
    )


_CACHES = (
    ("/var/cache/apt/archives", (".deb",)),
    ("/var/cache/pacman/pkg", (".zst", ".xz", ".sig")),
    ("/var/cache/dnf", (".rpm",)),
    ("/var/cache/yum", (".rpm",)),
    ("/var/cache/zypp", (".rpm",)),
    ("/var/cache/apk", (".apk", ".tar.gz")),
    ("/etc/apk/cache", (".apk", ".tar.gz")),
)


@advice(
    "No downloaded packages are left",
    EVERY,
    source="“clean up cache: apt-get clean”; “pacman cache by running rm -rf"
    " /var/cache/pacman/pkg” (Zmachine guide)",
    fix="apt-get clean, rm -rf /var/cache/pacman/pkg, dnf clean all or rm -rf /var/cache/apk/*",
    example="31 packages, 90 MiB, such as /var/cache/apt/archives/curl_7.88_amd64.deb",
    keys=("system.run",),
)
def package_cache(context: CheckContext) -> Verdict:
    """The package manager's caches hold no packages."""
    left = [
        entry
        for directory, endings in _CACHES
        for entry in files(context.guest, directory)
        if entry.name.endswith(endings)
    ]
    if not left:
        return passed("none")
    size = sum(entry.size for entry in left) >> 20
    return failed(f"{len(left)} packages, {size} MiB, such as {left[0].path}")
