"""Ubuntu: jammy, which the Zmachine guide uses, and noble."""

from zwizard.distros.base import Distro, KernelPackage, Keyring, Suite
from zwizard.distros.debian import DEBIAN

UBUNTU = Distro(
    name="ubuntu",
    title="Ubuntu",
    means="The Zmachine guide's choice for a VM with its own kernel.",
    rank=2,
    suites=(
        Suite("jammy", "jammy (22.04)", epoch=1_650_499_200),  # 2022-04-21
        Suite(
            "noble",
            "noble (24.04)",
            epoch=1_714_003_200,  # 2024-04-25
            image_packages=("systemd-resolved",),  # in jammy, a part of systemd
        ),
    ),
    kernels=(
        KernelPackage("linux-image-virtual", "virtual: small, made for virtual machines"),
        KernelPackage("linux-image-generic", "generic: more drivers"),
        KernelPackage("linux-modules-extra-5.15.0-25-generic", "the guide's choice, for jammy"),
    ),
    bootstraps=DEBIAN.bootstraps,
    vm_packages=DEBIAN.vm_packages,
    # The kernel only recommends the tools for its initramfs; a hook of these needs dumpe2fs.
    minimal_packages=(*DEBIAN.minimal_packages, "initramfs-tools", "e2fsprogs"),
    image_packages=tuple(name for name in DEBIAN.image_packages if name != "systemd-resolved"),
    image_services=DEBIAN.image_services,
    esp_mount=DEBIAN.esp_mount,
    mirror="http://archive.ubuntu.com/ubuntu",  # as in the guide
    components=("main", "universe"),
    # The archive's keys of 2012 and 2018.
    keyring=Keyring(
        "ubuntu-archive-keyring.gpg",
        "ubuntu-keyring",
        (
            "790BC7277767219C42C86F933B4FE6ACC0B21F32",
            "F6ECB3762474EDA9D21B7022871920D1991BC93C",
        ),
    ),
    shown_by=DEBIAN.shown_by,
    units=DEBIAN.units,
)
