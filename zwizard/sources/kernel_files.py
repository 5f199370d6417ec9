"""The user's own kernel and its initramfs: what their files are."""

from pathlib import Path

from zwizard.image.executables.initramfs import read_initramfs
from zwizard.image.executables.kernel import read_kernel
from zwizard.sources.base import InputReport
from zwizard.util.text import one_line, size


def inspect_kernel(file: Path) -> InputReport:
    """Whether ``file`` is a kernel that Zero-OS starts; raises OSError."""
    if file.is_dir():
        return InputReport(wrong="a directory; a kernel is one file")
    with file.open("rb") as opened:
        kernel = read_kernel(opened)
    version = f"Linux {kernel.version}" if kernel.version else "a kernel of unknown version"
    if kernel.bzimage:
        return InputReport(f"{version}, compressed: it is unpacked to ELF")
    if kernel.fault:
        return InputReport(wrong=f"it is {kernel.description} that cannot start: {kernel.fault}")
    if kernel.elf is None:
        return InputReport(wrong=f"it is {kernel.description}, and no kernel for x86-64")
    if kernel.elf.truncated:
        return InputReport(wrong=f"truncated: more belongs to it than its {kernel.elf.size} bytes")
    if kernel.pvh is None:
        wrong = (
            "it has no PVH entry (a Xen note), which Zero-OS starts: build it with CONFIG_PVH=y"
        )
        return InputReport(wrong=wrong)
    return InputReport(f"{version}, an ELF with the PVH entry that Zero-OS starts")


def inspect_initrd(file: Path) -> InputReport:
    """Whether ``file`` is an initramfs, and which modules it lacks; raises OSError."""
    if file.is_dir():
        return InputReport(wrong="a directory; an initramfs is one file")
    with file.open("rb") as opened:
        initramfs = read_initramfs(opened)
        initramfs.close()
    if initramfs.fault and not initramfs.bounded:
        return InputReport(wrong=one_line(initramfs.fault))
    if not initramfs.count and not initramfs.fault:
        return InputReport(wrong=one_line(initramfs.ignored or "it has no files"))
    there = set[str]().union(*initramfs.modules.values())
    missing = [name for name in ("virtiofs", "virtio_pci") if name not in there]
    summary = f"an initramfs, {size(file.stat().st_size)}"
    if missing:
        summary += f" without {' and '.join(missing)}, which the kernel must have built in"
    return InputReport(summary)
