"""The page "Disk": how a disk image is divided."""

from zwizard.wizard.questions.record import Choice, Page, Question, RawAnswers, distro_of

_MOUNTS = {
    "/boot": "As in the guide; kernels are then on FAT, where dpkg cannot upgrade them.",
    "/boot/efi": "The kernels stay in the root file system.",
}


def _mounts(answers: RawAnswers) -> tuple[Choice, ...]:
    distro = distro_of(answers)
    others = (item for item in _MOUNTS.items() if item[0] != distro.esp_mount)
    return (
        Choice("", distro.esp_mount, f"The default for {distro.title}."),
        *(Choice(path, path, means) for path, means in others),
    )


PAGE = Page(
    "disk",
    "Disk",
    "How is the disk divided?",
    (
        Question(
            "disk.size",
            "text",
            "Small is better: at the first start, cloud-init grows the root to the size of the"
            " rented disk.",
            guide="Disk of about 2GB … The smaller the disk is better",
            example="2GiB",
        ),
        Question(
            "disk.esp_size",
            "text",
            "The EFI system partition holds GRUB, and the kernels too if it is /boot.",
            guide="an esp (boot) partition of 100M",
            example="100MiB",
        ),
        Question(
            "disk.esp_mount",
            "choice",
            "dpkg cannot upgrade a kernel on FAT, so Debian and Ubuntu keep /boot in the root file"
            " system.",
            guide="mount /dev/vda1 /mnt/boot",
            choices=_mounts,
            resets=True,
        ),
        Question(
            "disk.label",
            "text",
            "The root is mounted by UUID; the label is informative.",
            guide="mkfs.ext4 -L cloud-root",
            example="cloud-root",
        ),
    ),
)
