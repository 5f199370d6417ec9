"""Rules about how a disk image starts: its EFI system partition, its loader, GRUB's settings."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from zwizard.checks.helpers import SETTINGS, few, text
from zwizard.checks.rule import (
    IMAGE,
    Severity,
    Verdict,
    failed,
    not_applicable,
    passed,
    rule,
    unknown,
)
from zwizard.checks.rules.disk import esp_near_misses
from zwizard.image.executables.kernel import read_bzimage
from zwizard.image.magic import HEAD, file_type
from zwizard.image.tree import EntryType, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zwizard.checks.context import CheckContext
    from zwizard.image.tree import FileTree

_LOADER = "/EFI/BOOT/BOOTX64.EFI"
_PROGRAM = 8 << 20  # a whole GRUB is smaller, and what names others is near their beginning
_ENTRY = 4096  # the firmware asserts that a loader entry is no larger
_MIB = 1 << 20


@rule(
    "esp-present",
    "There is an EFI system partition",
    severity=Severity.MUST,
    modes=IMAGE,
    source="“ZOS only support images with esp partition” (zmachine.md, “Boot the VM (locally)”)",
    remedy="parted image.raw set 1 esp on, for the partition that holds the loader.",
    after="image-gpt",
    answers=("disk.esp_size",),
)
def esp_present(image: CheckContext) -> Verdict:
    """A partition of the ESP's type."""
    esp = image.disk.esp
    if esp is None:
        misses = "; ".join(esp_near_misses(image))
        return failed(f"no partition has that type{f'; {misses}' if misses else ''}")
    return passed(f"partition {esp.partition.number}, {esp.partition.size / _MIB:.0f} MiB")


@rule(
    "esp-fat",
    "The EFI system partition is FAT32",
    severity=Severity.MUST,
    modes=IMAGE,
    source="“This one has to be vfat of size 32: mkfs.vfat -F 32” (zmachine.md, “Installation”);"
    " the firmware tells the kinds apart by the number of clusters, and starts FAT12 and FAT16"
    " too.",
    remedy="mkfs.vfat -F 32 -s 1 on a partition of 34 MiB or more.",
    after="esp-present",
    answers=("disk.esp_size",),
)
def esp_fat(image: CheckContext) -> Verdict:
    """FAT by the number of clusters; another FAT than 32 starts, against the document."""
    volume = image.disk.esp
    if volume is None or volume.form != "vfat":
        form = volume.form if volume is not None else ""
        return failed(f"it is {form or 'no FAT file system'}")
    geometry = image.disk.esp_view.geometry
    found = f"FAT{geometry.bits}, {geometry.clusters} clusters"
    if (geometry.bits == 32) != (geometry.root_cluster > 0):
        return failed(f"{found}, laid out as {'FAT16' if geometry.bits == 32 else 'FAT32'}")
    if geometry.bits != 32:
        return failed(found, severity=Severity.SHOULD)
    return passed(found)


@rule(
    "esp-loader",
    "The firmware finds a loader",
    severity=Severity.MUST,
    modes=IMAGE,
    source="“grub-install --target=x86_64-efi […] --removable” (zmachine.md, “Installation”): the"
    " firmware starts /EFI/BOOT/BOOTX64.EFI, or a kernel by /loader/entries, else “Unable to boot"
    " from any virtio-blk device”.",
    remedy="grub-install --target=x86_64-efi --efi-directory=ESP --removable",
    after="esp-fat",
)
def esp_loader(image: CheckContext) -> Verdict:
    """BOOTX64.EFI is PE32+ for x86-64, or loader entries whose files exist."""
    esp = image.disk.esp_view
    entries = list(_entries(esp))
    if esp.resolve("/loader/loader.conf").file is not None and entries:
        fault = next(filter(None, (_entry_fault(esp, path) for path in entries)), "")
        if not fault:
            return passed(f"{len(entries)} entries in /loader/entries")
        if esp.resolve(_LOADER).file is None:
            return failed(fault)
    found = esp.resolve(_LOADER)
    if found.file is None:
        others = ", ".join(e.path for e in esp.listing("/EFI"))
        return failed(f"{found.shown}{f'; there is {others}' if others else ''}")
    fault = _pe_fault(esp.read(_LOADER, 4096))
    return failed(f"{_LOADER} {fault}") if fault else passed(f"{found.file.path}, PE32+, x86-64")


def _entries(esp: FileTree) -> Iterator[str]:
    for entry in esp.listing("/loader/entries"):
        if entry.kind is EntryType.FILE and entry.name.lower().endswith(".conf"):
            yield entry.path


def _entry_fault(esp: FileTree, path: str) -> str:
    """Why the firmware cannot start by this entry (Boot Loader Specification, Type #1)."""
    content = text(esp, path) or ""
    if len(content) > _ENTRY:
        return f"{path} has more than {_ENTRY} bytes"
    files = re.findall(r"^(linux|initrd)[ \t]+(\S+)", content, re.MULTILINE)
    if "linux" not in {kind for kind, _ in files}:
        return f"{path} names no kernel"
    missing = [name for _, name in files if esp.resolve(name).file is None]
    return f"{path} names {missing[0]}, which is not there" if missing else ""


def _pe_fault(head: bytes) -> str:
    if head[:2] != b"MZ" or len(head) < 64:
        return "is no EFI program"
    (at,) = struct.unpack_from("<I", head, 60)
    if at > len(head) - 26 or head[at : at + 4] != b"PE\x00\x00":
        return "is no EFI program"
    (machine,) = struct.unpack_from("<H", head, at + 4)
    (magic,) = struct.unpack_from("<H", head, at + 24)
    if machine != 0x8664 or magic != 0x20B:
        return f"is for another processor (machine {machine:#x})"
    return ""


@rule(
    "loader-known",
    "The loader is one that Zero-OS's firmware is known to start",
    severity=Severity.SHOULD,
    modes=IMAGE,
    source="“Only grub2 has been tested and known to work.” (zmachine.md, “Installation”); the"
    " firmware fails with GRUB of Ubuntu newer than 20.04 and with systemd-boot above 2 GiB of"
    " memory (rust-hypervisor-firmware issues 382 and 175).",
    remedy="Make it a VM with its own kernel instead, which needs no loader; or install GRUB.",
    after="esp-loader",
    answers=("source.suite",),
)
def loader_known(image: CheckContext) -> Verdict:
    """GRUB, but not Ubuntu's of after 20.04; anything else is told."""
    esp = image.disk.esp_view
    if esp.resolve(_LOADER).file is None:
        return failed("no loader, only /loader/entries: nobody has tried that")
    name = _loader_name(esp)
    if name not in {"GRUB", "shim and GRUB"}:
        return failed(f"{_LOADER} is {name}")
    release = _release(image.guest)
    if release.get("ID") == "ubuntu" and _newer(release.get("VERSION_ID", ""), (20, 4)):
        return failed(
            f"GRUB of Ubuntu {release['VERSION_ID']}: it will most probably NOT start on Zero-OS"
        )
    return passed(name)


def _loader_name(esp: FileTree) -> str:
    program = esp.read(_LOADER, _PROGRAM)
    if b"systemd-boot" in program or "systemd-boot".encode("utf-16-le") in program:
        return "systemd-boot"
    if b"grub" in program.lower():
        return "GRUB"
    if b"shim," in program or "shim".encode("utf-16-le") in program:
        second = esp.resolve("/EFI/BOOT/grubx64.efi").file
        return "shim and GRUB" if second is not None else "shim, without grubx64.efi beside it"
    return "a loader of an unknown kind"


def _release(view: FileTree) -> dict[str, str]:
    content = text(view, "/etc/os-release") or text(view, "/usr/lib/os-release") or ""
    pairs = (line.partition("=") for line in content.splitlines())
    return {key: value.strip("\"'") for key, _, value in pairs}


def _newer(version: str, than: tuple[int, int]) -> bool:
    found = re.match(r"(\d{1,4})\.(\d{1,4})", version)
    return found is not None and (int(found[1]), int(found[2])) > than


@rule(
    "esp-room",
    "An ESP that holds kernels has room for one more",
    severity=Severity.SHOULD,
    modes=IMAGE,
    source="The document mounts the ESP of 100 MiB at /boot; an upgrade writes the new kernel and"
    " initramfs beside the old ones, and stops half-way where there is no room.",
    remedy="Make the ESP larger, or mount it at /boot/efi and keep /boot on the root.",
    after="esp-fat",
    answers=("disk.esp_size", "disk.esp_mount"),
)
def esp_room(image: CheckContext) -> Verdict:
    """Free space for the largest kernel and initramfs again."""
    esp = image.disk.esp_view
    sizes = {
        kind: max((e.size for e in esp.children("/") if e.name.startswith(names)), default=0)
        for kind, names in (("kernel", ("vmlinuz",)), ("initramfs", ("initr",)))
    }
    needed = sum(sizes.values())
    if not needed:
        return passed("no kernels on it")
    free = esp.free
    shown = f"{free / _MIB:.0f} MiB free, one more kernel and initramfs take {needed / _MIB:.0f}"
    return passed(shown) if free >= needed else failed(shown)


_GRUB_CFG = ("/boot/grub/grub.cfg", "/boot/grub2/grub.cfg")
_LINUX = re.compile(r"^[ \t]*linux(?:efi|16)?[ \t]+\S+[ \t]*(.*)$", re.MULTILINE)
_OPTIONS = re.compile(r"^options[ \t]+(.*)$", re.MULTILINE)
# Started by hand, by someone who is at the console.
_RESCUE = frozenset({"single", "recovery", "rescue", "emergency"})


@rule(
    "grub-cmdline",
    "Linux gets the serial console, and a root that is in the image",
    severity=Severity.SHOULD,
    modes=IMAGE,
    source='“GRUB_CMDLINE_LINUX_DEFAULT="loglevel=3 console=tty console=ttyS0" Note: we removed'
    " the quiet and add the console flags.” (zmachine.md, “Installation”)",
    remedy="Set that in /etc/default/grub and run grub-mkconfig -o /boot/grub/grub.cfg in the"
    " image; give root as UUID=.",
    after="esp-loader",
    answers=("grub.cmdline",),
)
def grub_cmdline(image: CheckContext) -> Verdict:
    """Every linux line has ``console=ttyS0``, no ``quiet``, and a ``root=`` of the image."""
    found = few(_command_lines(image), "lines that start Linux")
    if not found:
        return unknown("no grub.cfg with a linux line was found", "Look at the loader's settings.")
    for path, line in found:
        fault = _line_fault(image, line.split())
        if fault:
            return failed(f"{path}: {fault}, in: {line.strip()[:200]}")
    fault = _defaults_fault(image)
    if fault:
        return failed(fault)
    return passed(f"{len(found)} lines, such as: {found[0][1].strip()[:200]}")


def _command_lines(image: CheckContext) -> Iterator[tuple[str, str]]:
    for path, content in _settings(image):
        for line in _LINUX.findall(content):
            if not _RESCUE & set(line.split()):
                yield path, line
    for path in _entries(image.disk.esp_view):
        for line in _OPTIONS.findall(text(image.disk.esp_view, path) or ""):
            yield path, line


def _settings(image: CheckContext) -> Iterator[tuple[str, str]]:
    """Every grub.cfg, of the system and of the ESP."""
    for path in _GRUB_CFG:
        content = text(image.guest, path)
        if content is not None:
            yield path, content
    esp = image.disk.esp_view
    places = [*(f"{e.path}/grub.cfg" for e in esp.listing("/EFI")), "/grub/grub.cfg"]
    for path in places:
        content = text(esp, path)
        if content is not None:
            yield f"ESP{path}", content


def _line_fault(image: CheckContext, words: list[str]) -> str:
    if "quiet" in words:
        return "it has quiet"
    if not any(re.fullmatch(r"console=ttyS0(,.*)?", word) for word in words):
        return "it has no console=ttyS0"
    root = next((word.removeprefix("root=") for word in words if word.startswith("root=")), "")
    if not root:
        return "it has no root="
    if "$" in root:
        raise UnreadableError(f"the root {root} is only known to GRUB", "Write it as UUID=.")
    if image.has_device(root):
        return ""
    return f"root={root} is not in the image"


_FILES = re.compile(r"^[ \t]*(linux|initrd)(?:efi|16)?[ \t]+(/[^\n]*)$", re.MULTILINE)


@rule(
    "grub-kernel",
    "GRUB finds the kernels and initramfs it loads, and can start them",
    severity=Severity.MUST,
    modes=IMAGE,
    source="“Then finally generating the config: grub-mkconfig -o /boot/grub/grub.cfg”"
    " (zmachine.md, “Installation”): one made before the last change of the kernel names files"
    " that are gone. GRUB starts bzImages, as distributions ship them, and no extracted ELF.",
    remedy="grub-mkconfig -o /boot/grub/grub.cfg in the image, after the last change to /boot;"
    " install the kernel's package again if its file was extracted.",
    after="esp-loader",
    answers=("kernel.package", "kernel.file"),
)
def grub_kernel(image: CheckContext) -> Verdict:
    """Every linux line names a bzImage, every initrd line files, of the root, /boot or the ESP."""
    esp = image.disk.esp_view
    if esp.resolve(_LOADER).file is None or "GRUB" not in _loader_name(esp):
        return not_applicable("the loader is not GRUB")
    found = few(_loaded(image), "files that GRUB loads")
    if not found:
        return unknown(
            "no grub.cfg that loads a kernel was found", "grub-mkconfig, and look again."
        )
    for path, command, name in dict.fromkeys(found):
        wrong = _file_fault(image, command, name)
        if wrong:
            return failed(f"{path} loads {name}, which {wrong}")
    return passed(f"{len(found)} files, such as {found[0][2]}")


def _loaded(image: CheckContext) -> Iterator[tuple[str, str, str]]:
    for path, content in _settings(image):
        for command, line in _FILES.findall(content):
            for name in line.split()[: 1 if command == "linux" else None]:
                if name.startswith("/") and "$" not in name:
                    yield path, command, name


def _file_fault(image: CheckContext, command: str, name: str) -> str:
    """Why GRUB could not load the file called ``name`` by ``command``, "" if it could."""
    # GRUB sees file systems, not where they are mounted: /boot may be one of its own.
    system = image.disk.system
    places = ((system.root, name), (system, f"/boot{name}"), (image.disk.esp_view, name))
    for view, path in places:
        if view.resolve(path).file is None:
            continue
        with view.open(path) as file:
            whole = command != "linux" or read_bzimage(file) is not None
            file.seek(0)
            return "" if whole else f"is {file_type(file.read(HEAD))}, not a bzImage"
    return "is not there"


_DEFAULT = re.compile(r"^[ \t]*(?:export[ \t]+)?(GRUB_\w+)=(\"[^\"]*\"|'[^']*'|\S*)", re.MULTILINE)


def _defaults(image: CheckContext) -> dict[str, str]:
    """GRUB's settings from which grub.cfg is made again at the next upgrade."""
    found: dict[str, str] = {}
    paths = ["/etc/default/grub"]
    paths += [entry.path for entry in image.guest.listing("/etc/default/grub.d")
              if entry.name.endswith(".cfg")]  # fmt: skip
    for path in paths:
        for key, value in _DEFAULT.findall(text(image.guest, path) or ""):
            before = found.get(key, "")
            now = value.strip("\"'").replace(f"${key}", before).replace(f"${{{key}}}", before)
            if len(now) > SETTINGS:
                raise UnreadableError(f"{path} doubles {key} over and over", "Look at it.")
            found[key] = now
    return found


def _defaults_fault(image: CheckContext) -> str:
    settings = _defaults(image)
    if not settings:
        return ""
    words = " ".join(
        settings.get(f"GRUB_CMDLINE_LINUX{part}", "") for part in ("", "_DEFAULT")
    ).split()
    if "quiet" in words:
        return "/etc/default/grub has quiet: the next grub-mkconfig brings it back"
    if not any(word.startswith("console=ttyS0") for word in words):
        return "/etc/default/grub has no console=ttyS0: the next grub-mkconfig drops it"
    return ""


_TIMEOUT = re.compile(r"^[ \t]*set timeout=(\S+)", re.MULTILINE)
# After a failed start Debian's and Ubuntu's GRUB wait longer; that is another matter.
_RECORDFAIL = re.compile(r"if \[ \"\$\{recordfail\}\" = 1 \].{0,999}?(?:else|fi)\b", re.DOTALL)


@rule(
    "grub-timeout",
    "GRUB does not wait",
    severity=Severity.SHOULD,
    modes=IMAGE,
    source="“Also set the GRUB_TIMEOUT to 0 for a faster boot: GRUB_TIMEOUT=0” (zmachine.md,"
    " “Installation”)",
    remedy="GRUB_TIMEOUT=0 in /etc/default/grub, and grub-mkconfig -o /boot/grub/grub.cfg",
    after="esp-loader",
    answers=("grub.timeout",),
)
def grub_timeout(image: CheckContext) -> Verdict:
    """In the defaults, and in the grub.cfg made from them."""
    default = _defaults(image).get("GRUB_TIMEOUT")
    if default is not None and default != "0":
        return failed(f"/etc/default/grub has GRUB_TIMEOUT={default}")
    made = [
        (path, value)
        for path, content in _settings(image)
        for value in _TIMEOUT.findall(_RECORDFAIL.sub("", content))
    ]
    for path, value in made:
        if value != "0":
            return failed(f"{path} has timeout={value}")
    if default is None and not made:
        return unknown("GRUB's settings were not found", "Look at the loader's settings.")
    if default is None:
        return failed("/etc/default/grub does not set GRUB_TIMEOUT: the next grub-mkconfig waits")
    return passed("GRUB_TIMEOUT=0")


RULES = (
    esp_present,
    esp_fat,
    esp_loader,
    loader_known,
    esp_room,
    grub_kernel,
    grub_cmdline,
    grub_timeout,
)
