"""A mirror of Arch's shape, made of Debian's files; pacman, its hooks and its keys are real.

No mirror of Arch Linux can be relied on here, and one in motion would not give the same bytes
twice. So a small Debian tree is split into packages with the names, the units and the paths that
Arch has, each signed, in two repositories. What they lack of Arch's own is stood in for by two
scripts: ``mkinitcpio``, which reads what was written for the real one (drop-ins, presets, MODULES,
HOOKS) and makes an initramfs of it that boots, and the script that pacman's hook runs when a
kernel comes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

_DEBIAN = (
    "bzip2 ca-certificates cloud-guest-utils cloud-init cpio curl dbus dosfstools e2fsprogs fdisk"
    " gnupg grub-common grub-efi-amd64-bin grub2-common init iproute2 kmod"
    " linux-image-cloud-amd64 lz4 makepkg netbase openssh-server pacman-package-manager"
    " systemd-resolved tzdata udev xz-utils zstd busybox-static"
)

# Which of Debian's packages make one of Arch's; "base" is all the rest.
_PACKAGES = {
    "cloud-init": ("cloud-init",),
    "cloud-guest-utils": ("cloud-guest-utils",),
    "dosfstools": ("dosfstools",),
    "e2fsprogs": ("e2fsprogs",),
    "grub": ("grub-common", "grub2-common", "grub-efi-amd64-bin"),
    "openssh": ("openssh-server", "openssh-sftp-server"),
    "xz": ("xz-utils",),
    "zstd": ("zstd",),
}
# What no package of a distribution brings along, or Arch has in another way.
_NOT_PACKED = (
    *("/boot/", "/dev/", "/proc/", "/run/", "/sys/", "/tmp/", "/usr/sbin/policy-rc.d"),
    *("/var/lib/dpkg", "/var/lib/apt", "/var/cache/", "/var/log/", "/etc/apt"),
    *("/etc/machine-id", "/etc/hostname", "/etc/resolv.conf", "/etc/ssh/ssh_host_"),
    *("/etc/systemd/system/", "/etc/kernel", "/etc/initramfs-tools", "/etc/default/grub.d"),
)
_SMALLER = tuple(
    f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("doc", "man", "locale", "info")
)
_MERGED = ("/bin/", "/lib/", "/lib64/", "/sbin/")

_MKINITCPIO = r"""#!/bin/bash
# Stands in for Arch's mkinitcpio: the initramfs of every preset, or of that one.
set -eu
source /etc/mkinitcpio.conf
for drop_in in /etc/mkinitcpio.conf.d/*.conf; do source "$drop_in"; done
[[ " ${HOOKS[*]} " == *" base "* ]] || { echo "no hook base" >&2; exit 1; }
[[ " ${HOOKS[*]} " != *" autodetect "* ]] || { echo "of this machine's hardware" >&2; exit 1; }
[ "$1" = -P ] && presets=(/etc/mkinitcpio.d/*.preset) || presets=("/etc/mkinitcpio.d/$2.preset")
for preset in "${presets[@]}"; do
	source "$preset"
	# As mkinitcpio does: from the header of the packed kernel (Linux: arch/x86/boot).
	at=$(od -An -v -t u2 -j 526 -N 2 "$ALL_kver")
	version=$(tail -c "+$((at + 513))" "$ALL_kver" | head -c 100 | tr '\0 ' '\n' | head -n 1)
	[ -d "/usr/lib/modules/$version" ] || { echo "invalid kernel: $ALL_kver" >&2; exit 1; }
	place=$(mktemp -d)
	mkdir -p "$place"/{bin,dev,proc,sys,root}
	cp /usr/lib/initcpio/busybox "$place/bin/busybox"
	ln -s busybox "$place/bin/sh"
	for module in "${MODULES[@]}" crc32c; do # a file system of the kernel's own has it by alias
		modprobe --set-version "$version" --show-depends "$module" |
			sed -n 's/^insmod \([^ ]*\).*/\1/p'
	done | awk '!seen[$0]++' >"$place/modules"
	while read -r file; do install -Dm644 "$file" "$place$file"; done <"$place/modules"
	install -m 755 /usr/lib/initcpio/init "$place/init"
	find "$place" -exec touch -hd @0 {} +
	(cd "$place" && find . -mindepth 1 | LC_ALL=C sort |
		cpio --quiet --reproducible -R 0:0 -H newc -o) | zstd -q "${COMPRESSION_OPTIONS[@]}" \
		>"$default_image"
	rm -r "$place"
	echo "==> Image generation successful: $default_image, with ${MODULES[*]}"
done
"""
_INIT = r"""#!/bin/sh
# The order is that of mkinitcpio's own: modules, the root by its UUID or as a name, hand over.
export PATH=/bin
busybox mount -t proc proc /proc
busybox mount -t sysfs sysfs /sys
busybox mount -t devtmpfs devtmpfs /dev
while read -r module; do busybox insmod "$module"; done </modules
type=auto flags= how=ro
for word in $(busybox cat /proc/cmdline); do
	case $word in
	root=*) root=${word#root=} ;;
	rootfstype=*) type=${word#rootfstype=} ;;
	rootflags=*) flags=,${word#rootflags=} ;;
	rw) how=rw ;;
	esac
done
case $root in
UUID=*)
	for try in 1 2 3 4 5 6 7 8 9; do
		found=$(busybox findfs "$root") && break
		busybox sleep 1
	done
	root=$found type=ext4
	;;
esac
busybox mount -t "$type" -o "$how$flags" "$root" /root
busybox mount --move /dev /root/dev
busybox umount /proc /sys
exec busybox switch_root /root /sbin/init
"""
_PRESET = 'ALL_kver="/boot/vmlinuz-{name}"\ndefault_image="/boot/initramfs-{name}.img"\n'
_KERNEL_COMES = r"""#!/bin/bash
# Stands in for the script of Arch's hook; the kernels that come are on its standard input.
set -eu
while read -r kernel; do
	[[ $kernel == */vmlinuz ]] || { exec mkinitcpio -P; }
	name=$(cat "${kernel%vmlinuz}pkgbase")
	[ -e "/etc/mkinitcpio.d/$name.preset" ] ||
		sed "s/%PKGBASE%/$name/" /usr/share/mkinitcpio/hook.preset |
		install -Dm644 /dev/stdin "/etc/mkinitcpio.d/$name.preset"
	install -Dm644 "$kernel" "/boot/vmlinuz-$name"
	mkinitcpio -p "$name"
done
"""
_HOOK = """\
[Trigger]
Type = Path
Operation = Install
Operation = Upgrade
Target = usr/lib/modules/*/vmlinuz
Target = usr/lib/initcpio/*

[Action]
When = PostTransaction
Exec = /usr/share/libalpm/scripts/mkinitcpio install
NeedsTargets
"""
_MAIN = """\
[Unit]
Before=cloud-init-local.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true

[Install]
WantedBy=cloud-init.target
"""
_RELEASE = 'NAME="Arch Linux"\nPRETTY_NAME="Arch Linux"\nID=arch\nBUILD_ID=rolling\n'


@dataclass
class Mirror:
    """A mirror in ``directory``; what it has is signed by the key of ``fingerprint``."""

    directory: Path
    fingerprint: str = field(init=False, default="")

    @property
    def tree(self) -> Path:
        """What its packages are made of."""
        return self.directory / ".tree"

    @property
    def source(self) -> str:
        """The [source] table of a recipe that is built from it, to which more can be added."""
        return (
            '[source]\ndistro = "arch"\nvariant = "minimal"\n'
            f'mirror = "{self.directory.as_uri()}"\nkeys = ["{self.fingerprint}"]\n'
        )

    def make(self) -> None:
        """All of it, from Debian's archive."""
        _run(
            *(
                "env",
                "INITRD=No",
                "mmdebstrap",
                "--quiet",
                "--mode=root",
                "--variant=minbase",
                *_SMALLER,
            ),
            *(f"--include={_DEBIAN.replace(' ', ',')}", "bookworm", str(self.tree)),
        )
        self._make_key()
        self._as_arch()
        taken: set[str] = set()
        for name, parts in _PACKAGES.items():
            files = set(_files(self.tree, parts))
            taken |= files
            self.package("core", name, files)
        self._kernel()
        own = set(_everything(self.tree)) - taken
        modules = {path for path in own if path.startswith("/usr/lib/modules")}
        initcpio = {
            path for path in own if "initcpio" in path or path.startswith("/usr/share/lib")
        }
        keyring = {path for path in own if "/keyrings/archlinux" in path}
        htop = own & {"/usr/bin/htop"}
        self.package("core", "linux", modules)
        self.package("core", "mkinitcpio", initcpio)
        self.package("core", "archlinux-keyring", keyring)
        self.package(
            "core", "base", own - modules - initcpio - keyring - htop, "archlinux-keyring"
        )
        self.package("extra", "htop", htop)
        self.package("extra", "unsigned", (), signed=False)

    def close(self) -> None:
        """End what keeps its key."""
        _run("gpgconf", "--homedir", str(self.directory / ".gnupg"), "--kill", "all")

    def upgrade_kernel(self) -> None:
        """The same kernel once more, as a later package."""
        modules = {path for path in _everything(self.tree) if path.startswith("/usr/lib/modules")}
        self.package("core", "linux", modules, version="2-1")

    def package(
        self,
        repository: str,
        name: str,
        paths: Iterable[str],
        *needs: str,
        version: str = "1-1",
        signed: bool = True,
    ) -> None:
        """A package of these files of the tree, and its entry in the repository."""
        place = self.directory / repository / "os/x86_64"
        place.mkdir(parents=True, exist_ok=True)
        file = place / f"{name}-{version}-x86_64.pkg.tar.zst"
        info = self.directory / ".PKGINFO"
        lines = [f"pkgname = {name}", f"pkgver = {version}", "arch = x86_64", "builddate = 1"]
        info.write_text("\n".join([*lines, *(f"depend = {need}" for need in needs)]) + "\n")
        listed = "\n".join(path.lstrip("/") for path in sorted(_with_parents(paths)))
        _run(
            *("tar", "--create", "--file", str(file), "--use-compress-program=zstd -1 -T0"),
            *("--numeric-owner", "--no-recursion", "-C", str(self.directory), ".PKGINFO"),
            *("-C", str(self.tree), "--files-from=-"),
            text=listed,
        )
        if signed:
            self._gpg("--detach-sign", "--output", f"{file}.sig", str(file))
        _run("repo-add", "--quiet", str(place / f"{repository}.db.tar.gz"), str(file))

    def _gpg(self, *arguments: str) -> str:
        home = self.directory / ".gnupg"
        home.mkdir(mode=0o700, exist_ok=True)
        return _run("gpg", "--homedir", str(home), "--batch", "--quiet", *arguments)

    def _make_key(self) -> None:
        """The packager's key, which is its own master key; the keyring's package offers it."""
        self._gpg(
            "--passphrase", "", "--quick-generate-key", "packager", "ed25519", "sign", "never"
        )
        listed = self._gpg("--with-colons", "--list-keys").splitlines()
        self.fingerprint = next(line.split(":")[9] for line in listed if line.startswith("fpr"))
        for directory in ("usr/share/pacman/keyrings", "usr/share/keyrings"):  # Arch's, Debian's
            (self.tree / directory).mkdir(parents=True, exist_ok=True)
            keyring = self.tree / directory / "archlinux.gpg"
            self._gpg("--yes", "--output", str(keyring), "--export")
            keyring.with_name("archlinux-trusted").write_text(f"{self.fingerprint}:4:\n")
            keyring.with_name("archlinux-revoked").write_text("")

    def _as_arch(self) -> None:
        """Units, paths and settings by the names that Arch has for them."""
        self._write("usr/lib/os-release", _RELEASE)
        units = self.tree / "usr/lib/systemd/system"
        (units / "ssh.service").rename(units / "sshd.service")
        (units / "cloud-init.service").rename(units / "cloud-init-network.service")
        for unit in units.glob("cloud-*"):  # later than Debian's, when D-Bus is there
            text = unit.read_text().replace("cloud-init.service", "cloud-init-network.service")
            for early in ("Before=sysinit.target\n", "DefaultDependencies=no\n"):
                text = text.replace(early, "")
            unit.write_text(text)
        self._write("usr/lib/systemd/system/cloud-init-main.service", _MAIN)
        config = self.tree / "etc/cloud/cloud.cfg"
        config.write_text(config.read_text().replace("distro: debian", "distro: arch"))
        lists = self.tree / "var/lib/dpkg/info"
        renamed = {"/lib/systemd/system/ssh.service": "/lib/systemd/system/sshd.service"}
        renamed["/lib/systemd/system/cloud-init.service"] = (
            "/lib/systemd/system/cloud-init-network.service\n"
            "/lib/systemd/system/cloud-init-main.service"
        )
        for name in ("openssh-server", "cloud-init"):
            listed = (lists / f"{name}.list").read_text().splitlines()
            (lists / f"{name}.list").write_text("\n".join(renamed.get(p, p) for p in listed))
        (self.tree / "var/cache/pacman/pkg").mkdir(parents=True, exist_ok=True)
        self._write("usr/bin/htop", "#!/bin/sh\n", 0o755)
        self._write("usr/bin/mkinitcpio", _MKINITCPIO, 0o755)
        self._write("usr/lib/initcpio/init", _INIT, 0o755)
        shutil.copy(self.tree / "bin/busybox", self.tree / "usr/lib/initcpio/busybox")
        self._write("etc/mkinitcpio.conf", "MODULES=()\nHOOKS=(base udev autodetect)\n")
        self._write("usr/share/mkinitcpio/hook.preset", _PRESET.format(name="%PKGBASE%"))
        self._write("usr/share/libalpm/scripts/mkinitcpio", _KERNEL_COMES, 0o755)
        self._write("usr/share/libalpm/hooks/90-mkinitcpio-install.hook", _HOOK)

    def _kernel(self) -> None:
        """Where Arch's packages have it."""
        (modules,) = (self.tree / "usr/lib/modules").iterdir()
        shutil.copy(self.tree / f"boot/vmlinuz-{modules.name}", modules / "vmlinuz")
        shutil.copy(self.tree / f"boot/config-{modules.name}", modules / "config")
        (modules / "pkgbase").write_text("linux\n")

    def _write(self, path: str, text: str, mode: int = 0o644) -> None:
        file = self.tree / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)


def _run(*argv: str, text: str = "") -> str:
    done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(argv)}: {done.stdout}{done.stderr}"
    return done.stdout


def _files(tree: Path, packages: tuple[str, ...]) -> Iterator[str]:
    """What Debian's ``packages`` brought, where it is really kept."""
    for package in packages:
        for line in (tree / f"var/lib/dpkg/info/{package}.list").read_text().splitlines():
            path = f"/usr{line}" if line.startswith(_MERGED) else line
            there = tree / path.lstrip("/")
            ours = path.count("/") > 1 and not _left_out(path)
            if ours and (there.is_symlink() or there.is_file()):
                yield path


def _everything(tree: Path) -> Iterator[str]:
    for directory, names, files in os.walk(tree):
        inside = directory.removeprefix(str(tree))
        for name in (*names, *files):
            path = f"{inside}/{name}"
            if not _left_out(path):
                yield path


def _left_out(path: str) -> bool:
    return path.startswith(_NOT_PACKED) and not path.startswith("/var/cache/pacman")


def _with_parents(paths: Iterable[str]) -> set[str]:
    """The directories that lead to them too, which every package has of its own."""
    return {str(one) for path in paths for one in (Path(path), *Path(path).parents[:-1])}
