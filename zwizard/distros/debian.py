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
        "initramfs-tools": "/usr/sbin/update-initramfs",
        "cloud-init": "/usr/bin/cloud-init",
        "openssh-server": "/usr/sbin/sshd",
        "netplan.io": "/usr/sbin/netplan /sbin/ifup /usr/sbin/NetworkManager",
    },
    # Not /boot: dpkg cannot upgrade a kernel on FAT.
    esp_mount="/boot/efi",
    units={
        "": ("fstrim.timer",),
        "openssh-server": ("ssh.service",),
        "apache2": ("apache2.service",),
        "bind9": ("named.service",),
        "caddy": ("caddy.service",),
        "chrony": ("chrony.service",),
        "cron": ("cron.service",),
        "dnsmasq": ("dnsmasq.service",),
        "docker.io": ("docker.service", "docker.socket"),
        "fail2ban": ("fail2ban.service",),
        "haproxy": ("haproxy.service",),
        "lighttpd": ("lighttpd.service",),
        "mariadb-server": ("mariadb.service",),
        "memcached": ("memcached.service",),
        "mosquitto": ("mosquitto.service",),
        "nfs-kernel-server": ("nfs-server.service",),
        "nginx": ("nginx.service",),
        "nftables": ("nftables.service",),
        "openvpn": ("openvpn.service",),
        "podman": ("podman.socket",),
        "postfix": ("postfix.service",),
        "postgresql": ("postgresql.service",),
        "prometheus": ("prometheus.service",),
        "prometheus-node-exporter": ("prometheus-node-exporter.service",),
        "qemu-guest-agent": ("qemu-guest-agent.service",),
        "rabbitmq-server": ("rabbitmq-server.service",),
        "redis-server": ("redis-server.service",),
        "rsyslog": ("rsyslog.service",),
        "samba": ("smbd.service", "nmbd.service"),
        "squid": ("squid.service",),
        "systemd-timesyncd": ("systemd-timesyncd.service",),
        "tor": ("tor.service",),
        "unattended-upgrades": ("unattended-upgrades.service",),
        "unbound": ("unbound.service",),
    },
)
