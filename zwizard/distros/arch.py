"""Arch Linux, which the document makes its image of: it rolls, so that there are no suites."""

from __future__ import annotations

from zwizard.distros.base import Distro, KernelPackage, Keyring, Suite

# The document says cloud-init, which is called cloud-init-network since 24.3; without its main
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
    means="The document's own choice for a disk image. No releases: the newest of everything.",
    rank=3,
    family="pacman",
    # No release, so no date of one: this caps the time stamps of what is packaged later.
    suites=(Suite("", "rolling", epoch=1_767_225_600),),  # 2026-01-01
    kernels=(
        KernelPackage("linux", "Arch's own: the newest, with every driver"),
        KernelPackage("linux-lts", "long-term: changes less from month to month"),
    ),
    bootstraps=("pacman", "pacstrap"),
    vm_packages=("cloud-init", "openssh", "mkinitcpio", "xz", "zstd"),
    minimal_packages=(),
    standard_packages=("linux-firmware", "vim"),  # as in the document
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
    # The master keys (archlinux.org/master-keys), which vouch for the packagers': three of them
    # are enough.
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
        "caddy": ("caddy.service",),
        "chrony": ("chronyd.service",),
        "cronie": ("cronie.service",),
        "dnsmasq": ("dnsmasq.service",),
        "docker": ("docker.service", "docker.socket"),
        "fail2ban": ("fail2ban.service",),
        "haproxy": ("haproxy.service",),
        "lighttpd": ("lighttpd.service",),
        "mariadb": ("mariadb.service",),
        "memcached": ("memcached.service",),
        "mosquitto": ("mosquitto.service",),
        "nfs-utils": ("nfs-server.service",),
        "nftables": ("nftables.service",),
        "nginx": ("nginx.service",),
        "podman": ("podman.socket",),
        "postfix": ("postfix.service",),
        "postgresql": ("postgresql.service",),
        "prometheus": ("prometheus.service",),
        "prometheus-node-exporter": ("prometheus-node-exporter.service",),
        "qemu-guest-agent": ("qemu-guest-agent.service",),
        "rabbitmq": ("rabbitmq.service",),
        "samba": ("smb.service", "nmb.service"),
        "squid": ("squid.service",),
        "tor": ("tor.service",),
        "unbound": ("unbound.service",),
        "valkey": ("valkey.service",),
    },
)
