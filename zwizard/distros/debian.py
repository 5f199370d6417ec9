"""Debian: bookworm and trixie."""

from __future__ import annotations

from zwizard.distros.distro import Distro, Kernel, Suite

DEBIAN = Distro(
    name="debian",
    title="Debian",
    suites=(
        Suite("bookworm", "bookworm (12)", epoch=1_686_355_200),  # 2023-06-10
        Suite("trixie", "trixie (13)", epoch=1_754_697_600),  # 2025-08-09
    ),
    kernels=(
        Kernel("linux-image-cloud-amd64", "cloud: small, made for virtual machines"),
        Kernel("linux-image-amd64", "generic: every driver, for passed-through devices"),
    ),
    bootstraps=("mmdebstrap", "debootstrap"),
    vm_packages=(
        "cloud-init",
        "openssh-server",
        "curl",
        "netplan.io",
        "tzdata",
        "lz4",
        "xz-utils",
        "zstd",
    ),
    minimal_packages=("init", "dbus", "iproute2", "netbase", "udev"),
)
