"""Boot loaders: what an EFI program is by its sections, and what GRUB was built with."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_MACHINE, _PE32_PLUS = 0x8664, 0x20B
_SECTIONS = 96  # a loader of Windows takes no more
# GRUB's section of modules (include/grub/kernel.h): a magic number, then objects by type.
_MODULES = b"mods"
_MAGIC = b"mimg"
_CONFIG, _PREFIX = 2, 3


@dataclass(frozen=True, slots=True)
class BootLoader:
    """An EFI program: ``name`` is "GRUB", "shim", "systemd-boot", "Linux" or "" (unknown).

    ``fault`` is why the firmware does not start it. Of GRUB, ``prefix`` is where it has its files,
    ``script`` what it runs first, and ``normal`` whether it can do more without modules.
    """

    name: str = ""
    fault: str = ""
    prefix: str = ""
    script: str = ""
    normal: bool = True


def read_boot_loader(data: bytes) -> BootLoader:
    """What the program ``data`` is."""
    at = int.from_bytes(data[60:64], "little")
    if data[:2] != b"MZ" or data[at : at + 4] != b"PE\x00\x00" or at + 26 > len(data):
        return BootLoader(fault="is not an EFI program")
    (machine,) = struct.unpack_from("<H", data, at + 4)
    (magic,) = struct.unpack_from("<H", data, at + 24)
    if (machine, magic) != (_MACHINE, _PE32_PLUS):
        return BootLoader(fault=f"is for another processor (machine {machine:#x})")
    sections = dict(_sections(data, at))
    if sections.get(_MODULES, b"").startswith(_MAGIC):
        return _grub(sections[_MODULES])
    return BootLoader(_name(data, sections))


def _sections(data: bytes, at: int) -> Iterator[tuple[bytes, bytes]]:
    """The names and contents of the sections behind the header at ``at``."""
    count, optional = struct.unpack_from("<H", data, at + 6)[0], at + 20
    table = at + 24 + struct.unpack_from("<H", data, optional)[0]
    for place in range(table, min(table + 40 * min(count, _SECTIONS), len(data) - 39), 40):
        size, start = struct.unpack_from("<II", data, place + 16)
        yield data[place : place + 8].rstrip(b"\x00"), data[start : start + size]


def _name(data: bytes, sections: dict[bytes, bytes]) -> str:
    if b".linux" in sections or data[0x202:0x206] == b"HdrS":
        return "Linux"
    if b"systemd-boot" in sections.get(b".sdmagic", b""):
        return "systemd-boot"
    return "shim" if b"UEFI SHIM" in data else ""


def _grub(modules: bytes) -> BootLoader:
    texts = {_CONFIG: "", _PREFIX: ""}
    (at,) = struct.unpack_from("<Q", modules.ljust(16, b"\x00"), 8)
    while at + 8 <= len(modules):
        kind, size = struct.unpack_from("<II", modules, at)
        if size < 8:
            break
        if kind in texts:
            content = modules[at + 8 : at + size].partition(b"\x00")[0]
            texts[kind] = content.decode("utf-8", "replace")
        at += size
    return BootLoader(
        "GRUB", prefix=texts[_PREFIX], script=texts[_CONFIG], normal=b"normal\x00" in modules
    )
