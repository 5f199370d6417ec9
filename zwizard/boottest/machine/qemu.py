"""The virtual machine of a node, as command lines for QEMU and virtiofsd."""

from dataclasses import dataclass
from ipaddress import IPv4Interface
from typing import Literal

Accelerator = Literal["kvm", "tcg"]

TAG = "vroot"  # of the root file system, as in Zero-OS
MAC = "54:43:83:13:37:01"
NETWORK = IPv4Interface("10.1.3.0/24")
GATEWAY = "10.1.3.1"
# Not the address that QEMU's DHCP gives: a guest that has it has read the seed.
ADDRESS = IPv4Interface("10.1.3.77/24")

# Names in the working directory, in which both programs run: a socket's path must be short.
KERNEL_SOCKET = "root.sock"
CONTROL = "control.sock"
CONSOLE = "console.log"
REPORT = "report.log"  # of the observer in a container, on the second serial line
SEED = "seed.img"
DISK = "disk.raw"
FIRMWARE_STATE = "firmware-state.fd"

_FORWARD = f",hostfwd=tcp:127.0.0.1:0-{ADDRESS.ip}:22"
_MEMORY = 1024  # MiB; what Zero-OS's own debug script takes, as is the one processor


def cpu(accelerator: Accelerator) -> str:
    """The processor: the host's, or the emulation with most of its features.

    Without erms and fsrm Linux avoids string instructions, which the emulation executes byte by
    byte: a boot takes two thirds of the time.
    """
    return "host" if accelerator == "kvm" else "max,erms=off,fsrm=off"


@dataclass(frozen=True)
class Direct:
    """A kernel that QEMU boots: paths in the working directory; ``initrd`` may be ""."""

    kernel: str
    initrd: str
    entrypoint: str = ""

    def cmdline(self) -> str:
        """The kernel command line (zosbase, pkg/vm/manager.go, in random order)."""
        init = f" init={self.entrypoint}" if self.entrypoint else ""
        return (
            "rw console=ttyS0 reboot=k panic=1 boot.shell_on_fail"
            f" root={TAG} rootfstype=virtiofs rootdelay=30{init}"
        )


@dataclass(frozen=True)
class Firmware:
    """A disk that UEFI boots: the path of the firmware's code."""

    code: str


@dataclass(frozen=True)
class Machine:
    """A machine with one processor and the virtio devices of a node's VMs."""

    accelerator: Accelerator
    boots: Direct | Firmware
    observed: bool = False  # a container, with an observer on the second serial line

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
            # Port 0 is a free one; QMP returns its number.
            *("-netdev", f"user,id=net,ipv6=off,net={NETWORK.network},host={GATEWAY}{_FORWARD}"),
            *("-device", f"virtio-net-pci,netdev=net,mac={MAC},romfile="),
            *("-chardev", f"file,id=console,path={CONSOLE}", "-serial", "chardev:console"),
            *(("-chardev", f"file,id=report,path={REPORT}") if self.observed else ()),
            *(("-serial", "chardev:report") if self.observed else ()),
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
        """How this machine differs from a node's, in sentences for the report."""
        shared = "The network is QEMU's: one address, no IPv6, no Mycelium, no WireGuard."
        if isinstance(self.boots, Firmware):
            return (
                "QEMU and OVMF replace cloud-hypervisor and rust-hypervisor-firmware, which"
                " supports less of UEFI: GRUB of Ubuntu newer than 20.04 is known to fail there,"
                " even if it passes this boot test.",
                shared,
            )
        if self.observed:
            return (
                "QEMU replaces cloud-hypervisor 39; Debian's cloud kernel 6.1 and an init of"
                " zwizard's replace Zero-OS's kernel 6.1.21 and init, which are not available"
                " here. Zero-OS's kernel has no modules.",
                "No disks are mounted, and variables without a value in the recipe get a dummy"
                " value.",
                "A process outside the entrypoint's root observes it.",
                shared,
            )
        return (
            "QEMU replaces cloud-hypervisor 39. Both start an ELF kernel by its PVH entry; QEMU"
            " also starts compressed kernels.",
            shared,
        )


def virtiofsd(program: str, shared: str, *, rust: bool) -> tuple[str, ...]:
    """virtiofsd's command line: it shares the directory ``shared`` with extended attributes.

    ``rust``: the newer program of that name, which has other options than QEMU's.
    """
    # With the usual limit of 1024 open files every service fails after a minute.
    common = (program, f"--socket-path={KERNEL_SOCKET}", "--rlimit-nofile=0")
    if rust:
        return (*common, "--sandbox=chroot", "--xattr", "--shared-dir", shared)
    return (*common, "-o", f"source={shared}", "-o", "xattr", "-o", "sandbox=chroot")


def _drive(name: str, file: str, more: str = "") -> tuple[str, ...]:
    drive = f"if=none,id={name},format=raw,file={file}{more}"
    return ("-drive", drive, "-device", f"virtio-blk-pci,drive={name}")


def _escaped(path: str) -> str:
    """A path escaped for QEMU's option lists."""
    return path.replace(",", ",,")
