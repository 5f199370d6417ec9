"""The page "Kernel": the distribution's package, or the user's own files."""

from zwizard import distros
from zwizard.wizard.questions.record import (
    Choice,
    Page,
    Question,
    RawAnswers,
    distro_of,
    is_installed,
)


def _has_own(answers: RawAnswers) -> bool:
    return bool(answers.get("kernel.file", "").strip())


def _packages(answers: RawAnswers) -> tuple[Choice, ...]:
    kernels = distro_of(answers).kernels
    first, others = kernels[0], kernels[1:]
    own = answers.get("kernel.package", "")
    packaged = {k.package for distro in distros.KNOWN.values() for k in distro.kernels}
    return (
        Choice("", f"{first.package} ({first.title})", "Recommended for a VM."),
        *(Choice(kernel.package, f"{kernel.package} ({kernel.title})") for kernel in others),
        *([Choice(own, own, "From your recipe.")] if own and own not in packaged else []),
    )


PAGE = Page(
    "kernel",
    "Kernel",
    "Which kernel does it boot?",
    (
        Question(
            "kernel.package",
            "choice",
            "For a VM with its own kernel it is unpacked to ELF, which Zero-OS starts by its Xen"
            " note (PVH; `readelf -n` shows it). In a disk image GRUB starts it as it is.",
            guide="the vmlinuz MUST be an EFI kernel (not compressed)",
            choices=_packages,
            when=lambda answers: is_installed(answers) and not _has_own(answers),
            resets=True,
        ),
        Question(
            "kernel.file",
            "text",
            "Optional; a file or a URL: an ELF, or a bzImage, which is unpacked to one. It"
            " replaces the distribution's kernel; its modules must be in its initramfs or built"
            " in.",
            guide="If you need control over the kernel you can actually still provide it inside"
            " the flist",
            label="Or your own kernel",
            example="vmlinuz",
        ),
        Question(
            "kernel.initrd",
            "text",
            "Optional. Without it the kernel must have virtiofs and virtio_pci built in to reach"
            " its root file system.",
            guide="/boot/initrd.img [optional]",
            label="Its initramfs",
            when=_has_own,
            example="initrd.img",
        ),
        Question(
            "kernel.modules",
            "list",
            "The root file system of a VM is on virtiofs, and virtiofs on PCI: without both"
            " modules the kernel panics. A disk image gets the drivers of its disk in addition.",
            guide="make sure that virtiofs is part of the initramfs image",
            example="virtiofs virtio_pci",
            when=lambda answers: not _has_own(answers),
        ),
    ),
)
