# shellcheck shell=bash
# A disk image that somebody else made, as the raw one that Zero-OS takes. Nothing in it is changed.

convert_image() { # LOCATION SHA256 DISK_SIZE (in bytes): into $OUT
	local file format size
	at_hand "$1" "$2"
	known_format "$1"
	size=$(fact 'virtual size' "$file" | sed 's/.*(\([0-9]*\) bytes)/\1/')
	[ "$size" -le "$3" ] ||
		fail "its disk has $size bytes, more than the disk that is rented ($3): Zero-OS says 'image size is bigger than disk'"
	rm -f "$OUT"
	qemu-img convert -p -f "$format" -O raw "$file" "$OUT"
	[ "$(stat -c %s "$OUT")" -le "$3" ] || fail "the raw image is larger than the disk that is rented ($3)"
}

known_format() { # LOCATION: sets format, of file
	format=$(fact 'file format' "$file")
	case $format in
	qcow2 | raw) ;;
	*) fail "$1 is a $format image; qcow2 and raw are taken" ;;
	esac
	[ -z "$(fact 'backing file' "$file")" ] ||
		fail "$1 needs another image, its backing file $(fact 'backing file' "$file"): flatten it first (qemu-img convert)"
	[ "$format" = raw ] || is_whole "$file" ||
		fail "$1 is damaged, or only a part of it is here: get it anew"
}

# What is beyond the end of a file that was cut, qemu-img convert takes for zeros, without a word.
is_whole() { # FILE
	local status=0
	qemu-img check -f qcow2 "$1" >/dev/null 2>&1 || status=$?
	[ "$status" -eq 0 ] || [ "$status" -eq 3 ] # 3: room that nothing is in, which does no harm
}

fact() { # NAME FILE: what qemu-img says of an image
	LC_ALL=C qemu-img info "$2" | sed -n "s/^$1: //p" | head -n 1
}
