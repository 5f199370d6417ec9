# shellcheck shell=bash
# A disk image made elsewhere, converted to the raw one that Zero-OS needs. Its contents stay.

convert_image() { # LOCATION SHA256 DISK_SIZE (in bytes): into $OUT
	local file format size
	at_hand "$1" "$2"
	known_format "$1"
	size=$(fact 'virtual size' "$file" | sed 's/.*(\([0-9]*\) bytes)/\1/')
	[ "$size" -le "$3" ] ||
		fail "its disk has $size bytes, more than the rented disk ($3): Zero-OS would refuse it ('image size is bigger than disk')"
	rm -f "$OUT"
	qemu-img convert -p -f "$format" -O raw "$file" "$OUT"
	[ "$(stat -c %s "$OUT")" -le "$3" ] || fail "the raw image is larger than the rented disk ($3)"
}

known_format() { # LOCATION: sets format to that of file
	format=$(fact 'file format' "$file")
	case $format in
	qcow2 | raw) ;;
	*) fail "$1 is a $format image; only qcow2 and raw are supported" ;;
	esac
	[ -z "$(fact 'backing file' "$file")" ] ||
		fail "$1 needs its backing file $(fact 'backing file' "$file"): flatten it first (qemu-img convert)"
	[ "$format" = raw ] || is_whole "$file" ||
		fail "$1 is damaged or incomplete: download it again"
}

# qemu-img convert silently reads zeros beyond the end of a truncated file.
is_whole() { # FILE
	local status=0
	qemu-img check -f qcow2 "$1" >/dev/null 2>&1 || status=$?
	[ "$status" -eq 0 ] || [ "$status" -eq 3 ] # 3: leaked clusters, which are harmless
}

fact() { # NAME FILE: from the output of qemu-img info
	LC_ALL=C qemu-img info "$2" | sed -n "s/^$1: //p" | head -n 1
}
