"""The kernel and its initramfs, as Zero-OS wants them."""

from __future__ import annotations

from importlib import resources

from zwizard.plan.actions import Append, Chroot, Link, Write
from zwizard.plan.step import Step
from zwizard.recipe import Recipe

_MIB = 2**20
_HOOK = "/etc/kernel/postinst.d/zz-zos-kernel"

# A disk image's root is ext4 on a virtio disk, whatever else was asked for.
_DISK_MODULES = ("virtio_blk", "ext4", "crc32c")

# zstd at a low level is read as fast, and made faster.
_CONFIGURATION = "MODULES=list\nCOMPRESS=zstd\nCOMPRESSLEVEL=1\n"


def initramfs(recipe: Recipe) -> Step:
    """An initramfs with the modules that reach the root file system."""
    names = (*recipe.kernel.modules, *(_DISK_MODULES if recipe.target == "image" else ()))
    modules = "".join(f"{module}\n" for module in names)
    return Step(
        "initramfs",
        "Make the initramfs, with " + " and ".join(names or ("nothing added",)),
        (
            '"make sure that virtiofs is part of the initramfs image"',
            "Only what it takes to reach the root file system, which has every module: the machine"
            " starts sooner.",
        ),
        (
            Append("/etc/initramfs-tools/modules", modules),
            Write("/etc/initramfs-tools/conf.d/zwizard", _CONFIGURATION),
            Chroot(("update-initramfs", "-c", "-k", "all")),
        ),
        answers=("kernel.modules",),
        size=20 * _MIB,
        document=(
            "echo 'fs-virtiofs' >> /etc/initramfs-tools/modules\nupdate-initramfs -c -k all"
        ),
    )


def kernel() -> Step:
    """The kernel unpacked to ELF and linked, now and at every later upgrade."""
    hook = resources.files("zwizard.plan").joinpath("files/zz-zos-kernel").read_text("utf-8")
    return Step(
        "kernel",
        "Unpack the kernel to ELF and link it in /boot",
        (
            '"the vmlinuz MUST be an EFI kernel (not compressed)"',
            '"If ZOS found the /boot/vmlinuz file, it will use this with the initrd.img"',
            "As a kernel hook it runs after every upgrade too, which else compresses it again.",
        ),
        (
            Write(_HOOK, hook, mode=0o755),
            Link("/etc/kernel/postrm.d/zz-zos-kernel", "../postinst.d/zz-zos-kernel"),
            Chroot((_HOOK,)),
        ),
        answers=(),
        size=60 * _MIB,
        document=(
            "sudo ./extract-vmlinux ubuntu:jammy/boot/vmlinuz |"
            " sudo tee ubuntu:jammy/boot/vmlinuz-5.15.0-25-generic.elf > /dev/null\n"
            "sudo mv ubuntu:jammy/boot/vmlinuz-5.15.0-25-generic.elf"
            " ubuntu:jammy/boot/vmlinuz-5.15.0-25-generic"
        ),
    )
