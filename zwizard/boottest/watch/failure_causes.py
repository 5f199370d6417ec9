"""Why a machine did not come up, in plain words, with the rule that would have caught it."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class BootFailureCause:
    """What went wrong: the stage it kept from passing, a sentence, and a rule's slug or ""."""

    stage: str
    said: str
    rule: str = ""


Table = tuple[tuple[re.Pattern[str], BootFailureCause], ...]


def table(*rows: tuple[str, str, str, str]) -> Table:
    """Causes by what shows them: pattern, stage, sentence, rule.

    The first that matches wins, so what is particular stands before what is general.
    """
    return tuple(
        (re.compile(pattern, re.MULTILINE), BootFailureCause(stage, said, rule))
        for pattern, stage, said, rule in rows
    )


_CAUSES = table(
    (
        r"without PVH ELF Note|KernelMissingPvhHeader",
        "kernel",
        "The kernel is an ELF without the PVH entry by which the hypervisor starts it.",
        "kernel-pvh",
    ),
    (
        r"Error loading (?:uncompressed )?kernel|could not load kernel|"
        r"linux kernel too old|invalid kernel header|Invalid ELF",
        "kernel",
        "The file at /boot/vmlinuz is not a kernel that can be started.",
        "kernel-elf",
    ),
    (
        r"virtio-?fs: tag <\S+> not found",
        "root",
        "The initramfs has virtiofs, but not virtio_pci: it does not see the device that the"
        " root comes over.",
        "initrd-virtio-pci",
    ),
    (
        r"mount(?:ing)?:? (?:mounting )?vroot .*No such device"
        r"|unknown filesystem type '?virtiofs|Unknown filesystem 'virtiofs'",
        "root",
        "The initramfs cannot mount virtiofs, the only way to the root: its module is neither"
        " in it nor in the kernel.",
        "initrd-virtiofs",
    ),
    (
        r"(?:mount(?:ing)?:? (?:mounting )?vroot .*(?:Invalid argument|No such file))",
        "root",
        "The initramfs has virtiofs and does not see its device: the driver virtio_pci is"
        " missing.",
        "initrd-virtio-pci",
    ),
    (
        r"Requested init \S+ failed|Failed to execute (?!/init)\S+ \(error",
        "init",
        "The entrypoint of the deployment (init=) cannot be started in this image.",
        "entrypoint",
    ),
    (
        r"VFS: Cannot open root device \"?vroot|VFS: Unable to mount root fs",
        "root",
        "The kernel mounts its root alone, for lack of a usable initramfs, and has no virtiofs"
        " built in.",
        "initrd-resolves",
    ),
    (
        r"Initramfs unpacking failed|junk (?:at the end of|in) compressed archive",
        "root",
        "The kernel cannot unpack /boot/initrd.img.",
        "initrd-readable",
    ),
    (
        r"VFS: Cannot open root device",
        "root",
        "The kernel does not find the root that its command line names.",
        "grub-cmdline",
    ),
    (
        r"ALERT! .* does not exist|Timed out waiting for device .*root",
        "root",
        "The initramfs waits for a root device that this machine does not have.",
        "grub-cmdline",
    ),
    (
        r"No init found\. Try passing init=|No working init found"
        r"|switch_root: (?:can't execute|failed to execute)"
        r"|Target filesystem doesn't have (?:requested )?/"
        r"|run-init: can't execute '/sbin/init'|can't access tty; job control turned off",
        "init",
        "The root is mounted, and there is no program at its /sbin/init.",
        "init-present",
    ),
    (
        r"Attempted to kill init!",
        "init",
        "The init system was started and ended, which a kernel does not survive.",
        "init-present",
    ),
    (
        r"(?:You are in|[Ee]ntering) emergency mode|for maintenance\b|root account is locked",
        "init",
        "systemd gave up and went into its emergency mode: most often a file system of"
        " /etc/fstab did not come.",
        "fstab",
    ),
    (
        r">>Start PXE|BdsDxe: No bootable option|^Shell>|failed to load Boot\S+ .*Not Found",
        "kernel",
        "The firmware finds nothing to start on the disk: no EFI system partition with"
        " /EFI/BOOT/BOOTX64.EFI.",
        "esp-loader",
    ),
    (
        r"^grub(?: rescue)?>|error: (?:no such device|unknown filesystem|no such partition)",
        "kernel",
        "GRUB is started and does not find its configuration or its kernel.",
        "grub-kernel",
    ),
    (
        r"Invalid MAC address",
        "network",
        "cloud-init could not read the network's settings.",
        "network-renderer",
    ),
    (
        r"Out of memory: Killed|System is deadlocked on memory",
        "init",
        "The machine's memory (1 GiB) did not suffice.",
        "",
    ),
)

NO_CONSOLE = BootFailureCause(
    "kernel",
    "Nothing was printed on the serial console: the kernel did not start, or has no 8250 console"
    " built in.",
    "kernel-drivers",
)
NO_CLOUD_INIT = BootFailureCause(
    "cloud-init",
    "The machine is up, and cloud-init did not run: without it there is no address, no host name"
    " and no key.",
    "cloud-init-enabled",
)
NO_NETWORK = BootFailureCause(
    "login",
    "cloud-init is over, and no SSH server answers at the address that it was given.",
    "network-renderer",
)
NO_LOGIN = BootFailureCause(
    "login",
    "The SSH server does not let root in with the deployment's key.",
    "ssh-server",
)
NO_SHUTDOWN = BootFailureCause("shutdown", "It was told to power off, and did not.", "")
RESET = BootFailureCause("kernel", "The machine reset itself without a word about why.", "")


def diagnose(shown: str, known: Table = _CAUSES) -> tuple[BootFailureCause, str] | None:
    """The cause that a console, or what QEMU said, shows, and the line that shows it."""
    for pattern, cause in known:
        if found := pattern.search(shown):
            begin = shown.rfind("\n", 0, found.start()) + 1
            return cause, shown[begin:].partition("\n")[0]
    return None
