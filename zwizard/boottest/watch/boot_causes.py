"""Known causes of a failed boot test: what shows them, and the rule that would have failed."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class BootFailureCause:
    """Why a boot failed: the stage that did not pass, a sentence, and a rule's slug or ""."""

    stage: str
    message: str
    rule: str = ""


Table = tuple[tuple[re.Pattern[str], BootFailureCause], ...]


def table(*rows: tuple[str, str, str, str]) -> Table:
    """Causes by the pattern that shows them: pattern, stage, sentence, rule.

    The first match wins, so special causes come before general ones.
    """
    return tuple(
        (re.compile(pattern, re.MULTILINE), BootFailureCause(stage, message, rule))
        for pattern, stage, message, rule in rows
    )


_CAUSES = table(
    (
        r"without PVH ELF Note|KernelMissingPvhHeader",
        "kernel",
        "The kernel is an ELF without the PVH entry point that the hypervisor uses.",
        "kernel-pvh",
    ),
    (
        r"Error loading (?:uncompressed )?kernel|could not load kernel|"
        r"linux kernel too old|invalid kernel header|Invalid ELF",
        "kernel",
        "The file at /boot/vmlinuz is not a bootable kernel.",
        "kernel-elf",
    ),
    (
        r"virtio-?fs: tag <\S+> not found",
        "root",
        "The initramfs has virtiofs, but not virtio_pci, and cannot find the root's device.",
        "initrd-virtio-pci",
    ),
    (
        r"mount(?:ing)?:? (?:mounting )?vroot .*No such device"
        r"|unknown filesystem type '?virtiofs|Unknown filesystem 'virtiofs'",
        "root",
        "The initramfs cannot mount the root over virtiofs: the module is neither in it nor in"
        " the kernel.",
        "initrd-virtiofs",
    ),
    (
        r"(?:mount(?:ing)?:? (?:mounting )?vroot .*(?:Invalid argument|No such file))",
        "root",
        "The initramfs has virtiofs, but cannot find its device: virtio_pci is missing.",
        "initrd-virtio-pci",
    ),
    (
        r"Requested init \S+ failed|Failed to execute (?!/init)\S+ \(error",
        "init",
        "The entrypoint of the deployment (init=) cannot be started.",
        "entrypoint",
    ),
    (
        r"VFS: Cannot open root device \"?vroot|VFS: Unable to mount root fs",
        "root",
        "There is no usable initramfs, and the kernel has no virtiofs built in to mount the root.",
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
        "The kernel cannot find the root device of its command line.",
        "grub-cmdline",
    ),
    (
        r"ALERT! .* does not exist|Timed out waiting for device .*root",
        "root",
        "The initramfs waits for a root device that does not exist.",
        "grub-cmdline",
    ),
    (
        r"No init found\. Try passing init=|No working init found"
        r"|switch_root: (?:can't execute|failed to execute)"
        r"|Target filesystem doesn't have (?:requested )?/"
        r"|run-init: can't execute '/sbin/init'|can't access tty; job control turned off",
        "init",
        "The root is mounted, but /sbin/init is missing or cannot run.",
        "init-present",
    ),
    (
        r"Attempted to kill init!",
        "init",
        "The init system started and exited, which stops the kernel.",
        "init-present",
    ),
    (
        r"(?:You are in|[Ee]ntering) emergency mode|for maintenance\b|root account is locked",
        "init",
        "systemd entered emergency mode, usually because a file system in /etc/fstab could not be"
        " mounted.",
        "fstab",
    ),
    (
        r">>Start PXE|BdsDxe: No bootable option|^Shell>|failed to load Boot\S+ .*Not Found",
        "kernel",
        "The firmware finds no boot loader: an EFI system partition with /EFI/BOOT/BOOTX64.EFI is"
        " missing.",
        "esp-loader",
    ),
    (
        r"^grub(?: rescue)?>|error: (?:no such device|unknown filesystem|no such partition)",
        "kernel",
        "GRUB started, but cannot find its configuration or a kernel.",
        "grub-kernel",
    ),
    (
        r"Invalid MAC address",
        "network",
        "cloud-init could not read the network settings.",
        "network-renderer",
    ),
    (
        r"Out of memory: Killed|System is deadlocked on memory",
        "init",
        "The machine ran out of memory (1 GiB).",
        "",
    ),
)

NO_CONSOLE = BootFailureCause(
    "kernel",
    "Nothing was printed on the serial console: the kernel did not start, or has no built-in 8250"
    " console.",
    "kernel-drivers",
)
NO_CLOUD_INIT = BootFailureCause(
    "cloud-init",
    "The machine booted, but cloud-init did not run: address, host name and SSH key are missing.",
    "cloud-init-enabled",
)
NO_NETWORK = BootFailureCause(
    "login",
    "cloud-init finished, but no SSH server answers at the machine's address.",
    "network-renderer",
)
NO_LOGIN = BootFailureCause("login", "The SSH server refuses root's key.", "ssh-server")
NO_SHUTDOWN = BootFailureCause("shutdown", "The machine did not power off when asked to.")
RESET = BootFailureCause("kernel", "The machine reset itself without printing a reason.")


def diagnose(output: str, causes: Table = _CAUSES) -> tuple[BootFailureCause, str] | None:
    """The cause that the output of the console or of QEMU shows, and the line that shows it."""
    for pattern, cause in causes:
        if found := pattern.search(output):
            begin = output.rfind("\n", 0, found.start()) + 1
            return cause, output[begin:].partition("\n")[0]
    return None
