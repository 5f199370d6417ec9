#!/bin/busybox sh
# shellcheck shell=dash
# Runs in a tree with a kernel: builds its initramfs from busybox, the scripts in /initramfs and the
# drivers of a virtual machine, and gives both fixed names in /boot.
set -eu
version=$(busybox ls /lib/modules)
/sbin/depmod "$version"
busybox mkdir -p /initramfs/bin /initramfs/modules
busybox cp /bin/busybox /initramfs/bin/
for module in virtio_pci virtiofs virtio_blk virtio_net vfat nls_cp437 nls_ascii nls_utf8; do
	/sbin/modprobe --set-version "$version" --show-depends "$module"
done | busybox sed -n 's/^insmod \([^ ]*\).*/\1/p' |
	busybox awk '!seen[$0]++ { printf "%02d %s\n", ++number, $0 }' |
	while read -r number file; do
		busybox cp "$file" "/initramfs/modules/$number-${file##*/}"
	done
cd /initramfs
busybox find . | busybox sort | cpio --quiet -o -H newc -R 0:0 | busybox gzip >/boot/initrd.img
busybox mv "/boot/vmlinuz-$version" /boot/vmlinuz
