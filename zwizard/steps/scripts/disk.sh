# shellcheck shell=bash
# The disk image: partition table, ESP and root, written into the file $OUT without mounting it.
MIB=1048576

make_disk() { # SIZE ESP_SIZE (in MiB) ESP_MOUNT LABEL EPOCH DISK_ID ESP_PARTITION_ID ESP_ID ROOT_ID
	local cluster=1 esp_start=1 root_start=$((1 + $2)) root_size=$(($1 - $2 - 2))
	rm -f "$OUT"
	truncate --size "$1M" "$OUT"
	# Without telling the kernel, which it would wait for.
	sfdisk --quiet --wipe never --no-reread --no-tell-kernel "$OUT" <<-END
		label: gpt
		label-id: $6
		start=${esp_start}MiB, size=$2MiB, type=uefi, name=esp, uuid=$7
		start=${root_start}MiB, size=${root_size}MiB, type=linux, name=root, uuid=$9
	END
	# The cluster size that mkfs.vfat uses for a disk of that size.
	[ "$2" -le 260 ] || cluster=8
	[ "$2" -le 8192 ] || cluster=16
	# --invariant first, as it sets an id.
	mkfs.vfat --invariant -F 32 -s $cluster -g 64/32 -n ESP -i "${8//-/}" -h $((esp_start * MIB / 512)) \
		--offset $((esp_start * MIB / 512)) "$OUT" $(($2 * 1024))
	fill_esp "$OUT@@${esp_start}M" "$ROOT$3"
	# Without features that recent boot loaders cannot read.
	E2FSPROGS_FAKE_TIME=$5 mke2fs -q -F -t ext4 -b 4096 -O '^metadata_csum_seed,^orphan_file' \
		-L "$4" -U "$9" -E "offset=$((root_start * MIB)),hash_seed=$9,root_owner=0:0,nodiscard" \
		"$OUT" "${root_size}M"
	treetool ext4_writer "$ROOT" "$OUT" $((root_start * MIB)) "$5" "$3"
}

fill_esp() { # IMAGE DIRECTORY: in the order of names
	local -x MTOOLS_SKIP_CHECK=1 MTOOLSRC=/dev/null TZ=UTC LC_ALL=C
	local directory place files
	while IFS= read -r directory; do
		place=${directory#"$2"}
		[ -z "$place" ] || mmd -i "$1" "::$place"
		mapfile -d '' files < <(find "$directory" -maxdepth 1 -type f -print0 | sort -z)
		[ ${#files[@]} -eq 0 ] || mcopy -i "$1" "${files[@]}" "::$place/"
	done < <(find "$2" -type d | sort)
}
