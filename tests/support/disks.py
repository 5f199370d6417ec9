"""Disk images put together by the real tools, as files: no root, no mounts, no loop devices."""

from __future__ import annotations

import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pytest

from tests.support.executables import NAME, PACKERS, VERSION, bzimage, elf, program
from tests.support.trees import vm_tree

MIB = 1 << 20
TOOLS = ("sfdisk", "mke2fs", "mkfs.vfat", "mcopy", "mmd")
ROOT_UUID = "0a0b0c0d-1111-2222-3333-444455556666"
ESP_SERIAL = "1234ABCD"
ROOT_TYPE = "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709"
ESP_TYPE = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
DATA_TYPE = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"

GRUB_CFG = f"""\
if [ x$feature_timeout_style = xy ] ; then
  set timeout_style=menu
  set timeout=0
else
  set timeout=0
fi
menuentry 'Debian' {{
	linux	/boot/{NAME} root=UUID={ROOT_UUID} ro  loglevel=3 console=tty console=ttyS0
	initrd	/boot/initrd.img-{VERSION}
}}
menuentry 'Debian (recovery mode)' {{
	linux	/boot/{NAME} root=UUID={ROOT_UUID} ro single
}}
"""
DEFAULTS = """\
GRUB_TIMEOUT=0
GRUB_CMDLINE_LINUX_DEFAULT="loglevel=3 console=tty console=ttyS0"
GRUB_CMDLINE_LINUX=""
"""


_opened: list[BinaryIO] = []


def handle(path: Path) -> BinaryIO:
    """The file at ``path``, open until `close_handles`."""
    _opened.append(path.open("rb"))
    return _opened[-1]


def close_handles() -> None:
    while _opened:
        _opened.pop().close()


def need_tools(*names: str) -> None:
    missing = [name for name in names or TOOLS if shutil.which(name) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed")


def run(*command: str | Path, stdin: str = "") -> None:
    subprocess.run(
        [str(word) for word in command], input=stdin, text=True, capture_output=True, check=True
    )


def efi(machine: int = 0x8664, **sections: bytes) -> bytes:
    """An EFI program of these sections, with dots instead of "_" in their names."""
    head = bytearray(64)
    head[0:2] = b"MZ"
    struct.pack_into("<I", head, 60, 64)
    coff = struct.pack("<HHIIIHH", machine, len(sections), 0, 0, 0, 240, 0x22)
    table, body = b"", b""
    start = len(head) + 4 + len(coff) + 240 + 40 * len(sections)
    for name, data in sections.items():
        place = struct.pack("<IIII", len(data), 0, len(data), start + len(body))
        table += name.replace("_", ".").encode().ljust(8, b"\x00") + place + bytes(16)
        body += data
    return (
        bytes(head) + b"PE\x00\x00" + coff + struct.pack("<H", 0x20B) + bytes(238) + table + body
    )


def grub_loader(
    script: str = "", prefix: str = "/boot/grub", modules: bytes = b"\x00normal\x00"
) -> bytes:
    """GRUB as grub-mkimage makes it."""
    objects = b"".join(
        struct.pack("<II", kind, 8 + len(data)) + data
        for kind, data in (
            (0, modules), (2, script.encode() + b"\x00"), (3, prefix.encode() + b"\x00")
        )
    )  # fmt: skip
    return efi(mods=b"mimg" + bytes(4) + struct.pack("<QQ", 24, 24 + len(objects)) + objects)


@dataclass(frozen=True)
class Part:
    """A partition to be: its type, first and last MiB."""

    type: str
    start: int
    end: int


ESP_PART = Part(ESP_TYPE, 1, 41)
ROOT_PART = Part(ROOT_TYPE, 41, 95)
SIZE = 96


def image_tree(root: Path) -> Path:
    """What vm_tree has and a disk image needs besides."""
    vm_tree(root)
    kernel = bzimage(PACKERS["zstd"](elf()), size=len(elf()))  # as GRUB wants it
    (root / "boot" / NAME).write_bytes(kernel)
    for name in ("growpart", "resize2fs"):
        path = root / f"usr/sbin/{name}"
        path.write_bytes(program())
        path.chmod(0o755)
    generator = root / "usr/lib/systemd/system-generators/netplan"
    generator.write_bytes(program())
    generator.chmod(0o755)
    for name, text in {
        "boot/grub/grub.cfg": GRUB_CFG,
        "etc/default/grub": DEFAULTS,
        "etc/fstab": f"UUID={ROOT_UUID} / ext4 defaults 0 1\n"
        f"UUID={ESP_SERIAL[:4]}-{ESP_SERIAL[4:]} /boot/efi vfat umask=0077 0 1\n",
        "usr/lib/os-release": 'ID=debian\nVERSION_ID="12"\n',
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "boot/efi").mkdir()
    (root / "etc/os-release").symlink_to("../usr/lib/os-release")
    return root


def partition(path: Path, *parts: Part, size: int = SIZE, label: str = "gpt") -> None:
    """An empty disk with these partitions."""
    with path.open("wb") as file:
        file.truncate(size * MIB)
    table = f"label: {label}\n" + "".join(
        f"start={part.start * 2048}, size={(part.end - part.start) * 2048}, type={part.type}\n"
        for part in parts
    )
    run("sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", path, stdin=table)


def put(path: Path, part: Part, content: Path) -> None:
    """Copy a file system made apart into its partition; holes stay holes."""
    run("dd", f"if={content}", f"of={path}", "bs=1M", f"seek={part.start}", "conv=notrunc,sparse")


def fat(path: Path, size: int, files: dict[str, bytes], *options: str) -> Path:
    """A FAT file system of ``size`` MiB with these files."""
    with path.open("wb") as file:
        file.truncate(size * MIB)
    run("mkfs.vfat", "-i", ESP_SERIAL, *(options or ("-F", "32", "-s", "1")), path)
    made: set[str] = set()
    for name, data in files.items():
        parents = name.strip("/").split("/")[:-1]
        for depth in range(1, len(parents) + 1):
            directory = "/".join(parents[:depth])
            if directory.upper() not in made:
                made.add(directory.upper())
                run("mmd", "-i", path, f"::/{directory}")
        content = path.with_suffix(".content")
        content.write_bytes(data)
        run("mcopy", "-i", path, content, f"::/{name}")
        content.unlink()
    return path


def ext(path: Path, size: int, tree: Path, *options: str) -> Path:
    """An ext file system of ``size`` MiB with what is in ``tree``."""
    path.unlink(missing_ok=True)
    run("mke2fs", "-q", "-F", "-U", ROOT_UUID, "-L", "cloud-root", *(options or ("-t", "ext4")),
        "-d", tree, path, f"{size}M")  # fmt: skip
    return path


SEARCH = f"search --no-floppy --fs-uuid --set=root {ROOT_UUID}\nset prefix=($root)/boot/grub\n"
LOADER = {"EFI/BOOT/BOOTX64.EFI": grub_loader(SEARCH)}


def disk(path: Path, tree: Path, root: Part = ROOT_PART, esp: dict[str, bytes] = LOADER) -> Path:
    """A whole disk image of ``tree``: GPT, an ESP with these files, an ext4 root."""
    partition(path, ESP_PART, root, size=root.end + 1)
    work = path.with_suffix(".part")
    put(path, ESP_PART, fat(work, ESP_PART.end - ESP_PART.start, esp))
    put(path, root, ext(work, root.end - root.start, tree))
    work.unlink()
    return path
