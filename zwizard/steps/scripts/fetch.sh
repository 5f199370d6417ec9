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
		has "$url" "$list" || continue
		wanted=$(sed -n "s/^\([0-9a-fA-F]*\) [ *]\(\.\/\)\{0,1\}$name\$/\1/p" "$list" | head -n 1)
		[ -n "$wanted" ] || continue
		if [ -f "$keyring" ] && has "$url.gpg" "$list.gpg"; then
			gpgv --keyring "$keyring" "$list.gpg" "$list" || fail "the signature of $url is wrong"
		else
			bare <<<"not verified: $url, as there is no key for its signature on this machine"
		fi
		return
	done
	echo "not verified: the recipe has no SHA-256, and there is no list of checksums beside the file"
}

has() { # URL FILE: downloads it, a small file; false if the server says that there is none
	local wanted='' why
	get "$1" "$2" $((16 << 20)) || [ $? -eq 4 ] || fail "$1: $why"
	[ -s "$2" ]
}

take() { # URL FILE [LIMIT]: an index or a package
	local wanted='' why
	get "$1" "$2" "${3:-$((256 << 20))}" || fail "$1: $why"
}

download() { # URL FILE: as large as there is room, of which 1 GiB is left
	local why part=0 free
	[ ! -f "$2" ] || part=$(stat -c %s "$2")
	free=$(df --output=avail -B 1 "${2%/*}" | tail -n 1)
	get "$1" "$2" $((free + part > 1 << 30 ? free + part - (1 << 30) : 1)) || fail "$1: $why"
}

# What may be over soon is tried again, with growing pauses: no connection, a cut or a stalled one,
# 408, 425, 429, 5xx. A file that was cut is continued if its bytes are still the same, by its
# checksum (wanted) or the server's word. 4: the server says that there is no such file.
get() { # URL FILE LIMIT (in bytes): else sets why
	local try tries=${TRIES:-5} pause status answer code state='' found schemes=https options
	[ "${1%%:*}" = https ] || schemes=http,https
	for ((try = 1; try <= tries; try++)); do
		options=(--fail --location --proto "=http,https,file" --proto-redir "=$schemes" --output "$2"
			--connect-timeout 20 --speed-limit 1 --speed-time "${STALLED:-30}" --max-filesize "$3"
			--dump-header "$2.head" --write-out '%{stderr}= %{http_code} %{errormsg}\n')
		found=$(sed -n 's/^etag: *\("[^"]*"\).*/\1/Ip' "$2.head" 2>/dev/null | tail -n 1) || :
		state=${found:-$state}
		if [ ! -s "$2" ] || [ -z "$wanted$state" ]; then
			rm -f "$2"
		else
			options+=(--continue-at - ${state:+--header "If-Range: $state"})
		fi
		status=0
		answer=$(at_most "$3" ask "$1" "${options[@]}" 2>&1 | progress) || status=$?
		read -r code why <<<"$answer" || :
		case $status:$code in
		0:*)
			rm -f "$2.head"
			return
			;;
		22:416 | 33:* | 36:*) # the file is another one by now, or cannot be continued
			rm -f "$2" "$2.head"
			state=
			;;
		22:408 | 22:425 | 22:429 | 22:5*) why="the server answers $code" ;;
		22:403 | 22:404 | 22:410)
			why="the server answers $code: there is no such file"
			rm -f "$2" "$2.head"
			return 4
			;;
		23:* | 63:* | 153:*)
			[ "$status" = 23 ] && [ "$(stat -c %s "$2")" -lt $(($3 / 1024 * 1024)) ] ||
				why="larger than $3 bytes, the most that is taken here"
			rm -f "$2" "$2.head"
			return 1
			;;
		28:*) why="stalled: ${why:-no answer}" ;;
		5:* | 6:* | 7:* | 16:* | 18:* | 35:* | 52:* | 55:* | 56:* | 92:*) ;;
		1:*)
			case $why in
			*HTTP/0.9*) why="what answers is no web server ($why)" ;;
			*) why="it leads to another scheme, which is not followed ($why)" ;;
			esac
			return 1
			;;
		22:*)
			why="the server answers $code"
			return 1
			;;
		*) return 1 ;;
		esac
		[ "$try" -lt "$tries" ] || return 1
		pause=$((1 << try))
		bare <<<"$why; trying again in $pause s ($((try + 1)) of $tries)"
		sleep "$pause"
	done
}

at_most() { # BYTES COMMAND...: no file that it writes becomes larger than the next KiB
	ulimit -f $(($1 / 1024 + 1)) 2>/dev/null || :
	"${@:2}"
}

progress() { # curl's meter in words, on standard error; how the transfer ended, on standard output
	local text left shown=
	while IFS= read -r -d $'\r' text || [ -n "$text" ]; do
		# shellcheck disable=SC2086
		set -- ${text%%$'\n'*}
		if [ $# -eq 12 ] && [[ $1 =~ ^[0-9]+$ ]] && [ "$4" != 0 ]; then
			left="$1 % of $2, ${11} left"
			[ "${11}" != --:--:-- ] && [ "${12}" != 0 ] || left="time left unknown"
			printf '\r%sB downloaded, %sB/s, %s   ' "$4" "${12}" "$left" >&2
			shown=yes
		fi
		[ "$text" = "${text##*$'\n'= }" ] || {
			text=${text##*$'\n'= }
			echo "${text%%$'\n'*}"
		}
	done
	[ -z "$shown" ] || echo >&2
}
