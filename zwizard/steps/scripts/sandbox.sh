# shellcheck shell=bash
# Programs that run in a tree, or work on one, get a root directory and namespaces of their own from
# bubblewrap. What is not named here is not there for them.

in_tree() { # COMMAND...: runs a program of the tree $ROOT
	local place target names=()
	for place in dev etc proc run sys tmp; do
		[ ! -L "$ROOT/$place" ] ||
			refuse "/$place of the tree is a link and may lead out of it: no program runs in such a tree"
	done
	# Name resolution as on this machine. The image's own file may be a link into /run, as with
	# systemd-resolved.
	if [ -L "$ROOT/etc/resolv.conf" ]; then
		target=$(readlink "$ROOT/etc/resolv.conf")
		case $target in
		/run/* | ../run/*) names=("${RESOLVER[@]}" "/run/${target#*run/}") ;;
		esac
	elif [ -f "$ROOT/etc/resolv.conf" ]; then
		names=("${RESOLVER[@]}" /etc/resolv.conf)
	fi
	sandbox --bind "$ROOT" / --dev /dev --perms 1777 --tmpfs /dev/shm --proc /proc \
		"${HIDDEN[@]}" --tmpfs /sys --remount-ro /sys --tmpfs /run --perms 1777 --tmpfs /tmp \
		"${names[@]}" "${LINES_FILE[@]}" --as-pid-1 -- "$@"
}

LINES_FILE=()

lines_in_tree() { # runs the lines on standard input with the tree's shell, which gets them as a file
	local LINES_FILE=(--bind-data 7 /run/zwizard-lines)
	in_tree sh /run/zwizard-lines 7<&0 </dev/null
}

on_tree() { # [-r PATH | -w PATH]... COMMAND...: runs a program of this machine on the tree $ROOT
	local place status=0 OPTIND=1 options=() nodes=()
	for place in bin sbin lib lib32 lib64 libx32; do
		if [ -L "/$place" ]; then
			options+=(--symlink "$(readlink "/$place")" "/$place")
		elif [ -d "/$place" ]; then
			options+=(--ro-bind "/$place" "/$place")
		fi
	done
	for place in "${SETTINGS[@]}"; do
		options+=(--ro-bind-try "$place" "$place")
	done
	options+=(--bind "$ROOT" "$ROOT")
	mkdir -p "$DOWNLOADS"
	# Package managers run programs in the tree themselves: those need devices and /proc.
	mkdir -p "$ROOT"/{dev,proc}
	options+=(--setenv TAR_OPTIONS --exclude=./proc) # only real root may change its owner and mode
	for place in null zero full random urandom tty; do
		[ -e "$ROOT/dev/$place" ] || nodes+=("$ROOT/dev/$place")
		options+=(--dev-bind "/dev/$place" "$ROOT/dev/$place")
	done
	while getopts r:w: place; do
		if [ "$place" = w ]; then
			mkdir -p "$OPTARG"
			options+=(--bind "$OPTARG" "$OPTARG")
		else
			options+=(--ro-bind "$OPTARG" "$OPTARG")
		fi
	done
	shift $((OPTIND - 1))
	case $1 in # two that would make devices, mounts and namespaces, which are here already
	debootstrap) # its wget tries once, and waits for 15 minutes
		options+=(--setenv container lxc --ro-bind-data 7 /etc/wgetrc)
		exec 7< <(printf '%s\n' tries=5 timeout=30 waitretry=10 retry_connrefused=on \
			retry_on_http_error=408,425,429,500,502,503,504)
		;;
	pacstrap)
		for place in mount umount; do
			options+=(--ro-bind /usr/bin/true "/usr/bin/$place")
		done
		options+=(--perms 0755 --ro-bind-data 7 /usr/bin/unshare)
		# shellcheck disable=SC2016
		exec 7< <(printf '%s\n' '#!/bin/sh' 'while [ "${1#-}" != "$1" ]; do shift; done' 'exec "$@"')
		;;
	esac
	sandbox --ro-bind /usr /usr --dev /dev --proc /proc "${HIDDEN[@]}" \
		--perms 1777 --tmpfs /tmp --dir /root --dir /run --dir /var/tmp --dir /var/lib/dpkg \
		--ro-bind "$DOWNLOADS" "$DOWNLOADS" "${options[@]}" --proc "$ROOT/proc" "${RESOLVER[@]}" /etc/resolv.conf --remount-ro / \
		--cap-add CAP_SYS_CHROOT --as-pid-1 -- bash -c '"$@"; exit $?' on_tree "$@" || status=$?
	[ ${#nodes[@]} -eq 0 ] || rm -f "${nodes[@]}"
	return "$status"
}

# Root in a sandbox may change files and their owners, and end its own processes. It cannot mount,
# make devices, trace, load modules or set the clock; nothing it starts can get more rights.
sandbox() { # OPTION... -- COMMAND...
	local network=() join=() session=(--new-session) reason
	# A shell has a prompt, and lines of a plan can be pasted there: the tree is its root.
	[ -z "${PROMPT:-}" ] ||
		session=(--setenv PS1 "$PROMPT" --setenv ROOT / --setenv BASH_FUNC_in_tree%% '() { "$@"; }')
	case ${NETWORK:-none} in
	none) network=(--unshare-net) ;;
	internet)
		if reason=$(why_shared); then
			echo "the network of this machine is shared: $reason"
		else
			join=(join_internet)
		fi
		;;
	esac
	"${join[@]}" bwrap "${network[@]}" --unshare-pid --unshare-ipc --unshare-uts --unshare-cgroup-try \
		--hostname localhost --die-with-parent "${session[@]}" --cap-drop ALL --cap-add CAP_CHOWN \
		--cap-add CAP_DAC_OVERRIDE --cap-add CAP_FOWNER --cap-add CAP_FSETID --cap-add CAP_KILL \
		--cap-add CAP_SETFCAP --cap-add CAP_SETGID --cap-add CAP_SETUID --seccomp 8 --chdir / "$@" \
		8< <(base64 --decode <<<"$SYSCALLS") 9< <(name_servers)
}

refuse() {
	echo "$1" >&2
	exit 1
}

# --- the network ---

RESOLVER=(--perms 0644 --bind-data 9) # name_servers's output, as the file that follows

name_servers() { # this machine's; slirp4netns has 10.0.2.3 for those on the loopback
	local own=/etc/resolv.conf
	[ -z "${join[*]:-}" ] || sed -E 's/^(nameserver +)(127\.|::1).*/\110.0.2.3/' "$own"
	[ -n "${join[*]:-}" ] || cat "$own"
}

why_shared() { # prints why a sandbox cannot have the internet without this machine's loopback
	if ! command -v slirp4netns >/dev/null; then
		echo "slirp4netns is missing"
	elif [ ! -c /dev/net/tun ] || [ ! -r /dev/net/tun ] || [ ! -w /dev/net/tun ]; then
		echo "/dev/net/tun cannot be opened"
	else
		case "${http_proxy:-} ${https_proxy:-} ${HTTP_PROXY:-} ${HTTPS_PROXY:-}" in
		*://127.* | *://localhost* | *://\[::1\]*) echo "its proxy is on the loopback" ;;
		*) return 1 ;;
		esac
	fi
}

join_internet() { # COMMAND...: runs it in a network namespace with the internet and its own loopback
	local holder joiner holding joining status=0
	exec {holding}< <(exec unshare --net sh -c 'echo $$; exec sleep infinity')
	read -r -u "$holding" holder
	exec {joining}< <(exec slirp4netns --configure --mtu=65520 --disable-host-loopback \
		--ready-fd=3 "$holder" tap0 3>&1 >/dev/null 2>&1)
	joiner=$!
	read -r -n 1 -u "$joining" || refuse "slirp4netns could not join the network"
	nsenter --net="/proc/$holder/ns/net" -- "$@" || status=$?
	kill "$joiner" "$holder"
	exec {holding}<&- {joining}<&-
	return "$status"
}

# --- what a sandbox sees ---

# Of this machine's settings: what package managers and name resolution read; no passwords.
SETTINGS=(/etc/alternatives /etc/apt/apt.conf.d /etc/apt/trusted.gpg.d /etc/ca-certificates
	/etc/debootstrap /etc/dpkg /etc/gai.conf /etc/group /etc/ld.so.cache /etc/ld.so.conf
	/etc/ld.so.conf.d /etc/localtime /etc/nsswitch.conf /etc/passwd /etc/pki /etc/ssl)

# What /proc shows of the machine itself: its settings are there to read, the rest is not. For root,
# bubblewrap 0.8 leaves /proc/sys writable.
HIDDEN=()
for name in bus fs irq sys sysrq-trigger; do
	[ ! -e "/proc/$name" ] || HIDDEN+=(--ro-bind "/proc/$name" "/proc/$name")
done
for name in kcore keys kmsg latency_stats sched_debug timer_list; do
	[ ! -e "/proc/$name" ] || HIDDEN+=(--ro-bind /dev/null "/proc/$name")
done
for name in acpi asound scsi; do
	[ ! -d "/proc/$name" ] || HIDDEN+=(--tmpfs "/proc/$name")
done

# System calls that it may not make, as a program for seccomp: see tests/steps/sandbox_syscalls.py.
SYSCALLS='
IAAAAAQAAAAVAABuPgAAwCAAAAAAAAAAFQDYAGcAAAAVANcAhgAAABUA1gCZAAAAFQDVAJoAAAAV
ANQAmwAAABUA0wCjAAAAFQDSAKQAAAAVANEApQAAABUA0ACmAAAAFQDPAKcAAAAVAM4AqAAAABUA
zQCpAAAAFQDMAKwAAAAVAMsArQAAABUAygCvAAAAFQDJALAAAAAVAMgAswAAABUAxwC0AAAAFQDG
ANQAAAAVAMUA4wAAABUAxAD2AAAAFQDDAPgAAAAVAMIA+QAAABUAwQD6AAAAFQDAABYBAAAVAL8A
KgEAABUAvgAsAQAAFQC9ADABAAAVALwANAEAABUAuwA4AQAAFQC6ADkBAAAVALkAQAEAABUAuABB
AQAAFQC3AEMBAAAVALYAqQEAABUAtQCqAQAAFQC0AKsBAAAVALMArAEAABUAsgCtAQAAFQCxAK4B
AAAVALAArwEAABUArwCwAQAAFQCuALEBAAAVAHAAswEAABUArAC6AQAAFQCrALsBAAAVAKoAZwAA
QBUAqQCZAABAFQCoAJoAAEAVAKcAmwAAQBUApgCjAABAFQClAKQAAEAVAKQApQAAQBUAowCmAABA
FQCiAKcAAEAVAKEAqAAAQBUAoACpAABAFQCfAKwAAEAVAJ4ArQAAQBUAnQCvAABAFQCcALAAAEAV
AJsAswAAQBUAmgDUAABAFQCZAOMAAEAVAJgA+AAAQBUAlwD5AABAFQCWAPoAAEAVAJUAKgEAQBUA
lAAsAQBAFQCTADABAEAVAJIANAEAQBUAkQA4AQBAFQCQADkBAEAVAI8AQAEAQBUAjgBBAQBAFQCN
AEMBAEAVAIwAqQEAQBUAiwCqAQBAFQCKAKsBAEAVAIkArAEAQBUAiACtAQBAFQCHAK4BAEAVAIYA
rwEAQBUAhQCwAQBAFQCEALEBAEAVAEYAswEAQBUAggC6AQBAFQCBALsBAEAVAIAAEAIAQBUAfwAU
AgBAFQBIACkAAEAVAAACKQAAACAAAAAUAAAAFQBFegAAAAAVAEcAAgIAQBUAAAMQAAAAIAAAABwA
AABUAAAAAAAAABUAQ3UAAAAAFQBGADgAAEAVAAADOAAAACAAAAAUAAAAVAAAAAAAAAAVAEJwAAAA
ABUAVwAQAQBAFQAAbhABAAAgAAAAFAAAAFQAAAAAAAAAFQBTawAAAAAVAABsAwAAQCAAAAAAAAAA
FQBpABUAAAAVAGgAFgAAABUAZwAZAAAAFQBmADMAAAAVAGUANAAAABUAZABPAAAAFQBjAFYAAAAV
AGIAVwAAABUAYQBYAAAAFQBgAGUAAAAVAF8AZwAAABUAXgBuAAAAFQBdAG8AAAAVAFwAcwAAABUA
WwB7AAAAFQBaAIAAAAAVAFkAgQAAABUAWACDAAAAFQBXAKkAAAAVAFYA2QAAABUAVQD9AAAAFQBU
AAgBAAAVAFMAGwEAABUAUgAeAQAAFQBRAB8BAAAVAFAAIAEAABUATwA8AQAAFQBOAFABAAAVAE0A
UgEAABUATABWAQAAFQBLAFoBAAAVAEoAXQEAABUASQBeAQAAFQBIAGUBAAAVAEcAdgEAABUARgCp
AQAAFQBFAKoBAAAVAEQAqwEAABUAQwCsAQAAFQBCAK0BAAAVAEEArgEAABUAQACvAQAAFQA/ALAB
AAAVAD4AsQEAABUAAAGzAQAABgAAACYABQAVADsAugEAABUAOgC7AQAAFQAAAmYAAAAgAAAAEAAA
ABUANzYBAAAAFQAAAmcBAAAgAAAAEAAAABUANDMoAAAAFQAAAzYAAAAgAAAAGAAAABUAMQAcVAAA
FQAwLxJUAAAVAAAVeAAAACAAAAAQAAAAVAAAAAAAAEAVACwAAAAAQCAAAAAQAAAAVAAAAAAAACAV
ACkAAAAAICAAAAAQAAAAVAAAAAAAABAVACYAAAAAECAAAAAQAAAAVAAAAAAAAAgVACMAAAAACCAA
AAAQAAAAVAAAAAAAAAQVACAAAAAABCAAAAAQAAAAVAAAAAAAAAIVAB0AAAAAAiAAAAAQAAAAVAAA
AAAAAgAVABoZAAACABUAABg2AQAAIAAAABAAAABUAAAAAAAAQBUAFgAAAABAIAAAABAAAABUAAAA
AAAAIBUAEwAAAAAgIAAAABAAAABUAAAAAAAAEBUAEAAAAAAQIAAAABAAAABUAAAAAAAACBUADQAA
AAAIIAAAABAAAABUAAAAAAAABBUACgAAAAAEIAAAABAAAABUAAAAAAAAAhUABwAAAAACIAAAABAA
AABUAAAAAAACABUABAAAAAIAIAAAABAAAABUAAAAgAAAABUAAQCAAAAABgAAAAAA/38GAAAAAQAF
AAYAAAAAAAAA
'
