"""Initramfs images of different makers: whether they mount the root, and how that is known."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.support.executables import program

SH = {"bin/sh": program(), "sbin/modprobe": program()}
TOOLS = SH | {
    "init": b"#!/bin/sh\n", "conf/initramfs.conf": b"MODULES=most\nBOOT=local\n",
    "scripts/functions": b"x", "scripts/local": b"x", "bin/mount": program(),
    "bin/run-init": program(), "conf/modules": b"virtiofs\nvirtio_pci\n",
}  # fmt: skip
DRACUT = SH | {
    "init": b"#!/bin/sh\n", "lib/dracut/hooks/cmdline/10-parse-root-opts.sh": b"x",
    "lib/dracut/hooks/cmdline/95-parse-block.sh": b"x",
}  # fmt: skip
VIRTIOFS_HOOKS = {
    "lib/dracut/hooks/cmdline/95-parse-virtiofs.sh": b"x",
    "lib/dracut/hooks/pre-mount/99-mount-virtiofs.sh": b"x",
}
MKINITCPIO = SH | {
    "init": b"#!/bin/sh\n", "init_functions": b"x", "buildconfig": b"x",
    "config": b'MODULES="virtio_pci virtiofs"\n',
}  # fmt: skip
SYSTEMD = SH | {
    "init@": b"usr/lib/systemd/systemd", "usr/lib/systemd/systemd": program(),
    "usr/lib/systemd/systemd-udevd": program(),
    "usr/lib/systemd/system-generators/systemd-fstab-generator": program(),
}  # fmt: skip
HAND = (
    b"#!/bin/sh\nmodprobe virtio_pci\nmodprobe virtiofs\nmount -t virtiofs vroot /new\n"
    b"exec switch_root /new /sbin/init\n"
)


@dataclass(frozen=True)
class Row:
    """An initramfs by its files; ``disk`` is whether the root is ext4 on a disk."""

    name: str
    files: dict[str, bytes]
    mounts: bool
    evidence: str
    how: str
    disk: bool = False
    init: str = "/sbin/init"
    without: tuple[str, ...] = field(default=())


BOOTED = "the machine started (QEMU, Debian 12's cloud kernel)"

ROWS = [
    Row("initramfs-tools", TOOLS, True, "made by initramfs-tools", BOOTED),
    Row("initramfs-tools for NFS", TOOLS | {"conf/conf.d/nfs": b"BOOT=nfs\n"}, False, "BOOT=nfs",
        "/init: . /scripts/${BOOT}"),
    Row("initramfs-tools, settings in order",
        TOOLS | {"conf/initramfs.conf": b"BOOT=nfs\n", "conf/conf.d/own": b"BOOT=local\n"}, True,
        "made by initramfs-tools", "/init reads conf.d last"),
    Row("initramfs-tools without scripts/local", TOOLS, False, "/scripts/local",
        "/init: . /scripts/local", without=("scripts/local",)),
    Row("initramfs-tools without mount", TOOLS, False, "mount is not in it",
        "scripts/local: mount", without=("bin/mount",)),
    Row("initramfs-tools without modprobe", TOOLS, False, "modprobe",
        "kernel: request_module", without=("sbin/modprobe",)),
    Row("initramfs-tools without a list of dependencies", TOOLS, False, "modules.dep",
        "modprobe(8)", without=("usr/lib/modules/6.1/modules.dep",)),
    Row("initramfs-tools, nothing loads virtio_pci", TOOLS | {"conf/modules": b""}, False,
        "nothing loads virtio_pci", "scripts/functions: load_modules, or udev"),
    Row("initramfs-tools with udev", TOOLS | {"conf/modules": b"",
        "usr/lib/systemd/systemd-udevd": program()}, True, "made by initramfs-tools",
        "initramfs-tools, scripts/init-top/udev"),
    Row("dracut without its module virtiofs", DRACUT, False, "dracut's module virtiofs",
        "FATAL: Don't know how to handle 'root=vroot'"),
    Row("dracut with it", DRACUT | VIRTIOFS_HOOKS, True, "made by dracut",
        "modules.d/95virtiofs"),
    Row("dracut, only half of it", DRACUT | VIRTIOFS_HOOKS, False, "mount-virtiofs.sh",
        "modules.d/95virtiofs", without=("lib/dracut/hooks/pre-mount/99-mount-virtiofs.sh",)),
    Row("dracut for a disk", DRACUT, True, "made by dracut", "modules.d/95rootfs-block",
        disk=True),
    Row("dracut with systemd for a disk", SYSTEMD | {"lib/dracut/hooks/cmdline/30.sh": b"x",
        "lib/systemd/system-generators/dracut-rootfs-generator": b"x"}, True, "made by dracut",
        "dracut 059 in a chroot of Debian 12", disk=True),
    Row("dracut without a way to a disk", SH | {"init": b"x",
        "lib/dracut/hooks/cmdline/30.sh": b"x"}, False, "rootfs-block", "modules.d/95rootfs-block",
        disk=True),
    Row("mkinitcpio", MKINITCPIO, True, "made by mkinitcpio", "init, default_mount_handler"),
    Row("mkinitcpio, nothing loads virtio_pci", MKINITCPIO | {"config": b'MODULES=""\n'}, False,
        "nothing loads virtio_pci", "init: modprobe $MODULES, or the hook udev"),
    Row("mkinitcpio before an absolute link", MKINITCPIO, False, "/sbin/init -> /lib/systemd",
        "init: [ ! -x /new_root/sbin/init ]", init="/absolute"),
    Row("systemd 252", SYSTEMD | {"usr/lib/systemd/libsystemd-shared-252.so": b"x"}, False,
        "systemd 252", "systemd issue 16288"),
    Row("systemd 257", SYSTEMD | {"usr/lib/systemd/libsystemd-shared-257.9.so": b"x"}, True,
        "made by systemd", "systemd NEWS, 254"),
    Row("systemd 252 for a disk", SYSTEMD | {"usr/lib/systemd/libsystemd-shared-252.so": b"x"},
        True, "made by systemd", "fstab-generator", disk=True),
    Row("systemd without its generator", SYSTEMD, False, "fstab generator", "fstab-generator",
        without=("usr/lib/systemd/system-generators/systemd-fstab-generator",)),
    Row("booster", {"init": program(), "etc/booster.init.yaml": b"x"}, False, "block devices",
        "init/deviceref.go, parseDeviceRef"),
    Row("booster for a disk", {"init": program(), "etc/booster.init.yaml": b"x"}, True,
        "made by booster", "init/deviceref.go", disk=True),
    Row("tiny-initramfs", {"init": program() + b"(only /dev/, 0xMAJMIN and UUID= are supported)"},
        False, "block devices", "tiny_initramfs.c"),
    Row("an /init of one's own", SH | {"init": HAND}, True, "an unknown program",
        "read; its like is booted by tests/real/test_arch.py"),
    Row("one with a list of modules", SH | {"list": b"a/virtio_pci.ko\na/virtiofs.ko\n",
        "init": HAND.replace(b"modprobe virtio_pci\nmodprobe virtiofs", b"load </list")},
        True, "an unknown program", "tests/real/test_arch.py"),
    Row("one for another root", SH | {"init": b"#!/bin/sh\nmount /dev/sda1 /new\n"}, False,
        "does not mount a virtiofs", "read"),
    Row("one that loads no driver", SH | {"init": HAND.replace(b"modprobe virtio_pci\n", b"")},
        False, "does not load virtio_pci", "read"),
    Row("one that reads a file", SH | {"init": b"#!/bin/sh\nudevd\n. /fs\n", "fs": b"T=virtiofs"},
        True, "an unknown program", "NixOS's stage-1-init.sh"),
]  # fmt: skip
