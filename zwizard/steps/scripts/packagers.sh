# shellcheck shell=bash
# The keys of Arch's packagers, which change from week to week; a few master keys sign them.

# Into $DOWNLOADS/NAME/gnupg, for pacman: the keys of the mirror's package PACKAGE. A key is trusted
# if three of the master keys have signed it, or if it is one. Anybody can offer a package; only the
# known fingerprints make it trusted. The keyring is used for a day.
trust_packagers() { # NAME PACKAGE MIRROR FINGERPRINT...
	local made=$DOWNLOADS/$1/gnupg place
	mkdir -p "$DOWNLOADS/$1"
	( # a second build waits, and finds it made
		flock 9
		[ -z "$(find "$made/trustdb.gpg" -mtime -1 2>/dev/null)" ] || exit 0
		place=$(mktemp -d "${ROOT%/*}/keys.XXXXXX")
		trap 'rm -rf "$place"' EXIT
		offered_keys "$place" "$2" "$3"
		export -f sign_keys fail bare
		NETWORK=none on_tree -w "$place" bash -euc 'sign_keys "$@"' sign_keys "$place" "${@:4}" 9>&-
		rm -rf "$made" "$made.new"
		mv "$place/gnupg" "$made.new"
		mv "$made.new" "$made"
	) 9>"$made.lock"
}

offered_keys() { # PLACE PACKAGE MIRROR: the mirror's archlinux.gpg and archlinux-revoked
	local at=$3/core/os/x86_64 name
	take "$at/core.db" "$1/core.db"
	name=$(tar -xOf "$1/core.db" --wildcards "$2-*/desc" | sed -n '/^%FILENAME%$/{n;p;q}') || :
	[ -n "$name" ] || fail "$3 has no package $2 in core"
	take "$at/$name" "$1/package"
	tar -xf "$1/package" -C "$1" --strip-components=4 usr/share/pacman/keyrings
}

sign_keys() { # PLACE FINGERPRINT...: runs in a sandbox, with /tmp and a gpg agent of its own
	local key
	export GNUPGHOME=/tmp/gnupg
	mkdir -m 0700 "$GNUPGHOME"
	: >"$GNUPGHOME/pubring.gpg"
	gpg --quiet --batch --import "$1/archlinux.gpg" 2>/dev/null || :
	while read -r key; do
		gpg --quiet --batch --yes --delete-keys "$key" 2>/dev/null || :
	done <"$1/archlinux-revoked"
	# A key of its own, which nobody else has, signs the master keys.
	gpg --quiet --batch --passphrase '' --quick-generate-key zwizard ed25519 sign never
	for key in "${@:2}"; do
		gpg --quiet --batch --yes --quick-lsign-key "$key" 2>/dev/null || continue
		echo "$key:4:" >>"$1/trusted"
		echo "trusted, by its fingerprint: $key"
	done
	[ -s "$1/trusted" ] || fail "the mirror's keyring has none of the known master keys: ${*:2}"
	gpg --quiet --batch --import-ownertrust "$1/trusted"
	gpg --quiet --batch --check-trustdb
	cp -r "$GNUPGHOME" "$1/gnupg"
}
