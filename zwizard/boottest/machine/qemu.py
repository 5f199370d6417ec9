"""The machine a node would make, as command lines for QEMU and virtiofsd; nothing runs here."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Interface
from typing import Literal

Accelerator = Literal["kvm", "tcg"]

TAG = "vroot"  # of the root file system, as Zero-OS names it
MAC = "54:43:83:13:37:01"
NETWORK = IPv4Interface("10.1.3.0/24")
GATEWAY = "10.1.3.1"
# Not the one that QEMU's DHCP would give: who has it has read the seed.
ADDRESS = IPv4Interface("10.1.3.77/24")

# Names in the working directory, in which both programs run: a socket's path must be short.
KERNEL_SOCKET = "root.sock"
CONTROL = "control.sock"
CONSOLE = "console.log"
TOLD = "told.log"  # what a container's watcher says, on the second serial line
SEED = "seed.img"
DISK = "disk.raw"
FIRMWARE_STATE = "firmware-state.fd"

_MEMORY = 1024  # MiB; what Zero-OS's own debug script takes, as is the one processor


def cpu(accelerator: Accelerator) -> str:
    """The processor: all of what the machine's own, or the emulation, can do.

    But for what only a real one does fast: told of these, Linux copies by string instructions,
    which emulation carries out byte by byte. A boot takes two thirds of the time without.
    """
    return "host" if accelerator == "kvm" else "max,erms=off,fsrm=off"


@dataclass(frozen=True)
class Direct:
    """A kernel that is started directly: files in the working directory, ``initrd`` or ""."""

    kernel: str
    initrd: str
    entrypoint: str = ""

    def cmdline(self) -> str:
        """The kernel command line (zosbase, pkg/vm/manager.go; its order is random there)."""
        init = f" init={self.entrypoint}" if self.entrypoint else ""
        return (
            "rw console=ttyS0 reboot=k panic=1 boot.shell_on_fail"
            f" root={TAG} rootfstype=virtiofs rootdelay=30{init}"
        )


@dataclass(frozen=True)
class Firmware:
    """A disk that UEFI starts: the firmware's code, its state being in the working directory."""

    code: str


@dataclass(frozen=True)
class Machine:
    """A machine of one processor with the virtio devices of a node's."""

    accelerator: Accelerator
    boots: Direct | Firmware
    watched: bool = False  # by somebody inside, who tells of it: a container

    def qemu(self, program: str) -> tuple[str, ...]:
        """QEMU's command line."""
        memory = f"memory-backend-memfd,id=memory,size={_MEMORY}M,share=on"
        return (
            program,
            *("-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"),
            *("-machine", f"q35,accel={self.accelerator},memory-backend=memory"),
            *("-cpu", cpu(self.accelerator)),
            *("-smp", "1", "-m", f"{_MEMORY}M", "-object", memory),
            *("-device", "virtio-rng-pci"),
            *self._boots(),
            *_drive("seed", SEED, ",readonly=on"),  # the last disk
            *("-netdev", f"user,id=net,{_user_network()}"),
            *("-device", f"virtio-net-pci,netdev=net,mac={MAC},romfile="),
            *("-chardev", f"file,id=console,path={CONSOLE}", "-serial", "chardev:console"),
            *(("-chardev", f"file,id=told,path={TOLD}") if self.watched else ()),
            *(("-serial", "chardev:told") if self.watched else ()),
            *("-qmp", f"unix:{CONTROL},server=on,wait=off"),
        )

    def _boots(self) -> tuple[str, ...]:
        if isinstance(self.boots, Firmware):
            code = f"if=pflash,format=raw,unit=0,readonly=on,file={_escaped(self.boots.code)}"
            state = f"if=pflash,format=raw,unit=1,file={FIRMWARE_STATE}"
            return ("-drive", code, "-drive", state, *_drive("disk", DISK))
        initrd = ("-initrd", self.boots.initrd) if self.boots.initrd else ()
        return (
            *("-kernel", self.boots.kernel, *initrd, "-append", self.boots.cmdline()),
            *("-chardev", f"socket,id=root,path={KERNEL_SOCKET}"),
            *("-device", f"vhost-user-fs-pci,chardev=root,tag={TAG}"),
        )

    def differs(self) -> tuple[str, ...]:
        """What of a node this machine is not, in sentences for the report."""
        shared = "The network is QEMU's own: one address, no IPv6, no Mycelium, no WireGuard."
        if isinstance(self.boots, Firmware):
            return (
                "QEMU and OVMF stand in for cloud-hypervisor and rust-hypervisor-firmware, which"
                " knows less of UEFI: GRUB of Ubuntu releases newer than 20.04 is known to fail"
                " there. A proof here does not show that it starts.",
                shared,
            )
        if self.watched:
            return (
                "QEMU stands in for cloud-hypervisor 39, Debian's cloud kernel 6.1 and an init of"
                " zwizard's for Zero-OS's own kernel 6.1.21 and its init, which do the same and"
                " are not to be had here. Zero-OS's kernel has no modules.",
                "No disks are mounted, and what has no value in the recipe has a made-up one.",
                "A process beside the entrypoint, outside of its root, watches it.",
                shared,
            )
        return (
            "QEMU stands in for cloud-hypervisor 39. Both start an ELF kernel by its PVH entry;"
            " QEMU starts a compressed one by another way than cloud-hypervisor does.",
            shared,
        )


def virtiofsd(program: str, shared: str, *, rust: bool) -> tuple[str, ...]:
    """virtiofsd's command line, sharing the directory ``shared`` with its extended attributes.

    ``rust``: the newer program of that name, which has other options than QEMU's own had.
    """
    # Without more files than the usual 1024 every service fails after a minute.
    common = (program, f"--socket-path={KERNEL_SOCKET}", "--rlimit-nofile=0")
    if rust:
        return (*common, "--sandbox=chroot", "--xattr", "--shared-dir", shared)
    return (*common, "-o", f"source={shared}", "-o", "xattr", "-o", "sandbox=chroot")


def _drive(name: str, file: str, more: str = "") -> tuple[str, ...]:
    drive = f"if=none,id={name},format=raw,file={file}{more}"
    return ("-drive", drive, "-device", f"virtio-blk-pci,drive={name}")


def _user_network() -> str:
    # Port 0 is a free one, which QEMU tells when it is asked.
    forward = f"tcp:127.0.0.1:0-{ADDRESS.ip}:22"
    return f"ipv6=off,net={NETWORK.network},host={GATEWAY},hostfwd={forward}"


def _escaped(path: str) -> str:
    """A path in one of QEMU's option lists."""
    return path.replace(",", ",,")
