"""Rules about what the guest keeps of the machine that built it, and what it needs to start."""

from __future__ import annotations

import re
import socket

from zwizard.checks.context import CheckContext
from zwizard.checks.helpers import BY_HAND, files, lines, text
from zwizard.checks.rule import CONTAINER, EVERY, VM_IMAGE, advice, should
from zwizard.checks.verdict import Mode, Verdict, failed, passed
from zwizard.image.tree import EntryType

_ID = re.compile(r"[0-9a-f]{32}")


@should(
    "Each machine gets its own machine ID",
    VM_IMAGE,
    source="An ID in the image survives the first boot, so all machines made from it share it:"
    " DHCP leases, journals and cluster members get mixed up (machine-id(5)).",
    fix="Empty /etc/machine-id (: > /etc/machine-id; systemd fills it), and rm -f"
    " /var/lib/dbus/machine-id.",
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


@should(
    "/etc/fstab mounts only disks that exist",
    VM_IMAGE,
    source="A missing device delays the boot by 90 seconds and then stops it (systemd.mount(5))."
    " The root of a VM with its own kernel is virtiofs; that of a disk image is one of the"
    " image's own partitions.",
    fix="Remove the line, or add nofail to its options; in a disk image name partitions by UUID=:"
    " genfstab -U.",
    reads=("/etc/fstab",),
    keys=("system.run",),
)
def fstab(context: CheckContext) -> Verdict:
    """Block devices are the disk image's own or have nofail; none is a loop device."""
    listed = (line.split() for line in lines(context.guest, "/etc/fstab", BY_HAND))
    mounts = [fields for fields in listed if len(fields) > 2 and _DEVICE.match(fields[0])]
    wrong = [" ".join(fields) for fields in mounts if not _fits(context, fields)]
    if wrong:
        return failed(f"/etc/fstab has: {'; '.join(wrong[:3])}")
    return passed(f"{len(mounts)} block devices, all available" if mounts else "no block devices")


_DEVICE = re.compile(r"/dev/|(?:UUID|LABEL|PARTUUID|PARTLABEL)=")


def _fits(context: CheckContext, fields: list[str]) -> bool:
    """Whether the machine boots with a line of fstab(5) that names a block device."""
    device = fields[0].replace('"', "")
    if "/dev/loop" in device:
        return False
    optional = {"nofail", "noauto"}.intersection(",".join(fields[3:4]).split(","))
    return bool(optional) or (context.mode is Mode.IMAGE and context.has_device(device))


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
