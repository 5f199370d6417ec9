"""Arch Linux, of which the Zmachine guide makes its image: a rolling release without suites."""

from zwizard.distros.base import COMMON_UNITS, Distro, KernelPackage, Keyring, Suite, own_services

# The guide enables cloud-init, which is called cloud-init-network since 24.3; without its main
# service the others wait for ever.
_CLOUD_INIT = (
    "cloud-init-main",
    "cloud-init-local",
    "cloud-init-network",
    "cloud-config",
    "cloud-final",
)

ARCH = Distro(
    name="arch",
    title="Arch Linux",
    means="The Zmachine guide's choice for a disk image. No releases: the newest of everything.",
    rank=3,
    family="pacman",
    # Without a release there is no date of one; this caps the time stamps.
    suites=(Suite("", "rolling", epoch=1_767_225_600),),  # 2026-01-01
    kernels=(
        KernelPackage("linux", "Arch's own: the newest, with every driver"),
        KernelPackage("linux-lts", "long-term: changes less from month to month"),
    ),
    bootstraps=("pacman", "pacstrap"),
    vm_packages=("cloud-init", "openssh", "mkinitcpio", "xz", "zstd"),
    minimal_packages=(),
    standard_packages=("linux-firmware", "vim"),  # as in the guide
    image_packages=(
        "openssh",
        "cloud-init",
        "cloud-guest-utils",
        "grub",
        "mkinitcpio",
        "zstd",
        "e2fsprogs",
        "dosfstools",
    ),
    vm_services=("sshd", "systemd-networkd", *_CLOUD_INIT),
    image_services=("sshd", "systemd-networkd", "systemd-resolved", *_CLOUD_INIT),
    esp_mount="/boot",
    components=("core", "extra"),
    # The master keys (archlinux.org/master-keys): a packager's key signed by three is trusted.
    keyring=Keyring(
        "archlinux",
        "archlinux-keyring",
        (
            "2AC0A42EFB0B5CBC7A0402ED4DC95B6D7BE9892E",
            "3572FA2A1B067F22C58AF155F8B821B42A6FDCD7",
            "69E6471E3AE065297529832E6BA0F5A2037F4F41",
            "99B6618472A3B3B814185BAED7D3D823B88BDB9B",
            "D8AFDDA07A5B6EDFA7D8CCDAD6D055F927843F1C",
        ),
    ),
    units={
        "": ("fstrim.timer", "systemd-timesyncd.service"),
        "openssh": ("sshd.service",),
        "apache": ("httpd.service",),
        "bind": ("named.service",),
        "chrony": ("chronyd.service",),
        "docker": ("docker.service", "docker.socket"),
        "nfs-utils": ("nfs-server.service",),
        "podman": ("podman.socket",),
        "samba": ("smb.service", "nmb.service"),
        **own_services("cronie", "mariadb", "rabbitmq", "valkey"),
        **COMMON_UNITS,
    },
)
