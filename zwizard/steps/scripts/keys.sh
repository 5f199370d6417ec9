# shellcheck shell=bash
# The keys of a distribution whose keyring this machine may not have.

# Into $DOWNLOADS/FILE: this machine's own keyring, or the named keys of the mirror's package PACKAGE.
# Anybody can offer a package; only the known fingerprints make it trusted.
trust_keys() ( # FILE PACKAGE MIRROR SUITE FINGERPRINT...
	own=/usr/share/keyrings/$1
	mkdir -p "$DOWNLOADS"
	place=$(mktemp -d "${ROOT%/*}/keys.XXXXXX")
	trap 'rm -rf "$place"' EXIT
	if [ -f "$own" ]; then
		cp "$own" "$place/trusted.gpg"
	else
		take "$3/dists/$4/main/binary-amd64/Packages.xz" "$place/Packages.xz"
		name=$(xz -dc "$place/Packages.xz" | sed -n "/^Package: $2\$/,/^\$/s/^Filename: //p" | sed -n 1p)
		[ -n "$name" ] || fail "$3 has no package $2 in $4"
		take "$3/$name" "$place/package.deb"
		dpkg-deb --fsys-tarfile "$place/package.deb" |
			tar -xO "./usr/share/keyrings/$1" >"$place/offered.gpg"
		keep_keys "$place" "${@:5}"
	fi
	mv "$place/trusted.gpg" "$DOWNLOADS/$1"
)

keep_keys() { # PLACE FINGERPRINT...: from offered.gpg into trusted.gpg
	local -x GNUPGHOME=$1
	gpg --quiet --batch --import "$1/offered.gpg" 2>/dev/null || :
	gpg --quiet --batch --export "${@:2}" >"$1/trusted.gpg"
	[ -s "$1/trusted.gpg" ] ||
		fail "the mirror's keyring has none of the distribution's known keys: ${*:2}"
	echo "trusted, by their fingerprints:"
	gpg --quiet --batch --with-colons --list-keys "${@:2}" 2>/dev/null | sed -n 's/^uid:.*:\([^:]*@[^:]*\):.*/  \1/p'
}
