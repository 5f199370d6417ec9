"""Directory trees of small guests, and archives of them."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import zstandard

from tests.support.executables import MICROCODE, NAME, VERSION, elf, initramfs, program

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
CONFIG_EXT4_FS=y
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
    for name in ("usr/bin/cloud-init", "usr/sbin/netplan", "bin/bash"):
        _write(root / name, program(), 0o755)
    _write(root / "usr/sbin/sshd", program() + SSHD_WORDS, 0o755)
    for name in (*STAGES, "ssh", "systemd-networkd"):
        _write(units / f"{name}.service", f"[Service]\nExecStart=/usr/bin/{name}\n".encode())
    for name in STAGES:
        _link(wanted / f"cloud-init.target.wants/{name}.service", f"{units}/{name}.service", root)
    _link(wanted / "multi-user.target.wants/ssh.service", f"{units}/ssh.service", root)
    _write(units / "cloud-init.target", b"[Unit]\nAfter=multi-user.target\n")
    _write(root / "usr/lib/systemd/system-generators/cloud-init-generator", b"#!/bin/sh\n", 0o755)
    _write(root / PACKAGE / "__init__.py", b"")
    _write(root / PACKAGE / "version.py", b'__VERSION__ = "22.4.2"\n')
    _write(root / PACKAGE / "distros/debian.py", b"")
    _write(root / "etc/cloud/cloud.cfg", CLOUD_MAIN.encode())
    _write(root / CLOUD_CONFIG, CLOUD.encode())
    _write(root / "etc/ssh/sshd_config", b"Include /etc/ssh/sshd_config.d/*.conf\nUsePAM yes\n")
    _write(root / "etc/shadow", b"root:*:19518:0:99999:7:::\ndaemon:*:19518:0:99999:7:::\n")
    _write(root / "etc/passwd", PASSWD)
    _write(root / "etc/resolv.conf", b"nameserver 1.1.1.1\n")
    _write(root / "etc/machine-id", b"")
    _write(root / "etc/fstab", b"# UNCONFIGURED FSTAB FOR BASE SYSTEM\n")


PASSWD = b"""\
root:x:0:0:root:/root:/bin/bash
sshd:x:105:65534::/run/sshd:/usr/sbin/nologin
"""
# Of the words in Debian 12's sshd those that not every sshd has.
SSHD_WORDS = b"\0debianbanner\0persourcemaxstartups\0pubkeyacceptedalgorithms\x003des-cbc\0"
CLOUD_MAIN = """\
disable_root: true
users:
  - default
cloud_init_modules: [growpart, mounts, set_hostname, users-groups, ssh]
cloud_config_modules:
 - locale
 - set-passwords
cloud_final_modules:
 - [scripts-user, always]
system_info: {distro: debian}
"""
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
    """The tree at ``root``, as ``tar -c --numeric-owner -C root .`` packs it."""
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
