#!/bin/sh
# Find the packages that an imported tree misses. Arguments: pairs of a package and the paths that
# show that it is installed; one without paths is only added to others. Sets missing.
set -eu
missing='' added=''
while [ $# -gt 0 ]; do
	found=''
	for path in $2; do
		[ ! -e "$path" ] || found=$path
	done
	if [ -z "$2" ]; then
		added="$added $1"
	elif [ -n "$found" ]; then
		echo "installed: $1 ($found)"
	else
		echo "missing: $1"
		missing="$missing $1"
	fi
	shift 2
done
[ -n "$missing" ] || exit 0
missing="$missing$added"
