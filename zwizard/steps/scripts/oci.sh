# shellcheck shell=bash
# The root file system of a container image in a file or a directory.

import_oci() ( # LOCATION SHA256
	file=$1
	if [ -d "$1" ]; then # its index has the checksums of all other files
		[ -z "$2" ] || is_sum "$2" "$1/index.json" || fail "$1 does not have the SHA-256 $2"
	else
		at_hand "$1" "$2"
	fi
	place=$(mktemp -d "${ROOT%/*}/oci.XXXXXX")
	trap 'rm -rf "$place"' EXIT
	export TMPDIR=$place
	treetool oci_layout "$file" "$place/image"
	# Layer by layer, with their whiteouts and owners.
	umoci raw unpack --image "$place/image:image" "$ROOT"
)
