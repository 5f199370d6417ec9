"""Rules about what Zero-OS will take the image for."""

from collections.abc import Iterator
from itertools import chain

from zwizard.checks.context import CheckContext
from zwizard.checks.mode_detection import DISK_IMAGE, KERNEL
from zwizard.checks.rule import EVERY, IMAGE, must, should
from zwizard.checks.verdict import Mode, Verdict, failed, passed, unknown
from zwizard.image.tree import Entry, EntryType, FileTree

_DISK_SUFFIXES = (".raw", ".img", ".qcow2", ".vmdk", ".vdi", ".vhd", ".vhdx", ".iso")


@must(
    "Zero-OS starts it as what it is meant to be",
    EVERY,
    source="“If ZOS found the /boot/vmlinuz file, it will use this […] otherwise zos will use the"
    " built-in minimal kernel and run in container mode.” /image.raw takes precedence over both"
    " (Zmachine guide, “VM”; Zero-OS, getFlistInfo). A wrong layout silently starts as something"
    " else.",
    fix="Put the kernel at exactly /boot/vmlinuz or the disk image at /image.raw, or state with"
    " --mode what is meant.",
    example="Zero-OS starts it as a container: /boot/vmlinuz does not exist",
    keys=("target",),
)
def mode(context: CheckContext) -> Verdict:
    """Zero-OS detects the intended mode from /image.raw, /boot/vmlinuz and /boot/initrd.img."""
    detection = context.detection
    if detection.refused is not None:
        return failed(
            f"Zero-OS rejects it: {detection.refused.why}",
            f"Make {detection.refused.path} a regular file, or remove it.",
        )
    if detection.mode is not context.mode:
        return failed(f"Zero-OS starts it as {detection.mode.words}: {_reason(context)}")
    misses = list(_near_misses(context.tree)) if detection.mode is Mode.CONTAINER else []
    if misses and not context.stated:
        return unknown(
            f"Zero-OS starts it as a container, but it contains {', '.join(misses[:3])}",
            "If a VM is meant, put the kernel at /boot/vmlinuz or the disk image at /image.raw;"
            " if a container is meant, state it with --mode container.",
        )
    return passed(f"Zero-OS starts it as {detection.mode.words}")


def _reason(context: CheckContext) -> str:
    """Why the intended path was not used, or which path took precedence."""
    detection = context.detection
    if detection.image.entry is not None:
        return f"{DISK_IMAGE} exists"
    if context.mode is Mode.CONTAINER:
        return f"{KERNEL} exists"
    intended = detection.image if context.mode is Mode.IMAGE else detection.kernel
    misses = ", ".join(list(_near_misses(context.tree))[:3])
    return f"{intended.why}{f'; found instead: {misses}' if misses else ''}"


def _near_misses(tree: FileTree) -> Iterator[str]:
    """Files that were probably meant to be the kernel or the disk image."""
    top = tree.children("/")
    wrapped = chain.from_iterable(
        tree.children(e.path) for e in top if e.kind is EntryType.DIRECTORY
    )
    for entry in chain(top, (e for e in wrapped if e.name.lower() == "image.raw")):
        if _is_disk(entry) and entry.path != DISK_IMAGE:
            yield entry.path
    yield from _kernels(tree)
    for entry in top:
        if entry.kind is EntryType.DIRECTORY and tree.lstat(f"{entry.path}{KERNEL}") is not None:
            yield f"{entry.path}{KERNEL}"


def _is_disk(entry: Entry) -> bool:
    looks = entry.name.lower().endswith(_DISK_SUFFIXES) and not entry.name.startswith("initrd.")
    return looks and entry.kind is not EntryType.DIRECTORY


def _kernels(tree: FileTree) -> Iterator[str]:
    for entry in chain(tree.listing("/boot"), tree.children("/")):
        name = entry.name.lower()
        looks = name.startswith(("vmlinuz", "vmlinux", "bzimage")) and not name.endswith(".old")
        if looks and entry.kind is not EntryType.DIRECTORY and entry.path != KERNEL:
            yield entry.path


@should(
    "The image holds a disk image or a kernel, not both",
    EVERY,
    source="With both /image.raw and /boot/vmlinuz, the disk image is started and the kernel is"
    " ignored (Zero-OS, getFlistInfo).",
    fix="Remove the file that is not meant.",
    example="both /image.raw and /boot/vmlinuz exist",
    keys=("target",),
)
def mode_single(context: CheckContext) -> Verdict:
    """At most one of /image.raw and /boot/vmlinuz exists."""
    there = [path for path in (DISK_IMAGE, KERNEL) if context.tree.lstat(path) is not None]
    if len(there) > 1:
        return failed(f"both {' and '.join(there)} exist")
    return passed(there[0] if there else "neither a disk image nor a kernel")


@must(
    "The disk image is a file at exactly /image.raw",
    IMAGE,
    source="“An Zmachine will be considered a VM if it contains an /image.raw file.” (Zmachine"
    " guide, “Expected Flist structure”)",
    fix="Name the raw disk image image.raw, in lower case, and pack only that file: tar -czSf"
    " NAME.tar.gz image.raw",
    example="/image.raw does not exist; found instead: /disk.raw",
)
def image_name(context: CheckContext) -> Verdict:
    """/image.raw is a regular file and not empty."""
    entry = context.tree.node(DISK_IMAGE)
    if entry is None:
        near = _near_misses(context.tree)
        misses = [path for path in near if path.lower().endswith(_DISK_SUFFIXES)]
        found = f"; found instead: {', '.join(misses[:3])}" if misses else ""
        return failed(f"{DISK_IMAGE} does not exist{found}")
    if entry.kind is not EntryType.FILE:
        return failed(f"{DISK_IMAGE} is a {entry.kind.value}")
    if entry.size == 0:
        return failed(f"{DISK_IMAGE} is empty")
    return passed(f"{DISK_IMAGE}, {entry.size} bytes")
