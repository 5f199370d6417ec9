# shellcheck shell=bash
# A container of one program: a static binary.

install_binary() { # LOCATION SHA256 PATH (absolute, in the tree)
	local file
	at_hand "$1" "$2"
	is_static "$file" || fail "$1 is not a complete static binary for x86-64"
	install -D --mode 755 "$file" "${ROOT:?}$3"
}

# A 64-bit, little-endian ELF for x86-64 (62) without a segment that names a loader (3) or ends
# beyond the file: System V ABI, "ELF Header" and "Program Header".
is_static() { # FILE
	local start size count
	[ "$(od -An -tx1 -N6 "$1" | tr -d ' ')" = 7f454c460201 ] && [ "$(number 18 2 "$1")" = 62 ] || return
	start=$(number 32 8 "$1") size=$(number 54 2 "$1") count=$(number 56 2 "$1")
	[ "${count:-0}" -gt 0 ] || return
	for ((; count > 0; count--, start += size)); do
		[ "$(number "$start" 4 "$1" 2>/dev/null || echo 3)" != 3 ] || return
		[ $(($(number $((start + 8)) 8 "$1") + $(number $((start + 32)) 8 "$1"))) -le "$(stat -c %s "$1")" ] || return
	done
}

number() { # OFFSET BYTES FILE: little-endian, as this machine
	od -An "-tu$2" "-j$1" "-N$2" "$3" | tr -d ' '
}
