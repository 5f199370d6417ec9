#!/bin/sh
# The initramfs of a tree made elsewhere, by the tool that is in it, and set up for its upgrades.
# Arguments: the modules; initramfs-tools' configuration and a script for it ("" for none);
# mkinitcpio's configuration. zwizard/image/boot_files.py finds the same tool in an image.
set -eu
modules=$1

versions() { # of the kernels whose modules are there
	for file in /lib/modules/*/modules.dep; do
		[ ! -f "$file" ] || basename "${file%/modules.dep}"
	done
}

# Where dracut has taken its place, mkinitramfs may be left, and update-initramfs be dracut's.
if [ -x /usr/sbin/mkinitramfs ] && [ -x /usr/sbin/update-initramfs ] &&
	! grep -qs dracut /usr/sbin/update-initramfs; then
	cd /etc/initramfs-tools
	for module in $modules; do
		grep -qsxF "$module" modules || echo "$module" >>modules
	done
	mkdir -p conf.d scripts/init-top
	printf %s "$2" >conf.d/zwizard
	if [ -n "$3" ]; then
		printf %s "$3" >scripts/init-top/zwizard
		chmod 755 scripts/init-top/zwizard
	fi
	update-initramfs -c -k all
elif [ -n "$(find /usr/lib/dracut/modules.d -maxdepth 1 -name '*virtiofs' 2>/dev/null)" ]; then
	mkdir -p /etc/dracut.conf.d
	cat >/etc/dracut.conf.d/zz-zwizard.conf <<END
# Written by zwizard: what it takes to reach the root file system on Zero-OS, on any machine.
hostonly="no"
add_dracutmodules+=" virtiofs "
add_drivers+=" $modules "
END
	for version in $(versions); do
		set -- --force --kver "$version"
		for name in "initrd.img-$version" "initrd-$version"; do # dracut's own is initramfs-VERSION.img
			[ ! -e "/boot/$name" ] || set -- --force --kver "$version" "/boot/$name"
		done
		[ ! -d /var/lib/dpkg ] || set -- --force --kver "$version" "/boot/initrd.img-$version"
		dracut "$@"
	done
elif [ -x /usr/bin/mkinitcpio ]; then
	mkdir -p /etc/mkinitcpio.conf.d
	printf %s "$4" >/etc/mkinitcpio.conf.d/zwizard.conf
	if [ -x /usr/share/libalpm/scripts/mkinitcpio ]; then
		cd /
		printf '%s\n' usr/lib/modules/*/vmlinuz | /usr/share/libalpm/scripts/mkinitcpio install
	else
		for version in $(versions); do
			mkinitcpio -k "$version" -g "/boot/initramfs-$version.img"
		done
	fi
else
	echo "not made: the initramfs, as neither initramfs-tools, dracut with virtiofs nor mkinitcpio is in the tree"
fi
