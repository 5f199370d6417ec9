# shellcheck shell=bash
# The root file system of a disk image made elsewhere. The image is not changed.

import_disk() { # LOCATION SHA256 DISTRO INIT (yes, or empty) KNOWN...: into $ROOT, which is empty
	local file format raw
	at_hand "$1" "$2"
	known_format "$1"
	raw=$file
	if [ "$format" = qcow2 ]; then
		raw=$OUT.raw
		qemu-img convert -p -f qcow2 -O raw "$file" "$raw"
	fi
	treetool disk_to_tar "$raw" | treetool untar - "$ROOT"
	[ "$raw" = "$file" ] || rm "$raw"
	check_root "${@:3}"
}
