# shellcheck shell=bash
# Commands run in $CHROOT: the tree $ROOT once more, with what they need mounted on it. $ROOT itself
# stays bare, so nothing that is written or removed there can meet a live /dev or /proc.
enter_root() { # [network]
	local place
	for place in dev etc proc run sys tmp; do
		[ ! -L "$ROOT/$place" ] || {
			echo "/$place of the tree is a link, and might lead out of it: nothing is run in such a tree" >&2
			exit 1
		}
	done
	mount --bind "$ROOT" "$CHROOT"
	mkdir -p "$CHROOT"/{dev,proc,sys,run,tmp}
	mount -t proc proc "$CHROOT/proc"
	mount --rbind /sys "$CHROOT/sys"
	mount -t tmpfs -o mode=0755 tmpfs "$CHROOT/dev"
	for node in null zero full random urandom tty; do
		touch "$CHROOT/dev/$node"
		mount --bind "/dev/$node" "$CHROOT/dev/$node"
	done
	mkdir "$CHROOT/dev/pts" "$CHROOT/dev/shm"
	mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts "$CHROOT/dev/pts"
	mount -t tmpfs -o mode=1777 tmpfs "$CHROOT/dev/shm"
	ln -s pts/ptmx "$CHROOT/dev/ptmx"
	ln -s /proc/self/fd "$CHROOT/dev/fd"
	ln -s fd/0 "$CHROOT/dev/stdin"
	ln -s fd/1 "$CHROOT/dev/stdout"
	ln -s fd/2 "$CHROOT/dev/stderr"
	mount -t tmpfs -o mode=0755 tmpfs "$CHROOT/run"
	mount -t tmpfs -o mode=1777 tmpfs "$CHROOT/tmp"
	# Names resolve as they do here; a copy, so that nothing can write to this machine's file. Where
	# the image's own leads into /run, as systemd-resolved's does, that is a tmpfs for now.
	[ "${1:-}" = network ] || return 0
	local names=$CHROOT/etc/resolv.conf target
	if [ -L "$names" ]; then
		target=$(readlink "$names")
		case $target in
		/run/* | ../run/*)
			target=$CHROOT/run/${target#*run/}
			mkdir -p "$(dirname "$target")"
			cat /etc/resolv.conf >"$target"
			;;
		esac
	elif [ -f "$names" ]; then
		cat /etc/resolv.conf >"$CHROOT/run/resolv.conf"
		mount --bind "$CHROOT/run/resolv.conf" "$names"
	fi
}

leave_root() {
	! mountpoint -q "$CHROOT" || umount --lazy "$CHROOT"
}
