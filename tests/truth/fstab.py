"""Which lines of /etc/fstab the boot cannot do without.

Measured with systemd 252 (Debian 12) in a chroot: `systemd-fstab-generator` puts the mount into
local-fs.target.requires, so that the boot ends in emergency mode if it fails. In a sandbox it
ignores devices, so that no test measures it again.
"""

from __future__ import annotations

REQUIRED = (
    "UUID=1-2 /data ext4 defaults 0 2",
    "UUID=1-2 / ext4 errors=remount-ro 0 1",
    "LABEL=EFI /boot/efi vfat umask=0077 0 1",
    "/dev/sdb1 /mnt",
    "/srv /mnt none bind 0 0",
    "tag /mnt virtiofs defaults 0 0",
    "tmpfs /tmp tmpfs defaults 0 0",
    "/dev/fd0 /media auto ro,user 0 0",
    "UUID=1-2 /data ext4 x-systemd.device-timeout=5 0 2",
)
NOT_REQUIRED = (
    "UUID=1-2 /data ext4 nofail 0 2",
    "UUID=1-2 /data ext4 rw,noauto 0 2",
    "UUID=1-2 /data ext4 _netdev 0 2",
    "UUID=1-2 /data ext4 x-systemd.wanted-by=multi-user.target 0 2",
    "UUID=1-2 none swap sw 0 0",
    "/swapfile none swap sw 0 0",
    "server:/x /mnt nfs defaults 0 0",
    "//server/share /mnt cifs guest 0 0",
    "proc /proc proc defaults 0 0",
    "/dev/sdb1 none ext4 defaults",
    "/dev/cdrom /media/cdrom0 udf,iso9660 user,noauto 0 0",
)
