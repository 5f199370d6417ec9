"""Small artefacts put together by hand: true ELF, bzImage, cpio, tar and gzip structures."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
from pathlib import Path

import lz4.block
import zstandard

VERSION = "6.1.0-50-cloud-amd64"
NAME = f"vmlinuz-{VERSION}"

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_PROGRAM = struct.Struct("<IIQQQQQQ")


def note(owner: bytes, kind: int, descriptor: bytes) -> bytes:
    padded = owner + bytes(-len(owner) % 4)
    head = struct.pack("<III", len(owner), len(descriptor), kind)
    return head + padded + descriptor + bytes(-len(descriptor) % 4)


PVH = note(b"GNU\x00", 3, bytes(20)) + note(b"Xen\x00", 0x12, struct.pack("<I", 0x1000850))


def elf(
    *,
    version: str = VERSION,
    notes: bytes = PVH,
    entry: int = 0x1000000,
    machine: int = 62,
    bits: int = 2,
    order: int = 1,
    load: bool = True,
    configuration: str | None = None,
) -> bytes:
    """A kernel as an ELF: a loadable segment with a banner in it, and a segment of notes."""
    banner = f"Linux version {version} (builder@host) (gcc) #1 SMP\n\x00".encode()
    text = b"\x90" * 2000 + banner + b"\x00" * 100
    if configuration is not None:
        text += b"IKCFG_ST" + gzip.compress(configuration.encode()) + b"IKCFG_ED"
    identity = b"\x7fELF" + bytes([bits, order, 1]) + bytes(9)
    at = _HEADER.size + 2 * _PROGRAM.size
    head = _HEADER.pack(identity, 2, machine, 1, entry, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    programs = _PROGRAM.pack(1 if load else 6, 5, at, entry, entry, len(text), len(text), 4096)
    programs += _PROGRAM.pack(4, 4, at + len(text), 0, 0, len(notes), len(notes), 4)
    return head + programs + text + notes


def program(machine: int = 62, interpreter: str = "") -> bytes:
    """An ELF program that does nothing: static, or asking for a loader."""
    identity = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    name = interpreter.encode() + b"\x00" if interpreter else b""
    head = _HEADER.pack(identity, 2, machine, 1, 0x400000, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    kind = 3 if interpreter else 1
    return head + _PROGRAM.pack(kind, 4, 120, 0, 0, len(name), len(name), 1) + name


def lz4_legacy(data: bytes) -> bytes:
    packed = b"\x02\x21\x4c\x18"
    for start in range(0, len(data), 8 << 20):
        block = lz4.block.compress(data[start : start + (8 << 20)], store_size=False)
        packed += struct.pack("<I", len(block)) + block
    return packed


PACKERS = {
    "gzip": gzip.compress,
    "xz": lambda data: lzma.compress(data, lzma.FORMAT_XZ, check=lzma.CHECK_CRC32),
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    "bzip2": bz2.compress,
    "zstd": zstandard.compress,
    "lz4": lz4_legacy,
}


def bzimage(
    payload: bytes, *, version: str = VERSION, protocol: int = 0x20F, size: int = 12345678
) -> bytes:
    """A bzImage: two setup sectors with the header, some boot code, the payload, ``size``."""
    code = b"\xeb\xfe" * 300
    payload += struct.pack("<I", size)
    head = bytearray(3 * 512)
    head[0:2] = b"MZ"
    head[0x1F1] = 2
    head[0x1FE:0x200] = b"\x55\xaa"
    head[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", head, 0x206, protocol)
    struct.pack_into("<H", head, 0x20E, 0x300)
    struct.pack_into("<II", head, 0x248, len(code), len(payload))
    text = f"{version} (builder@host) #1 SMP\x00".encode()
    head[0x500 : 0x500 + len(text)] = text
    return bytes(head) + code + payload + bytes(64)


def cpio(files: dict[str, bytes]) -> bytes:
    """A cpio archive in the newc format, with its trailer, padded to 512 bytes."""
    out = b""
    for number, (name, data) in enumerate({**files, "TRAILER!!!": b""}.items()):
        mode = 0o40755 if name.endswith("/") else 0o100755
        stored = name.rstrip("/").encode() + b"\x00"
        fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(stored), 0)
        member = b"070701" + b"".join(b"%08x" % value for value in fields) + stored
        member += bytes(-len(member) % 4) + data
        out += member + bytes(-len(member) % 4)
    return out + bytes(-len(out) % 512)


MICROCODE = cpio({"kernel/x86/microcode/GenuineIntel.bin": b"\x01" * 3000})


def initramfs(
    *, version: str = VERSION, modules: tuple[str, ...] = ("virtiofs", "virtio_pci")
) -> bytes:
    base = f"usr/lib/modules/{version}/kernel/drivers"
    files = {"init": b"#!/bin/sh\n", "conf/modules": "\n".join(modules).encode()}
    files |= {f"{base}/{name}.ko": b"\x7fELF" + bytes(50) for name in (*modules, "fuse", "virtio")}
    return cpio(files)


MODULES = {
    "virtiofs": "fuse virtio", "fuse": "", "virtio": "", "virtio_pci": "virtio",
    "virtio_blk": "virtio", "virtio_net": "virtio", "vfat": "", "nls_cp437": "",
    "nls_ascii": "", "btrfs": "",
}  # fmt: skip
CONFIG = """\
# Linux/x86 Kernel Configuration
CONFIG_MODULES=y
CONFIG_VIRTIO_FS=m
CONFIG_VIRTIO_PCI=m
CONFIG_SERIAL_8250_CONSOLE=y
CONFIG_FAT_DEFAULT_CODEPAGE=437
CONFIG_FAT_DEFAULT_IOCHARSET="ascii"
CONFIG_RD_ZSTD=y
# CONFIG_RD_LZO is not set
"""


def vm_tree(root: Path) -> Path:
    """A directory with everything the checklist asks of a VM with its own kernel, and no more."""
    base = root / "usr/lib/modules" / VERSION
    for name in ("boot", "dev", "etc", "proc", "run", "sys", "tmp", "usr/sbin", "usr/lib/systemd"):
        (root / name).mkdir(parents=True)
    base.mkdir(parents=True)
    for name in ("lib", "sbin"):
        (root / name).symlink_to(f"usr/{name}")
    _write(root / "boot" / NAME, elf())
    _write(root / f"boot/initrd.img-{VERSION}", MICROCODE + zstandard.compress(initramfs()))
    _write(root / f"boot/config-{VERSION}", CONFIG.encode())
    (root / "boot/vmlinuz").symlink_to(NAME)
    (root / "boot/initrd.img").symlink_to(f"initrd.img-{VERSION}")
    _write(root / "usr/lib/systemd/systemd", program(), 0o755)
    (root / "usr/sbin/init").symlink_to("/lib/systemd/systemd")
    dependencies = ""
    for name, needs in MODULES.items():
        _write(base / f"kernel/{name}.ko", b"\x7fELF" + bytes(60))
        listed = " ".join(f"kernel/{other}.ko" for other in needs.split())
        dependencies += f"kernel/{name}.ko: {listed}\n"
    _write(base / "modules.dep", dependencies.encode())
    _write(base / "modules.builtin", b"kernel/drivers/tty/serial/8250/8250.ko\n")
    _write(root / "etc/hosts", b"127.0.0.1 localhost\n")
    _guest(root)
    return root


STAGES = ("cloud-init-local", "cloud-init", "cloud-config", "cloud-final")
PACKAGE = "usr/lib/python3/dist-packages/cloudinit"


def _guest(root: Path) -> None:
    """cloud-init, netplan with networkd, and an ssh server, as Debian 12 lays them out."""
    units, wanted = root / "usr/lib/systemd/system", root / "etc/systemd/system"
    for name in ("usr/bin/cloud-init", "usr/sbin/netplan", "usr/sbin/sshd"):
        _write(root / name, program(), 0o755)
    for name in (*STAGES, "ssh", "systemd-networkd"):
        _write(units / f"{name}.service", f"[Service]\nExecStart=/usr/bin/{name}\n".encode())
    for name in STAGES:
        _link(wanted / f"cloud-init.target.wants/{name}.service", f"{units}/{name}.service", root)
    _link(wanted / "multi-user.target.wants/ssh.service", f"{units}/ssh.service", root)
    _write(units / "cloud-init.target", b"[Unit]\nAfter=multi-user.target\n")
    _write(root / "usr/lib/systemd/system-generators/cloud-init-generator", b"#!/bin/sh\n", 0o755)
    _write(root / PACKAGE / "__init__.py", b"")
    _write(root / PACKAGE / "version.py", b'__VERSION__ = "22.4.2"\n')
    _write(root / "etc/cloud/cloud.cfg", b"disable_root: true\nusers:\n  - default\n")
    _write(root / CLOUD_CONFIG, CLOUD.encode())
    _write(root / "etc/ssh/sshd_config", b"Include /etc/ssh/sshd_config.d/*.conf\nUsePAM yes\n")
    _write(root / "etc/shadow", b"root:*:19518:0:99999:7:::\ndaemon:*:19518:0:99999:7:::\n")
    _write(root / "etc/passwd", b"root:x:0:0:root:/root:/bin/bash\n")
    _write(root / "etc/resolv.conf", b"nameserver 1.1.1.1\n")
    _write(root / "etc/machine-id", b"")
    _write(root / "etc/fstab", b"# UNCONFIGURED FSTAB FOR BASE SYSTEM\n")


CLOUD_CONFIG = "etc/cloud/cloud.cfg.d/99-zero-os.cfg"
CLOUD = """\
# Zero-OS configures the machine from a NoCloud disk; nothing else is asked.
datasource_list: [NoCloud, None]
system_info:
  network:
    renderers: [netplan, networkd, eni]
"""


def _link(path: Path, target: str, root: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target.removeprefix(str(root)))


def _write(path: Path, data: bytes, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode)


def numbers(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """A member with its owner as numbers only, as tar --numeric-owner stores it."""
    member.uname = member.gname = ""
    return member


def tarred(root: Path, form: int = tarfile.GNU_FORMAT) -> bytes:
    """What is beneath ``root``, as ``tar -c --numeric-owner -C root .`` packs it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        archive.add(root, ".", filter=numbers)
    return out.getvalue()


def packed(root: Path, path: Path) -> Path:
    """``root`` as a .tar.gz at ``path``."""
    path.write_bytes(gzip.compress(tarred(root), 1))
    return path


def archive(path: Path, *members: tarfile.TarInfo | tuple[tarfile.TarInfo, bytes]) -> Path:
    """A .tar.gz of exactly these members, whatever sense they make."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as made:
        for member in members:
            info, data = member if isinstance(member, tuple) else (member, b"")
            info.size = len(data)
            made.addfile(info, io.BytesIO(data))
    path.write_bytes(gzip.compress(out.getvalue(), 1))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = target
    info.mode = 0o755
    return info
