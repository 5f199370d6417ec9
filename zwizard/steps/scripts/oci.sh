# shellcheck shell=bash
# The root file system of a container image that was saved to a file or a directory.

import_oci() ( # LOCATION SHA256
	file=$1
	if [ -d "$1" ]; then # its index names everything else by its sum
		[ -z "$2" ] || is_sum "$2" "$1/index.json" || fail "$1 is not the image with the SHA-256 $2"
	else
		at_hand "$1" "$2"
	fi
	mkdir -p "$DOWNLOADS"
	place=$(mktemp -d "$DOWNLOADS/oci.XXXXXX")
	trap 'rm -rf "$place"' EXIT
	ln -s "$(realpath "$file")" "$place/source" # its own name may have colons, which end it here
	kind=oci
	if [ -f "$file" ]; then
		kind=oci-archive packer=
		case $(od -An -tx1 -N6 "$file" | tr -d ' ') in # no skopeo can unpack all of them
		1f8b*) packer=gzip ;;
		28b52ffd*) packer=zstd ;;
		fd377a585a00 | 5d0000*) packer=xz ;;
		425a68*) packer=bzip2 ;;
		esac
		if [ -n "$packer" ]; then
			command -v "$packer" >/dev/null || fail "$1 is packed by $packer, which is not here: install it"
			rm "$place/source"
			"$packer" -dc <"$file" >"$place/source" || fail "$1 is damaged: it cannot be unpacked"
		fi
		! tar --occurrence=1 -tf "$place/source" manifest.json >/dev/null 2>&1 || kind=docker-archive
	fi
	export TMPDIR=$place
	skopeo --insecure-policy --tmpdir "$place" --override-os linux --override-arch amd64 \
		copy --quiet "$kind:$place/source" "oci:$place/image:image" ||
		fail "no image for linux/amd64 could be taken from $1: the line above says why"
	found=$(skopeo inspect --format '{{.Os}}/{{.Architecture}}' "oci:$place/image:image")
	[ "$found" = linux/amd64 ] || fail "$1 is for $found; the nodes are linux/amd64"
	# Layers in their order, what a later one takes away taken away, owners as they say.
	umoci raw unpack --image "$place/image:image" "$ROOT"
)
