"""Rules about how a disk image starts: its EFI system partition and its boot loader."""

import re
from collections.abc import Iterator

from zwizard.checks.context import CheckContext
from zwizard.checks.helpers import text
from zwizard.checks.rule import IMAGE, must, should
from zwizard.checks.verdict import Severity, Verdict, failed, passed
from zwizard.image.executables.boot_loader import BootLoader, read_boot_loader
from zwizard.image.tree import EntryType, FileTree
from zwizard.util.units import MIB

LOADER = "/EFI/BOOT/BOOTX64.EFI"
_PROGRAM = 8 << 20  # a whole GRUB is smaller, and what names others is near their beginning
_ENTRY = 4096  # the firmware asserts that a loader entry is no larger


@must(
    "There is an EFI system partition",
    IMAGE,
    source="“ZOS only support images with esp partition” (Zmachine guide, “Boot the VM"
    " (locally)”)",
    fix="parted image.raw set N esp on, where N is the number of the partition with the boot"
    " loader.",
    example="no partition has the type of an ESP; partition 1 is FAT",
    after="image-gpt",
    keys=("disk.esp_size",),
)
def esp_present(context: CheckContext) -> Verdict:
    """One partition has the type of an ESP."""
    esp = context.disk.esp
    if esp is None:
        misses = "; ".join(
            f"partition {volume.partition.number} is FAT, its type {volume.partition.type}"
            for volume in context.disk.volumes
            if volume.filesystem == "vfat"
        )
        return failed(f"no partition has the type of an ESP{f'; {misses}' if misses else ''}")
    return passed(f"partition {esp.partition.number}, {esp.partition.size / MIB:.0f} MiB")


@must(
    "The EFI system partition is FAT32",
    IMAGE,
    source="“This one has to be vfat of size 32: mkfs.vfat -F 32” (Zmachine guide,"
    " “Installation”); the firmware detects the kind by the number of clusters, and also starts"
    " FAT12 and FAT16.",
    fix="mkfs.vfat -F 32 -s 1 on a partition of 34 MiB or more.",
    example="it is ext4",
    after="esp-present",
    keys=("disk.esp_size",),
)
def esp_fat(context: CheckContext) -> Verdict:
    """The file system is FAT32 by its number of clusters; FAT12 and FAT16 are warnings."""
    volume = context.disk.esp
    if volume is None or volume.filesystem != "vfat":
        form = volume.filesystem if volume is not None else ""
        return failed(f"it is {form or 'not a FAT file system'}")
    geometry = context.disk.esp_tree.geometry
    found = f"FAT{geometry.bits}, {geometry.clusters} clusters"
    if (geometry.bits == 32) != (geometry.root_cluster > 0):
        return failed(f"{found}, but laid out as {'FAT16' if geometry.bits == 32 else 'FAT32'}")
    if geometry.bits != 32:
        return failed(found, severity=Severity.SHOULD)
    return passed(found)


@must(
    "The firmware finds a boot loader",
    IMAGE,
    source="“grub-install --target=x86_64-efi […] --removable” (Zmachine guide, “Installation”):"
    " the firmware starts /EFI/BOOT/BOOTX64.EFI, or a kernel from /loader/entries, or fails with"
    " “Unable to boot from any virtio-blk device”.",
    fix="grub-install --target=x86_64-efi --efi-directory=ESP --removable",
    example="/EFI/BOOT/BOOTX64.EFI does not exist; found instead: /EFI/debian",
    after="esp-fat",
)
def esp_loader(context: CheckContext) -> Verdict:
    """BOOTX64.EFI is PE32+ for x86-64, or all files of the loader entries exist."""
    esp = context.disk.esp_tree
    entries = list(loader_entries(esp))
    if esp.resolve("/loader/loader.conf").file is not None and entries:
        fault = next(filter(None, (_entry_fault(esp, path) for path in entries)), "")
        if not fault:
            return passed(f"{len(entries)} entries in /loader/entries")
        if esp.resolve(LOADER).file is None:
            return failed(fault)
    found = esp.resolve(LOADER)
    if found.file is None:
        others = ", ".join(e.path for e in esp.listing("/EFI"))
        return failed(f"{found.shown}{f'; found instead: {others}' if others else ''}")
    fault = boot_loader(esp).fault
    return failed(f"{LOADER} {fault}") if fault else passed(f"{found.file.path}, PE32+, x86-64")


def loader_entries(esp: FileTree) -> Iterator[str]:
    """The paths of the entries of the Boot Loader Specification on the ESP."""
    for entry in esp.listing("/loader/entries"):
        if entry.kind is EntryType.FILE and entry.name.lower().endswith(".conf"):
            yield entry.path


def _entry_fault(esp: FileTree, path: str) -> str:
    """Why the firmware cannot start this entry (Boot Loader Specification, Type #1)."""
    content = text(esp, path) or ""
    if len(content) > _ENTRY:
        return f"{path} has more than {_ENTRY} bytes"
    files = re.findall(r"^(linux|initrd)[ \t]+(\S+)", content, re.MULTILINE)
    if "linux" not in {kind for kind, _ in files}:
        return f"{path} names no kernel"
    missing = [name for _, name in files if esp.resolve(name).file is None]
    return f"{path} names {missing[0]}, which does not exist" if missing else ""


def boot_loader(esp: FileTree, path: str = LOADER) -> BootLoader:
    """What the program at ``path`` is; raises UnreadableError if it does not exist."""
    return read_boot_loader(esp.read(path, _PROGRAM))


@should(
    "An ESP that holds kernels has room for one more",
    IMAGE,
    source="The guide mounts the ESP of 100 MiB at /boot; an upgrade writes the new kernel and"
    " initramfs beside the old ones, and stops half-way if there is no room.",
    fix="Make the ESP larger, or mount it at /boot/efi and keep /boot on the root file system.",
    example="12 MiB free, another kernel and initramfs need 60",
    after="esp-fat",
    keys=("disk.esp_size", "disk.esp_mount"),
)
def esp_room(context: CheckContext) -> Verdict:
    """The free space is enough for a second copy of the largest kernel and initramfs."""
    esp = context.disk.esp_tree
    names = ("/vmlinuz*", "/initr*")
    needed = sum(max((entry.size for entry in esp.glob(name)), default=0) for name in names)
    if not needed:
        return passed("no kernels on the ESP")
    free = esp.free
    shown = f"{free / MIB:.0f} MiB free, another kernel and initramfs need {needed / MIB:.0f}"
    return passed(shown) if free >= needed else failed(shown)
