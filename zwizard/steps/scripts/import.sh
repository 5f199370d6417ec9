# shellcheck shell=bash
# A root file system made elsewhere: a directory, or a tar archive compressed in any way.
# Nothing is written outside of $ROOT; only files, directories and links are unpacked.

import_root() { # LOCATION SHA256 DISTRO INIT (yes, or empty) KNOWN...: into $ROOT, which is empty
	local file
	if [ -d "$1" ]; then
		[ -z "$2" ] || [ "$(tree_sum "$1")" = "$2" ] ||
			fail "$1 has changed since the build was planned: build again"
		tar_of "$1" | treetool untar - "$ROOT"
	else
		case $1 in
		http://* | https://*) at_hand "$1" "$2" && treetool untar "$file" "$ROOT" ;;
		*) treetool untar "$1" "$ROOT" "$2" ;;
		esac
	fi
	hoist
	check_root "${@:3}"
}

tree_sum() { # DIRECTORY: of names, types, sizes and change times, to detect any change
	(cd "$1" && find . -printf '%P\0%y %s %C@ %l\0') | LC_ALL=C sort -z | sha256sum | cut -c 1-64
}

tar_of() { # DIRECTORY: as a tar on standard output, without other file systems mounted in it
	[ "$(stat -c %u "$1")" != 65534 ] || grep -q '^ *0 *0 ' /proc/self/uid_map ||
		fail "$1 belongs to another user: import it as root, or as a tar archive"
	tar --create --directory "$1" --one-file-system --numeric-owner --sparse \
		--xattrs --xattrs-include='*' --xattrs-exclude='trusted.*' .
}

hoist() ( # moves a system up that is inside the only directory
	shopt -s dotglob nullglob
	inside=("$ROOT"/*)
	[ ${#inside[@]} -eq 1 ] && [ -d "${inside[0]}" ] && [ ! -L "${inside[0]}" ] || return 0
	found=0
	for name in bin boot etc lib sbin usr var; do
		[ "${inside[0]##*/}" != "$name" ] || return 0
		[ ! -e "${inside[0]}/$name" ] || found=$((found + 1))
	done
	[ "$found" -gt 1 ] || return 0
	echo "moved up: everything was inside ${inside[0]##*/}/"
	mv -T "${inside[0]}" "$ROOT/.zwizard-hoisted"
	chown --reference="$ROOT/.zwizard-hoisted" "$ROOT"
	chmod --reference="$ROOT/.zwizard-hoisted" "$ROOT"
	mv "$ROOT/.zwizard-hoisted"/* "$ROOT"
	rmdir "$ROOT/.zwizard-hoisted"
)

check_root() { # DISTRO INIT KNOWN...: it is a root file system of that distribution, for x86-64
	local release=/dev/null file word found=other machine known=" ${*:3} "
	for file in etc/os-release usr/lib/os-release; do
		[ ! -f "$ROOT/$file" ] || [ -L "$ROOT/$file" ] || release=$ROOT/$file
	done
	for word in $(says ID "$release") $(says ID_LIKE "$release"); do
		[[ $known != *" $word "* ]] || {
			found=$word
			break
		}
	done
	echo "it is $(says PRETTY_NAME "$release" | grep . || echo "a distribution without a name")"
	[ "$1" = other ] || [ "$1" = "$found" ] ||
		fail "its os-release says ID=$(says ID "$release"), which is not $1: write distro = \"$found\" under [source]"
	for file in usr/bin/dash usr/bin/bash bin/bash bin/busybox usr/bin/busybox usr/lib/systemd/systemd; do
		if [ ! -f "$ROOT/$file" ] || [ -L "$ROOT/$file" ]; then
			continue
		fi
		machine=$(od -An -t x1 -N 20 "$ROOT/$file" | tr -d ' \n')
		case $machine in
		7f454c4602*3e00 | 2321*) ;;
		7f454c46*b700) fail "/$file is for ARM64; Zero-OS runs x86-64 (amd64)" ;;
		*) fail "/$file is not for x86-64 (amd64), which Zero-OS runs" ;;
		esac
	done
	[ -z "$2" ] || [ -e "$ROOT/sbin/init" ] || [ -L "$ROOT/sbin/init" ] ||
		fail "there is no /sbin/init in it, and no supported package manager to install one: a VM needs one, a container does not"
}

says() { # KEY FILE: a value of os-release; it is read, never run
	head -c 65536 "$2" | sed -n "s/^$1=//p" | tail -n 1 | tr -d "\"'" | tr -cd '[:print:]'
}
