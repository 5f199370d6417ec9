"""Rules about a disk image's boot loader: which one it is, and what it needs."""

import re
import shlex

from zwizard.checks.context import CheckContext
from zwizard.checks.helpers import text
from zwizard.checks.rule import IMAGE, must, should
from zwizard.checks.rules.disk.esp import LOADER, boot_loader
from zwizard.checks.verdict import Verdict, failed, not_applicable, passed
from zwizard.image.disk.disk_image import DiskImage, Volume
from zwizard.image.disk.ext4_superblock import read_superblock
from zwizard.image.tree import FileTree
from zwizard.sources.detect_distro import parse_release

_BESIDE = "/EFI/BOOT/grubx64.efi"  # what shim starts
_FALLBACK = "/EFI/BOOT/fbx64.efi"  # or this, which reads what to start from files of its own
_BIOS_BOOT = "21686148-6449-6E6F-744E-656564454649"
_CLOSED = {"", "LVM2_member", "crypto_LUKS", "linux_raid_member"}  # another UUID is within
# Features of ext4 of which GRUB says “unknown filesystem” (grub-core/fs/ext2.c, until 2.12).
_REFUSED = {0x400: "ea_inode", 0x8000: "inline_data", 0x20000: "casefold"}


@must(
    "The boot loader finds what it starts",
    IMAGE,
    source="shim starts grubx64.efi of its own directory; GRUB reads grub.cfg below the prefix it"
    " was built with, that of a distribution's signed GRUB is /EFI/NAME on the ESP. Without them"
    " the machine stops at the firmware's shell or GRUB's prompt.",
    fix="grub-install --target=x86_64-efi --efi-directory=ESP --removable, or copy the missing"
    " file to where it is looked for.",
    example="/EFI/BOOT/BOOTX64.EFI is shim, and /EFI/BOOT/grubx64.efi does not exist",
    after="esp-loader",
    keys=("source.suite",),
)
def loader_files(context: CheckContext) -> Verdict:
    """shim has its grubx64.efi, and GRUB the grub.cfg and the file system it looks for."""
    disk, esp = context.disk, context.disk.esp_tree
    if esp.resolve(LOADER).file is None:
        return not_applicable("the firmware starts the loader entries itself")
    path, loader = LOADER, boot_loader(esp)
    if loader.name == "shim":
        if esp.resolve(_BESIDE).file is None:
            if esp.resolve(_FALLBACK).file is not None:
                return passed(f"{LOADER} is shim, which starts {_FALLBACK}")
            return failed(f"{LOADER} is shim, and {_BESIDE} does not exist")
        path, loader = _BESIDE, boot_loader(esp, _BESIDE)
        if loader.fault:
            return failed(f"{path} {loader.fault}")
    if loader.name != "GRUB":
        return passed(f"{path} is {loader.name or 'an unknown boot loader'}")
    prefix, normal = loader.prefix, loader.normal
    if not loader.script or "(memdisk)" in loader.script:
        if not prefix.startswith("/"):
            return passed(f"{path} is GRUB, its prefix {prefix or 'its own directory'}")
        places = (f"{prefix}/grub.cfg", f"{prefix}/x86_64-efi/grub.cfg", "/EFI/BOOT/grub.cfg")
        found = next((name for name in places if esp.resolve(name).file is not None), "")
        if not found:
            elsewhere = _searches(disk)
            return elsewhere or failed(
                f"{path} is GRUB and reads {places[0]}, which is missing on the ESP"
            )
        return _led(disk, f"ESP{found}", text(esp, found) or "", normal=normal)
    return _led(disk, path, loader.script, normal=normal)


def _searches(disk: DiskImage) -> Verdict | None:
    """Where Debian's signed GRUB looks besides: in the file system with this file."""
    for volume in disk.volumes:
        if volume.filesystem in {"vfat", "ext2", "ext3", "ext4"}:
            tree = volume.open(disk.path)
            if tree.resolve("/.disk/info").file is not None:
                return passed(f"GRUB finds /.disk/info on partition {volume.partition.number}")
    return None


def _led(disk: DiskImage, path: str, script: str, *, normal: bool) -> Verdict:
    """Whether what ``script`` in ``path`` looks for is there; others than the usual are taken."""
    looked = _looked_for(script)
    if looked is None:
        return passed(f"{path} is a script of its own")
    uuid, prefix = looked
    volume = next((v for v in disk.volumes if v.uuid.upper() == uuid.upper()), None)
    if volume is None:
        if any(_closed(volume) for volume in disk.volumes):
            return passed(f"{path} looks for the file system {uuid}")
        return failed(f"{path} looks for the file system {uuid}, which is not in the image")
    where = f"partition {volume.partition.number}"
    fault = _fault(volume, volume.open(disk.path), prefix, normal=normal)
    if fault:
        return failed(f"{path} leads GRUB to {where}, {fault}")
    return passed(f"{path} leads to {prefix}/grub.cfg on {where}")


def _closed(volume: Volume) -> bool:
    return volume.filesystem in _CLOSED and volume.partition.type.upper() != _BIOS_BOOT


def _fault(volume: Volume, tree: FileTree, prefix: str, *, normal: bool) -> str:
    if volume.filesystem.startswith("ext"):
        features = read_superblock(volume.raw).incompatible
        for flag, name in _REFUSED.items():
            if features & flag:
                return f"which has the feature {name}, that GRUB cannot read"
    if tree.resolve(f"{prefix}/grub.cfg").file is None:
        return f"where {prefix}/grub.cfg does not exist"
    if not normal and tree.resolve(f"{prefix}/x86_64-efi/normal.mod").file is None:
        return f"where {prefix}/x86_64-efi/normal.mod does not exist"
    return ""


def _looked_for(script: str) -> tuple[str, str] | None:
    """The UUID and the prefix in a script that only looks for a file system; None for others."""
    roots: dict[str, str] = {}
    looked: tuple[str, str] | None = None
    for line in script.splitlines():
        try:
            words = shlex.split(line, comments=True)
        except ValueError:
            return None
        match words:
            case ["search.fs_uuid", uuid, variable, *_]:
                roots[variable] = uuid
            case ["search", *_] if found := re.search(r"--set[= ](\w+)", line):
                if "--fs-uuid" not in words and "-u" not in words:
                    return None
                roots[found[1]] = words[-1]
            case ["set", value] if found := re.fullmatch(r"prefix=\(\$(\w+)\)(/\S*)", value):
                if found[1] not in roots:
                    return None
                looked = roots[found[1]], found[2].rstrip("/")
            case [] | ["configfile" | "normal" | "source" | "export" | "insmod", *_]:
                pass
            case _:
                return None
    return looked


@should(
    "The boot loader is known to work with Zero-OS's firmware",
    IMAGE,
    source="“Only grub2 has been tested and known to work.” (Zmachine guide, “Installation”); the"
    " firmware fails with GRUB of Ubuntu newer than 20.04, and with systemd-boot above 2 GiB of"
    " memory (rust-hypervisor-firmware issues 382 and 175).",
    fix="Make it a VM with its own kernel instead, which needs no boot loader; or install GRUB.",
    example="/EFI/BOOT/BOOTX64.EFI is systemd-boot",
    after="esp-loader",
    keys=("source.suite",),
)
def loader_known(context: CheckContext) -> Verdict:
    """The boot loader is GRUB, and not from Ubuntu newer than 20.04."""
    esp = context.disk.esp_tree
    if esp.resolve(LOADER).file is None:
        return failed("no boot loader, only /loader/entries: untested")
    name = loader_name(esp)
    if name not in {"GRUB", "shim and GRUB"}:
        return failed(f"{LOADER} is {name}")
    guest = context.guest
    release = parse_release(
        text(guest, "/etc/os-release") or text(guest, "/usr/lib/os-release") or ""
    )
    version = release.get("VERSION_ID", "")
    number = re.match(r"(\d{1,4})\.(\d{1,4})", version)
    if release.get("ID") == "ubuntu" and number and tuple(map(int, number.groups())) > (20, 4):
        return failed(f"GRUB of Ubuntu {version}: it will most probably not start on Zero-OS")
    return passed(name)


def loader_name(esp: FileTree) -> str:
    """What starts from the ESP; raises UnreadableError if there is nothing at LOADER."""
    name = boot_loader(esp).name
    if name != "shim" or esp.resolve(_BESIDE).file is None:
        return name or "an unknown boot loader"
    return f"shim and {boot_loader(esp, _BESIDE).name or 'an unknown boot loader'}"
