# shellcheck shell=bash
# A file from elsewhere: downloaded once, verified by its SHA-256, kept for other builds.

fail() {
	bare <<<"$1" >&2
	exit 1
}

# A URL may hold a password or a signature: curl gets it as a file, as arguments are everyone's to see.
ask() { # URL OPTION...: runs curl
	local url=${1//\\/\\\\}
	curl "${@:2}" --config <(printf 'url = "%s"\n' "${url//\"/\\\"}")
}

bare() { # what is on standard input, with URLs without user, password, query and fragment
	sed -E 's|(://)[^ /]*@|\1|g; s|(://[^ ?#]*)[?#][^ ]*|\1|g'
}

take() { # URL FILE
	ask "$1" --fail --silent --show-error --location --retry 3 --output "$2"
}

at_hand() { # LOCATION SHA256: verifies it, downloaded if it is a URL, and sets file to its path
	file=$1
	case $1 in
	http://* | https://*)
		file=$(bare <<<"$1")
		file=$DOWNLOADS/$(printf '%s' "$1" | sha256sum | cut -c 1-16)-${file##*/}
		fetch "$1" "$2" "$file"
		;;
	*) [ -z "$2" ] || is_sum "$2" "$file" || fail "$file does not have the SHA-256 $2" ;;
	esac
}

is_sum() { # SHA256 FILE
	[ "$(sha256sum <"$2" | cut -c 1-64)" = "${1,,}" ]
}

# A complete download is used again; an incomplete one is continued.
fetch() { # URL SHA256 FILE
	local wanted=$2 sum=sha256sum
	mkdir -p "${3%/*}"
	[ -n "$wanted" ] || published "$1" "$3"
	if [ -f "$3" ] && is_wanted "$3"; then
		echo "already downloaded: $3"
		return
	fi
	download "$1" "$3.part"
	if ! is_wanted "$3.part"; then
		rm -f "$3.part" # perhaps the start of an older file
		download "$1" "$3.part"
		if ! is_wanted "$3.part"; then
			rm -f "$3.part"
			fail "$1 does not have the checksum $wanted: it was changed, or damaged on its way"
		fi
	fi
	mv "$3.part" "$3"
}

is_wanted() { # FILE: by its checksum, if that is known
	if [ -z "$wanted" ]; then
		[ "$1" != "${1%.part}" ] # a finished file may be an old one
	else
		[ "$("$sum" <"$1" | cut -d ' ' -f 1)" = "${wanted,,}" ]
	fi
}

published() { # URL FILE: sets wanted and sum from the list of checksums beside the file
	local url=${1%%[?#]*} place name list=$2.sums keyring=/usr/share/keyrings/ubuntu-cloudimage-keyring.gpg
	place=${url%/*} name=${url##*/}
	for sum in sha256sum sha512sum; do
		url=$place/$(tr "[:lower:]" "[:upper:]" <<<"$sum")S
		ask "$url" --fail --silent --location --output "$list" || continue
		wanted=$(sed -n "s/^\([0-9a-fA-F]*\) [ *]\(\.\/\)\{0,1\}$name\$/\1/p" "$list" | head -n 1)
		[ -n "$wanted" ] || continue
		if [ -f "$keyring" ] && ask "$url.gpg" --fail --silent --location --output "$list.gpg"; then
			gpgv --keyring "$keyring" "$list.gpg" "$list" || fail "the signature of $url is wrong"
		else
			bare <<<"not verified: $url, as there is no key for its signature on this machine"
		fi
		return
	done
	echo "not verified: the recipe has no SHA-256, and there is no list of checksums beside the file"
}

download() { # URL FILE
	local try status
	for try in 1 2 3 4 5; do
		status=0
		ask "$1" --fail --location --progress-bar --connect-timeout 20 --speed-limit 1 \
			--speed-time 60 --continue-at - --output "$2" || status=$?
		case $status in
		0) return ;;
		22 | 33 | 36) # the server refuses: the file, or to continue a partial one
			[ -s "$2" ] || fail "$1 cannot be downloaded"
			rm -f "$2"
			;;
		esac
		echo "interrupted (curl: $status); trying again in $((2 * try)) s"
		sleep $((2 * try))
	done
	fail "$1 cannot be downloaded"
}
