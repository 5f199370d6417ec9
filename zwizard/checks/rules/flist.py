"""Rules about the file tree: what the node does not keep of it, and what the build left in it."""

import os
import re
from collections.abc import Iterable, Iterator

from zwizard.checks.context import CheckContext
from zwizard.checks.helpers import account, lines, text
from zwizard.checks.rule import CONTAINER_VM, EVERY, VM_IMAGE, must, should
from zwizard.checks.verdict import Mode, Verdict, failed, not_applicable, passed
from zwizard.image.directory import DirectoryTree
from zwizard.image.examples import Examples
from zwizard.image.executables.entrypoint import Starter, User
from zwizard.image.executables.programs import READS as PROGRAM_READS
from zwizard.image.executables.programs import identify
from zwizard.image.tree import Entry, EntryType, FileTree

_MOUNTPOINTS = ("/dev", "/proc", "/sys", "/run", "/tmp")  # noqa: S108 - the image's
_TMPFILES = "/etc/tmpfiles.d/*.conf"
_POLICY = "/usr/sbin/policy-rc.d"


@should(
    "The mount points exist",
    CONTAINER_VM,
    source="At boot /dev, /proc, /sys, /run and /tmp are mounted; the flist below is read-only,"
    " and not every init creates missing directories.",
    fix="mkdir -p dev proc sys run tmp",
    example="/proc does not exist",
    keys=("system.run",),
)
def tree_mountpoints(context: CheckContext) -> Verdict:
    """/dev, /proc, /sys, /run and /tmp are directories."""
    wrong = []
    for path in _MOUNTPOINTS:
        found = context.tree.resolve(path)
        if found.entry is None or found.entry.kind is not EntryType.DIRECTORY:
            wrong.append(found.shown)
    return failed(", ".join(wrong)) if wrong else passed("all five exist")


@should(
    "/dev is empty",
    CONTAINER_VM,
    source="“sudo rm -rf ubuntu:jammy/dev/*” (Zmachine guide, “Building an ubuntu VM flist”); a"
    " flist does not keep device files, and the mounted /dev hides regular ones.",
    fix="rm -rf DIRECTORY/dev/* (only while nothing is mounted there)",
    example="2: /dev/null, /dev/zero",
    keys=("system.run",),
)
def dev_empty(context: CheckContext) -> Verdict:
    """Nothing is in /dev."""
    found = Examples(entry.path for entry in context.tree.walk("/dev"))
    return failed(f"{found.count}: {found}") if found else passed("nothing in /dev")


_SPECIAL = frozenset({EntryType.CHARACTER, EntryType.BLOCK, EntryType.FIFO, EntryType.SOCKET})


@should(
    "No devices, sockets or pipes outside /dev",
    CONTAINER_VM,
    source="The node drops every special file when it mounts a flist (rfs 1.x, Dir::entries).",
    fix="Remove them; a service that needs one must create it when it starts (mkfifo,"
    " systemd.socket).",
    example="1: /var/spool/postfix/dev/random",
    keys=("system.run",),
)
def special_files(context: CheckContext) -> Verdict:
    """No device, socket or pipe is outside /dev."""
    found = Examples(
        f"{entry.path} ({entry.kind.value})"
        for entry in context.tree.entries()
        if entry.kind in _SPECIAL and not entry.path.startswith("/dev/")
    )
    return failed(f"{found.count}: {found}") if found else passed("none")


@should(
    "No program depends on a setuid or setgid bit",
    CONTAINER_VM,
    source="A flist keeps nine mode bits: setuid, setgid, sticky bits and file capabilities are"
    " lost (rfs 1.x, AttributeFiller). root, the user that Zero-OS sets up, needs none of them.",
    fix="Nothing to do if only root logs in: sudo, su, mount and passwd work for root without the"
    " bit. For other users restore it at each boot: a line z /usr/bin/sudo 4755 root root for"
    " each file in /etc/tmpfiles.d/setuid.conf.",
    example="14 files lose setuid or setgid: /usr/bin/chsh and others",
    reads=(_TMPFILES,),
    keys=("system.run",),
)
def setuid_files(context: CheckContext) -> Verdict:
    """No file has setuid or setgid, except those that tmpfiles.d restores at boot."""
    restored = frozenset(_restored(context.tree))
    losing = [
        entry
        for entry in context.tree.entries()
        if entry.kind is EntryType.FILE
        and entry.mode & 0o6000
        and entry.path.removeprefix("/usr") not in restored
    ]
    if not losing:
        again = f"; {len(restored)} restored by /etc/tmpfiles.d" if restored else ""
        return passed(f"no file loses a bit{again}")
    # The commands that people use come first.
    losing.sort(key=lambda entry: (entry.name not in _TYPED, entry.name))
    named = Examples((f"{entry.path} ({entry.mode:o})" for entry in losing), 24)
    return failed(f"{len(losing)} files lose setuid or setgid: {named}")


_TYPED = frozenset({"sudo", "su", "mount", "umount", "passwd", "ping", "newgrp", "chsh"})
_TMPFILE = re.compile(r"[zZ][!+=~^-]*\s+(\S+)\s+~?([2-7]\d{3})\b")


def _restored(tree: FileTree) -> Iterator[str]:
    """Paths, without /usr, whose bits are restored at boot (tmpfiles.d(5))."""
    for entry in tree.glob(_TMPFILES):
        for line in lines(tree, entry.path):
            if found := _TMPFILE.match(line):
                yield found[1].removeprefix("/usr")


@must(
    "Nothing of the build is left in the image",
    EVERY,
    source="A tree that is packed while something is mounted in it contains the build host's"
    " processes and devices; policy-rc.d prevents every package's service from starting;"
    " /debootstrap means an unfinished installation.",
    fix="Leave the chroot, unmount what is in it (umount -R DIRECTORY/proc …), remove"
    " /usr/sbin/policy-rc.d, and pack again.",
    example="/usr/sbin/policy-rc.d prevents services from starting",
    reads=(_POLICY,),
    keys=("system.run",),
)
def build_leftovers(context: CheckContext) -> Verdict:
    """Nothing is mounted, /proc and /sys are empty, and there is no policy-rc.d."""
    if isinstance(context.tree, DirectoryTree) and context.tree.mounted:
        mounted = context.tree.mounted
        return failed(
            f"currently mounted: {mounted}",
            "Unmount it before packing: umount -R " + " ".join(mounted.first),
        )
    tree = context.guest
    for top in ("/proc", "/sys"):
        inside = next(iter(tree.listing(top)), None)
        if inside is not None:
            return failed(f"{inside.path} exists, but {top} must be empty", f"rm -rf {top}/*")
    policy = text(tree, _POLICY) or ""
    # Docker's Debian images keep one on purpose; a container starts no services.
    dockers = context.mode is Mode.CONTAINER and "Docker" in policy
    if "101" in policy and not dockers:
        return failed(f"{_POLICY} prevents services from starting", f"rm {_POLICY}")
    if tree.resolve("/debootstrap").entry is not None:
        return failed("/debootstrap exists: debootstrap's second stage did not run")
    return passed("nothing mounted, /proc and /sys empty, no policy-rc.d")


@should(
    "The name contains no colon",
    CONTAINER_VM,
    source="overlayfs separates directories by colons, tar takes the part before one for another"
    " host, and the hub drops it: the guide's own ubuntu:jammy meets all three.",
    fix="Rename it: ubuntu-jammy.",
    example="/srv/a:b/image.tar.gz",
    keys=("name",),
)
def path_colon(context: CheckContext) -> Verdict:
    """Neither the archive's name nor the directory's has a colon."""
    for name in dict.fromkeys((context.name, context.tree.path.resolve().name)):
        if ":" in name:
            return failed(name)
    return passed(context.name)


@must(
    "The program that starts first is for x86-64",
    CONTAINER_VM,
    source="Nodes have x86-64 processors; any other program fails with “Exec format error”, and"
    " the machine stops.",
    fix="Build the image for amd64: debootstrap --arch amd64, docker pull --platform linux/amd64.",
    example="/usr/lib/systemd/systemd: an ELF program for ARM",
    reads=PROGRAM_READS,
    keys=("source.distro",),
)
def userland_arch(context: CheckContext) -> Verdict:
    """The init or entrypoint is an x86-64 ELF, or a script with such an interpreter."""
    path = context.starts
    found = context.tree.resolve(path)
    if found.file is None:  # which init-present and entrypoint say
        return not_applicable(found.shown)
    program = identify(context.tree, found.file)
    if program.interpreter and not program.elf:
        other = context.tree.resolve(program.interpreter)
        if other.file is None:
            return failed(f"{path} is a script for {other.shown}")
        program = identify(context.tree, other.file)
        path = f"{path}, a script for {other.file.path}"
    if program.x86_64:
        return passed(f"{path}: {program.description}")
    return failed(f"{path}: {program.description}")


# What belongs to root on every system, links followed.
_SYSTEM = (
    "/", "/root", "/root/.ssh", "/etc", "/etc/ssh", "/usr", "/usr/bin", "/usr/sbin", "/usr/lib",
    "/bin", "/sbin", "/lib", "/lib64", "/var", "/var/lib", "/home",
)  # fmt: skip
# What is started as a user of its own, and nothing works without: its user, and its program.
_SERVICES = (
    ("systemd-network", "/usr/lib/systemd/systemd-networkd"),
    ("systemd-resolve", "/usr/lib/systemd/systemd-resolved"),
)


@should(
    "System directories belong to root and nobody else writes to them",
    VM_IMAGE,
    source="sshd refuses root's key beneath a directory that another user owns or may write to:"
    " “Authentication refused: bad ownership or modes for directory /root” (sshd_config(5),"
    " StrictModes). An archive that an ordinary user packed keeps that user's number.",
    fix="Pack as root, or with fakeroot: tar --numeric-owner -czpf NAME.tar.gz -C DIRECTORY .;"
    " chown 0:0 and chmod go-w what is named.",
    example="2: / belongs to user 1000, /root belongs to user 1000",
    keys=("source.location",),
)
def tree_owners(context: CheckContext) -> Verdict:
    """User 0 owns /, /root, /etc, /usr, /var, /home and what is above programs."""
    found = _directories(context.guest, _SYSTEM)
    # What is an ordinary user's own in a directory is packed as root's.
    own = os.geteuid() if isinstance(context.tree, DirectoryTree) else 0
    wrong = [
        f"{path} belongs to user {entry.uid}" for path, entry in found if entry.uid not in {0, own}
    ]
    for path, entry in found:
        bits = 0o022 if path.startswith("/root") else 0o002
        if entry.mode & bits:
            wrong.append(f"{path} can be written to by others ({entry.mode:o})")
    if wrong:
        return failed(f"{len(wrong)}: {Examples(wrong)}")
    return passed(f"{len(found)} directories belong to user 0")


@must(
    "Services that run as users of their own reach their programs",
    VM_IMAGE,
    source="systemd starts networkd and resolved as users of their own: a directory that is"
    " closed to them stops the network (systemd.exec(5), User=; “Permission denied”).",
    fix="chmod go+rx what is named: directories of the system have mode 755.",
    example="only some users can search /usr",
    reads=("/lib/systemd/systemd-networkd", "/lib/systemd/systemd-resolved"),
    keys=("source.location",),
)
def tree_modes(context: CheckContext) -> Verdict:
    """/, /etc, /usr and /var can be searched by all, programs and libraries read."""
    tree = context.guest
    closed = [
        f"{path} ({entry.mode:o})"
        for path, entry in _directories(tree, _SYSTEM)
        if not entry.mode & 0o001 and not path.startswith(("/root", "/home", "/etc/ssh"))
    ]
    if closed:
        return failed(f"only some users can search {Examples(closed)}")
    checked = []
    for name, path in _SERVICES:
        fields = account(tree, "/etc/passwd", name)
        if len(fields) < 4 or not (fields[2] + fields[3]).isdecimal() or fields[2] == "0":
            continue
        if tree.resolve(path).file is None:
            continue
        user = User(int(fields[2]), frozenset({int(fields[3])}))
        found = Starter(tree, user).check(path)
        if not found.starts:
            return failed(f"{name} cannot start {path}: {found.evidence}")
        checked.append(name)
    return passed(f"searched by all; checked as {', '.join(checked) or 'no service user'}")


def _directories(tree: FileTree, paths: Iterable[str]) -> list[tuple[str, Entry]]:
    """Those of ``paths`` that lead to directories, each directory once."""
    found: dict[str, tuple[str, Entry]] = {}
    for path in paths:
        entry = tree.resolve(path).entry
        if entry is not None and entry.kind is EntryType.DIRECTORY:
            found.setdefault(entry.path, (path, entry))
    return list(found.values())
