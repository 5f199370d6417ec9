# shellcheck shell=bash
# The root file system of a container image in a file or a directory.

import_oci() ( # LOCATION SHA256
	file=$1
	if [ -d "$1" ]; then # its index has the checksums of all other files
		[ -z "$2" ] || is_sum "$2" "$1/index.json" || fail "$1 does not have the SHA-256 $2"
	else
		at_hand "$1" "$2"
	fi
	mkdir -p "$DOWNLOADS"
	place=$(mktemp -d "${ROOT%/*}/oci.XXXXXX")
	trap 'rm -rf "$place"' EXIT
	ln -s "$(realpath "$file")" "$place/source" # skopeo ends a name at a colon
	kind=oci
	if [ -f "$file" ]; then
		kind=oci-archive decompressor=
		case $(od -An -tx1 -N6 "$file" | tr -d ' ') in # skopeo does not decompress all of them
		1f8b*) decompressor=gzip ;;
		28b52ffd*) decompressor=zstd ;;
		fd377a585a00 | 5d0000*) decompressor=xz ;;
		425a68*) decompressor=bzip2 ;;
		esac
		if [ -n "$decompressor" ]; then
			command -v "$decompressor" >/dev/null || fail "$1 is compressed by $decompressor, which is missing on this machine: install it"
			rm "$place/source"
			"$decompressor" -dc <"$file" >"$place/source" || fail "$1 is damaged: it cannot be decompressed"
		fi
		! tar --occurrence=1 -tf "$place/source" manifest.json >/dev/null 2>&1 || kind=docker-archive
	fi
	export TMPDIR=$place
	skopeo --insecure-policy --tmpdir "$place" --override-os linux --override-arch amd64 \
		copy --quiet "$kind:$place/source" "oci:$place/image:image" ||
		fail "no image for linux/amd64 could be read from $1: see the line above"
	found=$(skopeo inspect --format '{{.Os}}/{{.Architecture}}' "oci:$place/image:image")
	[ "$found" = linux/amd64 ] || fail "$1 is for $found; Zero-OS runs linux/amd64"
	# Layer by layer, with their whiteouts and owners.
	umoci raw unpack --image "$place/image:image" "$ROOT"
)
