# shellcheck shell=bash
# The root file system on a disk image that somebody else made. Nothing of the image is changed.

import_disk() { # LOCATION SHA256 DISTRO INIT (yes, or empty): into $ROOT, which is empty
	local file format raw
	at_hand "$1" "$2"
	known_format "$1"
	raw=$file
	if [ "$format" = qcow2 ]; then
		raw=$OUT.raw
		qemu-img convert -p -f qcow2 -O raw "$file" "$raw"
	fi
	tar_of_disk "$raw" | unpack -
	[ "$raw" = "$file" ] || rm "$raw"
	prove_root "$3" "$4"
}

# By a file system in user space, as the kernel should not be given what anybody may have made.
# (The engine has one of its own, which mounts nothing.)
tar_of_disk() { # RAW
	local place start found='' boot=''
	place=$(mktemp -d)
	mkdir "$place/root"
	for start in $(partx --noheadings --raw --output START "$1" 2>/dev/null || echo 0); do
		[ "$(blkid --probe --output value --match-tag TYPE --offset $((start * 512)) "$1")" = ext4 ] || continue
		fuse2fs -o "ro,fakeroot,offset=$((start * 512))" "$1" "$place/root" >&2
		if [ -d "$place/root/etc" ]; then
			found=$start
		elif compgen -G "$place/root/vmlinuz*" >/dev/null; then
			boot=$start
		fi
		umount "$place/root"
	done
	[ -n "$found" ] || fail "no root file system could be read: only ext4 can be, for now"
	fuse2fs -o "ro,fakeroot,offset=$((found * 512))" "$1" "$place/root" >&2
	[ -z "$boot" ] || fuse2fs -o "ro,fakeroot,nonempty,offset=$((boot * 512))" "$1" "$place/root/boot" >&2
	tar --create --directory "$place/root" --numeric-owner .
	[ -z "$boot" ] || umount "$place/root/boot"
	umount "$place/root"
	rmdir "$place/root" "$place"
}
