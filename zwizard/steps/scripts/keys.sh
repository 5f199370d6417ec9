# shellcheck shell=bash
# The keys of a distribution whose keyring this machine may not have.

# Into $DOWNLOADS/FILE: this machine's own keyring, or what the mirror's package PACKAGE has of the
# keys named. Anybody can offer a package; only the fingerprints, which are known, make it trusted.
trust_keys() { # FILE PACKAGE MIRROR SUITE FINGERPRINT...
	local own=/usr/share/keyrings/$1 made=$DOWNLOADS/$1 place name
	mkdir -p "$DOWNLOADS"
	place=$(mktemp -d "$DOWNLOADS/keys.XXXXXX")
	if [ -f "$own" ]; then
		cp "$own" "$place/trusted.gpg"
	else
		curl --fail --silent --show-error --location --retry 3 \
			"$3/dists/$4/main/binary-amd64/Packages.xz" | xz -dc >"$place/Packages"
		name=$(sed -n "/^Package: $2\$/,/^\$/s/^Filename: //p" "$place/Packages" | head -n 1)
		[ -n "$name" ] || refuse "$place" "$3 has no package $2 in $4"
		curl --fail --silent --show-error --location --retry 3 --output "$place/package.deb" "$3/$name"
		dpkg-deb --fsys-tarfile "$place/package.deb" |
			tar -xO "./usr/share/keyrings/$1" >"$place/offered.gpg"
		keep_keys "$place" "${@:5}"
	fi
	mv "$place/trusted.gpg" "$made"
	rm -r "$place"
}

keep_keys() { # PLACE FINGERPRINT...: of offered.gpg, into trusted.gpg
	local -x GNUPGHOME=$1
	gpg --quiet --batch --import "$1/offered.gpg" 2>/dev/null || :
	gpg --quiet --batch --export "${@:2}" >"$1/trusted.gpg"
	[ -s "$1/trusted.gpg" ] || refuse "$1" \
		"the mirror's keyring holds none of the keys that are known to be the distribution's: ${*:2}"
	echo "trusted, by their fingerprints:"
	gpg --quiet --batch --with-colons --list-keys "${@:2}" 2>/dev/null | sed -n 's/^uid:.*:\([^:]*@[^:]*\):.*/  \1/p'
}

refuse() { # PLACE WHY
	rm -r "$1"
	echo "$2" >&2
	exit 1
}
