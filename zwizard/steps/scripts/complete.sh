#!/bin/sh
# In a tree by others: which packages it lacks of those given, each with the paths that show it is
# there. One without paths comes along when others are installed anyway. It ends with lacking set.
set -eu
lacking='' along=''
while [ $# -gt 0 ]; do
	there=''
	for path in $2; do
		[ ! -e "$path" ] || there=$path
	done
	if [ -z "$2" ]; then
		along="$along $1"
	elif [ -n "$there" ]; then
		echo "there already: $1 ($there)"
	else
		echo "lacking: $1"
		lacking="$lacking $1"
	fi
	shift 2
done
[ -n "$lacking" ] || exit 0
lacking="$lacking$along"
