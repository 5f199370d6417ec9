#!/bin/sh
# GRUB's EFI program and its configuration, by the image's own tools in its tree. They look for
# disks that do not exist yet, so scripts stand in for grub-probe and grub-mkrelpath.
set -eu
esp=$1 esp_id=$2 root_id=$3
stand_in=/run/zwizard-grub
mkdir -p "$stand_in" /dev/disk/by-uuid "$esp/EFI/BOOT"
: >"/dev/disk/by-uuid/$root_id"
: >"/dev/disk/by-uuid/$esp_id"

cat >"$stand_in/grub-probe" <<END
#!/bin/sh
esp=$esp esp_id=$esp_id root_id=$root_id
END
cat >>"$stand_in/grub-probe" <<'END'
target=fs path=
while [ $# -gt 0 ]; do
	case $1 in
	--target=*) target=${1#*=} ;;
	-t | --target) target=$2 && shift ;;
	-d | --device | -0) ;;
	-*) ;;
	*) path=$1 ;;
	esac
	shift
done
case $path in
"$esp" | "$esp"/* | /dev/esp) device=/dev/esp id=$esp_id fs=fat hint=hd0,gpt1 ;;
*) device=/dev/root id=$root_id fs=ext2 hint=hd0,gpt2 ;;
esac
case $target in
device) echo "$device" ;;
fs_uuid) echo "$id" ;;
fs) echo "$fs" ;;
partmap) echo gpt ;;
compatibility_hint) echo "$hint" ;;
hints_string) echo "--hint-efi=$hint" ;;
abstraction | partuuid | cryptodisk_uuid | drive) ;;
*) exit 1 ;;
esac
END
chmod +x "$stand_in/grub-probe"

# The tree may be a directory of this machine's disk, which grub-mkrelpath would print too. Paths
# are relative to the root file system, or to the ESP if that is /boot.
boot_id=$root_id prefix=/boot/grub start=
[ "$esp" != /boot ] || boot_id=$esp_id prefix=/grub start=/boot
cat >"$stand_in/grub-mkrelpath" <<END
#!/bin/sh
for path; do :; done
echo "\${path#$start}"
END
chmod +x "$stand_in/grub-mkrelpath"

# grub-mkconfig and the scripts in /etc/grub.d take the two from this library.
cat >"$stand_in/grub-mkconfig_lib" <<END
. /usr/share/grub/grub-mkconfig_lib
grub_probe=$stand_in/grub-probe grub_mkrelpath=$stand_in/grub-mkrelpath
END

mkdir -p /boot/grub
cp -r /usr/lib/grub/x86_64-efi /boot/grub/
rm -f /boot/grub/x86_64-efi/*.img /boot/grub/x86_64-efi/*.exec
cat >"$stand_in/start.cfg" <<END
search --no-floppy --fs-uuid --set=root $boot_id
set prefix=(\$root)$prefix
END
grub-mkimage --format=x86_64-efi --output="$esp/EFI/BOOT/BOOTX64.EFI" \
	--config="$stand_in/start.cfg" --prefix="$prefix" \
	part_gpt fat ext2 search search_fs_uuid configfile normal linux echo test all_video gzio
pkgdatadir=$stand_in grub-mkconfig -o /boot/grub/grub.cfg

for kernel in /boot/vmlinuz-*; do
	[ ! -f "$kernel" ] || [ "$(head -c 4 "$kernel" | tail -c 3)" != ELF ] || {
		echo "$kernel is unpacked (ELF), as Zero-OS starts it from a flist; GRUB cannot: reinstall its package" >&2
		exit 1
	}
done
