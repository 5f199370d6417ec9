"""Debian: bookworm and trixie."""

from zwizard.distros.base import COMMON_UNITS, Distro, KernelPackage, Suite, own_services

DEBIAN = Distro(
    name="debian",
    title="Debian",
    means="Stable releases and a small kernel made for virtual machines.",
    rank=1,
    suites=(
        Suite("bookworm", "bookworm (12)", epoch=1_686_355_200),  # 2023-06-10
        Suite("trixie", "trixie (13)", epoch=1_754_697_600),  # 2025-08-09
    ),
    kernels=(
        KernelPackage("linux-image-cloud-amd64", "cloud: small, made for virtual machines"),
        KernelPackage("linux-image-amd64", "generic: every driver, for passed-through devices"),
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
    image_packages=(
        "cloud-init",
        "cloud-guest-utils",  # growpart: the root takes the whole disk
        "openssh-server",
        "curl",
        "netplan.io",
        "systemd-resolved",
        "tzdata",
        "e2fsprogs",
        "dosfstools",
        "fdisk",
        "grub-efi-amd64",
        "zstd",
    ),
    image_services=(
        "ssh",
        "systemd-networkd",
        "systemd-resolved",
        "cloud-init",
        "cloud-final",
    ),
    shown_by={
        "init": "/sbin/init",
        "dbus": "/usr/bin/dbus-daemon /usr/bin/dbus-broker",
        "iproute2": "/sbin/ip /bin/ip",
        "udev": "/usr/bin/udevadm /bin/udevadm",
        "initramfs-tools": "/usr/sbin/update-initramfs /usr/lib/dracut/modules.d/*virtiofs",
        "cloud-init": "/usr/bin/cloud-init",
        "openssh-server": "/usr/sbin/sshd",
        "netplan.io": "/usr/sbin/netplan /sbin/ifup /usr/sbin/NetworkManager",
        "systemd-resolved": "/lib/systemd/systemd-resolved",
        "cloud-guest-utils": "/usr/bin/growpart",
        "e2fsprogs": "/sbin/fsck.ext4",
        "dosfstools": "/sbin/fsck.vfat",
        "grub-efi-amd64": "/usr/lib/grub/x86_64-efi/normal.mod",
    },
    # Not /boot: dpkg cannot upgrade a kernel on FAT.
    esp_mount="/boot/efi",
    units={
        "": ("fstrim.timer",),
        "openssh-server": ("ssh.service",),
        "bind9": ("named.service",),
        "docker.io": ("docker.service", "docker.socket"),
        "mariadb-server": ("mariadb.service",),
        "nfs-kernel-server": ("nfs-server.service",),
        "podman": ("podman.socket",),
        "samba": ("smbd.service", "nmbd.service"),
        **own_services(
            "apache2",
            "chrony",
            "cron",
            "openvpn",
            "rabbitmq-server",
            "redis-server",
            "rsyslog",
            "systemd-timesyncd",
            "unattended-upgrades",
        ),
        **COMMON_UNITS,
    },
)
