"""Rules about the file tree: what the node does not keep of it, and what the build left in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zwizard.checks.helpers import lines, text
from zwizard.checks.rule import CONTAINER_VM, EVERY, Rule
from zwizard.checks.verdict import Mode, Severity, Verdict, failed, not_applicable, passed
from zwizard.image.directory import DirectoryTree
from zwizard.image.examples import Examples
from zwizard.image.executables.programs import READS as PROGRAM_READS
from zwizard.image.executables.programs import describe, identify
from zwizard.image.tree import EntryType

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zwizard.checks.context import CheckContext
    from zwizard.image.tree import Entry, FileTree

_MOUNTPOINTS = ("/dev", "/proc", "/sys", "/run", "/tmp")  # noqa: S108 - the image's
_POLICY = "/usr/sbin/policy-rc.d"


@Rule(
    "tree-mountpoints",
    "The directories that are mounted on are there",
    severity=Severity.SHOULD,
    modes=CONTAINER_VM,
    source="Whatever starts the image mounts /dev, /proc, /sys, /run and /tmp on them; a flist is"
    " read-only below, and not every init makes what is missing.",
    fix="mkdir -p dev proc sys run tmp",
    keys=("system.run",),
)
def tree_mountpoints(context: CheckContext) -> Verdict:
    """``/dev /proc /sys /run /tmp`` as directories."""
    wrong = []
    for path in _MOUNTPOINTS:
        found = context.tree.resolve(path)
        if found.entry is None or found.entry.kind is not EntryType.DIRECTORY:
            wrong.append(found.shown)
    return failed(", ".join(wrong)) if wrong else passed("all five")


@Rule(
    "dev-empty",
    "/dev is empty",
    severity=Severity.SHOULD,
    modes=CONTAINER_VM,
    source="“sudo rm -rf ubuntu:jammy/dev/*” (zmachine.md, “Building an ubuntu VM flist”); devices"
    " do not survive in a flist, and regular files there would only be hidden.",
    fix="rm -rf DIRECTORY/dev/* (only when nothing is mounted there)",
    keys=("system.run",),
)
def dev_empty(context: CheckContext) -> Verdict:
    """The kernel fills it."""
    found = _sampled(entry.path for entry in context.tree.walk("/dev"))
    return failed(f"{found.count}: {found}") if found else passed("nothing in /dev")


_SPECIAL = frozenset({EntryType.CHARACTER, EntryType.BLOCK, EntryType.FIFO, EntryType.SOCKET})


@Rule(
    "special-files",
    "No devices, sockets or pipes outside /dev",
    severity=Severity.SHOULD,
    modes=CONTAINER_VM,
    source="The node drops every special file when it mounts a flist (rfs 1.x, Dir::entries).",
    fix="Remove them; what needs one has to make it when it starts (mkfifo, systemd.socket).",
    keys=("system.run",),
)
def special_files(context: CheckContext) -> Verdict:
    """They vanish."""
    found = _sampled(
        f"{entry.path} ({entry.kind.value})"
        for entry in context.tree.entries()
        if entry.kind in _SPECIAL and not entry.path.startswith("/dev/")
    )
    return failed(f"{found.count}: {found}") if found else passed("none")


def _sampled(found: Iterator[str]) -> Examples:
    sample = Examples()
    for text_ in found:
        sample.add(text_)
    return sample


@Rule(
    "setuid-files",
    "No program depends on a setuid or setgid bit",
    severity=Severity.SHOULD,
    modes=CONTAINER_VM,
    source="A flist keeps nine mode bits: setuid, setgid and sticky are gone in the machine, and"
    " file capabilities with them (rfs 1.x, AttributeFiller). root, whom Zero-OS logs in, needs"
    " none of them.",
    fix="Nothing, if only root logs in: sudo, su, mount and passwd work for root without the"
    " bit. For other users set it again at each start: a line z /usr/bin/sudo 4755 root root for"
    " each in /etc/tmpfiles.d/setuid.conf.",
    reads=("/etc/tmpfiles.d/*",),
    keys=("system.run",),
)
def setuid_files(context: CheckContext) -> Verdict:
    """What loses its bit, but for what the image sets again at each start."""
    restored = frozenset(_restored(context.tree))
    losing = [
        entry
        for entry in context.tree.entries()
        if entry.kind is EntryType.FILE
        and entry.mode & 0o6000
        and entry.path.removeprefix("/usr") not in restored
    ]
    if not losing:
        again = f"; {len(restored)} set again by /etc/tmpfiles.d" if restored else ""
        return passed(f"none loses one{again}")
    # The ones people type come first.
    losing.sort(key=lambda entry: (entry.name not in _TYPED, entry.name))
    named = ", ".join(f"{entry.path} ({entry.mode:o})" for entry in losing[:24])
    more = len(losing) - 24
    return failed(f"{len(losing)} lose it: {named}{f' and {more} more' if more > 0 else ''}")


_TYPED = frozenset({"sudo", "su", "mount", "umount", "passwd", "ping", "newgrp", "chsh"})
_TMPFILE = re.compile(r"[zZ][!+=~^-]*\s+(\S+)\s+~?([2-7]\d{3})\b")


def _restored(tree: FileTree) -> Iterator[str]:
    """Paths, without /usr, whose bits are set again when the machine starts (tmpfiles.d(5))."""
    for entry in tree.listing("/etc/tmpfiles.d"):
        if entry.name.endswith(".conf"):
            for line in lines(tree, entry.path):
                found = _TMPFILE.match(line)
                if found is not None:
                    yield found[1].removeprefix("/usr")


@Rule(
    "build-leftovers",
    "Nothing of the build is left in the image",
    severity=Severity.MUST,
    modes=EVERY,
    source="A tree packed while something is mounted in it holds the building machine's processes"
    " and devices; policy-rc.d keeps every package's service from being started; a /debootstrap"
    " is an installation that was not finished.",
    fix="Leave the chroot, unmount what is in it (umount -R DIRECTORY/proc …), remove"
    " /usr/sbin/policy-rc.d, and pack again.",
    reads=(_POLICY,),
    keys=("system.run",),
)
def build_leftovers(context: CheckContext) -> Verdict:
    """Nothing mounted, nothing in ``/proc`` and ``/sys``, no ``policy-rc.d`` of the build."""
    if isinstance(context.tree, DirectoryTree) and context.tree.mounted:
        mounted = context.tree.mounted
        return failed(
            f"mounted right now: {mounted}",
            "Unmount it before packing: umount -R " + " ".join(mounted.first),
        )
    tree = context.guest
    for top in ("/proc", "/sys"):
        inside = next(iter(tree.listing(top)), None)
        if inside is not None:
            return failed(f"{inside.path} is there, and {top} has to be empty", f"rm -rf {top}/*")
    policy = text(tree, _POLICY)
    if policy is not None and "101" in policy and not _is_dockers(context, policy):
        return failed(f"{_POLICY} forbids services to start", f"rm {_POLICY}")
    if tree.resolve("/debootstrap").entry is not None:
        return failed("/debootstrap is there: debootstrap's second stage did not run")
    return passed("nothing mounted, /proc and /sys empty, no policy-rc.d")


def _is_dockers(context: CheckContext, policy: str) -> bool:
    """Docker's images of Debian keep one on purpose, and a container starts no services."""
    return context.mode is Mode.CONTAINER and "Docker" in policy


@Rule(
    "path-colon",
    "No colon in the name",
    severity=Severity.SHOULD,
    modes=CONTAINER_VM,
    source="overlayfs separates directories by it, tar takes what is before it for another"
    " machine, and the hub drops it: the document's own ubuntu:jammy meets all three.",
    fix="Rename it: ubuntu-jammy.",
    keys=("name",),
)
def path_colon(context: CheckContext) -> Verdict:
    """Neither in the archive's name nor in the directory's."""
    for name in dict.fromkeys((context.name, context.tree.path.resolve().name)):
        if ":" in name:
            return failed(name)
    return passed(context.name)


@Rule(
    "userland-arch",
    "What starts first is a program for x86-64",
    severity=Severity.MUST,
    modes=CONTAINER_VM,
    source="Nodes have x86-64 processors; any other program ends with “Exec format error” and the"
    " machine with it.",
    fix="Build the image for amd64: debootstrap --arch amd64, docker pull --platform linux/amd64.",
    reads=PROGRAM_READS,
    keys=("source.distro",),
)
def userland_arch(context: CheckContext) -> Verdict:
    """The init or entrypoint is an x86-64 ELF, or a script whose interpreter is."""
    path = context.starts
    found = context.tree.resolve(path)
    if found.file is None:  # which init-present and entrypoint say
        return not_applicable(found.shown)
    return _judge_program(context.tree, found.file, path)


def _judge_program(tree: FileTree, entry: Entry, path: str) -> Verdict:
    program = identify(tree, entry)
    if program.interpreter and not program.elf:
        other = tree.resolve(program.interpreter)
        if other.file is None:
            return failed(f"{path} is a script for {other.shown}")
        program = identify(tree, other.file)
        path = f"{path}, a script for {other.file.path}"
    if program.x86_64:
        return passed(f"{path}: {describe(program)}")
    return failed(f"{path}: {describe(program)}")
