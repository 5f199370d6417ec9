# shellcheck shell=bash
# Commands run in $CHROOT: the tree $ROOT, bind-mounted, with /dev, /proc and so on. $ROOT itself has
# no mounts, so that nothing written or removed there reaches a live /dev or /proc.
enter_root() { # [network]
	local place
	for place in dev etc proc run sys tmp; do
		[ ! -L "$ROOT/$place" ] || {
			echo "/$place of the tree is a link and may lead out of it: no command runs in such a tree" >&2
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
	# Name resolution as on this machine, from a copy of its file. If the image's own is a link into
	# /run, as with systemd-resolved, the copy goes there.
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
