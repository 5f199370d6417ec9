# shellcheck shell=bash
# The user's own kernel in /boot: "own" is what the next step links, before any other.

install_kernel() { # LOCATION SHA256 [INITRD SHA256]
	local file
	[ ! -L "${ROOT:?}/boot" ] || fail "/boot of the tree is a link and may lead out of it: nothing is written there"
	at_hand "$1" "$2"
	rm -f "${ROOT:?}/boot/vmlinuz" "${ROOT:?}/boot/initrd.img" # it takes their place
	install -D --mode 644 "$file" "${ROOT:?}/boot/vmlinuz-own"
	if [ -n "${3:-}" ]; then
		at_hand "$3" "$4"
		install -D --mode 644 "$file" "${ROOT:?}/boot/initrd.img-own"
	fi
}
