"""How an initramfs mounts the root: what each program that makes one has for it, and needs."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from zwizard.checks.drivers import DriverLocation, Drivers
from zwizard.checks.helpers import text
from zwizard.image.executables.entrypoint import Starter
from zwizard.image.executables.initramfs import Initramfs
from zwizard.image.executables.programs import find_program
from zwizard.image.tree import EntryType, Resolution

VIRTIOFS = "virtiofs"
# The first systemd that mounts a root which is no block device (NEWS, 254).
_SYSTEMD = 254
_ELF_BYTES = 64 << 20
_SETTINGS = 64 << 10

_OPTIONS = {
    VIRTIOFS: "CONFIG_VIRTIO_FS", "virtio_pci": "CONFIG_VIRTIO_PCI",
    "virtio_blk": "CONFIG_VIRTIO_BLK", "ext4": "CONFIG_EXT4_FS", "ext3": "CONFIG_EXT4_FS",
    "ext2": "CONFIG_EXT4_FS", "xfs": "CONFIG_XFS_FS", "btrfs": "CONFIG_BTRFS_FS",
    "f2fs": "CONFIG_F2FS_FS",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class RootMount:
    """An initramfs with the root that it has to mount.

    ``filesystem`` is the root's, ``version`` the kernel's, ``init`` what starts from the root.
    """

    initramfs: Initramfs
    drivers: Drivers
    version: str
    filesystem: str
    init: Resolution

    @property
    def virtiofs(self) -> bool:
        """The root is a virtiofs, named by a tag; else it is on a disk."""
        return self.filesystem == VIRTIOFS

    @property
    def needed(self) -> tuple[str, ...]:
        """The modules without which the root cannot be mounted."""
        disk = () if self.virtiofs else ("virtio_blk",)
        module = "ext4" if self.filesystem.startswith("ext") else self.filesystem
        return ("virtio_pci", *disk, module)

    def loaded(self, module: str) -> bool:
        """It is a module, which something in the initramfs has to load."""
        place = self.drivers.place(module, _OPTIONS.get(module, ""))
        return place is not DriverLocation.BUILT_IN

    def driver_fault(self) -> str:
        """Which driver is neither built in nor in the initramfs, "" if none."""
        for module in filter(self.loaded, self.needed):
            wanted = (module, *self.drivers.needs.get(module, ()))
            for name in wanted:
                if not self.initramfs.has(name, self.version):
                    behind = f", which {module} needs," if name != module else ""
                    return f"{name}{behind} is neither built in nor in the initramfs"
        return ""

    def exists(self, *patterns: str) -> bool:
        """Something is at one of the paths (shell patterns)."""
        return next(self.initramfs.glob(*patterns), None) is not None


@dataclass(frozen=True)
class Maker:
    """A program that makes initramfs images: how its own are known, and why one does not mount."""

    name: str
    made: Callable[[RootMount], bool]
    fault: Callable[[RootMount], str]


def maker_of(mount: RootMount) -> Maker:
    """Who made it; the last one takes all others."""
    return next(maker for maker in MAKERS if maker.made(mount))


def _initramfs_tools(mount: RootMount) -> str:
    tree = mount.initramfs
    boot = ""
    files = ("/conf/initramfs.conf", *(e.path for e in tree.glob("/conf/conf.d/*")))
    for path in files:
        for value in re.findall(r"^BOOT=[\"']?(\w*)", text(tree, path) or "", re.MULTILINE):
            boot = value
    if boot not in {"", "local"}:
        return f"its BOOT={boot} mounts another root than the one in root="
    for path in ("/scripts/functions", "/scripts/local"):
        if tree.resolve(path).file is None:
            return f"{path} does not exist in it"
    for name in ("mount", "run-init"):
        if find_program(tree, name) is None:
            return f"the program {name} is not in it"
    listed = set((text(tree, "/conf/modules") or "").replace("-", "_").split())
    return _loading(mount, listed)


def _loading(mount: RootMount, listed: set[str]) -> str:
    """Whether modules are loaded: by name, by udev, or by the kernel that calls modprobe."""
    modules = [name for name in mount.needed if mount.loaded(name)]
    if not modules:
        return ""
    found = Starter(mount.initramfs).check("/sbin/modprobe")
    if not found.starts:
        return f"it cannot load modules: {found.evidence}"
    base = f"/lib/modules/{mount.version}"
    if not mount.exists(f"{base}/modules.dep", f"{base}/modules.dep.bin"):
        return f"{base}/modules.dep does not exist in it: modprobe finds no module"
    devices = [name for name in modules if name.startswith("virtio_") and name not in listed]
    if devices and not mount.exists("/lib/systemd/systemd-udevd", "/bin/udevadm", "/sbin/udevd",
                                    "/lib/udev/udevd"):  # fmt: skip
        return f"nothing loads {devices[0]}: there is no udev, and it is not in /conf/modules"
    return ""


def _dracut(mount: RootMount) -> str:
    if not mount.virtiofs:
        hooks = [f"{place}/hooks/cmdline/*parse-block.sh" for place in _DRACUT]
        generator = "/lib/systemd/system-generators/dracut-rootfs-generator"
        found = mount.exists(*hooks, generator)
        return "" if found else "dracut's module rootfs-block is not in it"
    if not mount.exists(*(f"{place}/hooks/cmdline/*parse-virtiofs.sh" for place in _DRACUT)):
        return "dracut's module virtiofs is not in it: “Don't know how to handle root=vroot”"
    mounts = [f"{place}/hooks/{at}/*mount-virtiofs.sh" for place in _DRACUT
              for at in ("pre-mount", "mount")]  # fmt: skip
    return "" if mount.exists(*mounts) else "dracut's hook mount-virtiofs.sh is not in it"


_DRACUT = ("/lib/dracut", "/var/lib/dracut")


def _mkinitcpio(mount: RootMount) -> str:
    config = text(mount.initramfs, "/config") or ""
    if _is_systemd(mount):
        return _systemd(mount)
    if (link := mount.init.outside) is not None:
        # Before it enters the root it looks for /new_root/sbin/init: absolute links lead astray.
        return f"its /init follows {link.path} -> {link.target} in the initramfs itself"
    listed = re.findall(r"^MODULES=[\"'(]?([^\"'\n)]*)", config, re.MULTILINE)
    return _loading(mount, set(" ".join(listed).replace("-", "_").split()))


def _is_systemd(mount: RootMount) -> bool:
    found = mount.initramfs.resolve("/init").entry
    return found is not None and found.path.endswith("/systemd")


def _systemd(mount: RootMount) -> str:
    tree = mount.initramfs
    if not mount.exists("/lib/systemd/system-generators/systemd-fstab-generator"):
        return "systemd's fstab generator, which mounts the root, is not in it"
    libraries = tree.glob("/lib/systemd/libsystemd-shared-*", "/lib/*/systemd/libsystemd-shared-*",
                          "/lib64/systemd/libsystemd-shared-*")  # fmt: skip
    numbers = [re.search(r"-shared-(\d{1,4})", entry.name) for entry in libraries]
    version = max((int(found[1]) for found in numbers if found), default=_SYSTEMD)
    if mount.virtiofs and version < _SYSTEMD:
        return f"its systemd {version} waits for a device vroot; {_SYSTEMD} and newer mount it"
    return ""


def _blocks_only(name: str) -> Callable[[RootMount], str]:
    return lambda mount: f"{name} mounts only block devices" if mount.virtiofs else ""


def _by_hand(mount: RootMount) -> str:
    """An /init of somebody's own: whether it speaks of this root, and of its drivers.

    What it reads may be in a small file beside it: the root's file system, a list of modules.
    """
    with mount.initramfs.open("/init") as file:
        content = file.read(_ELF_BYTES).decode("utf-8", "replace")
    settings = _settings(mount)
    words = ("rootfstype", mount.filesystem, *(() if mount.virtiofs else ("root=", "/dev/vda")))
    if not any(word in content for word in words) and mount.filesystem not in settings:
        return f"its /init does not mount a {mount.filesystem}"
    if any(word in content for word in ("modalias", "udevd", "mdev")):
        return ""
    spoken = f"{content}\n{settings}".replace("-", "_")
    silent = [name for name in mount.needed if mount.loaded(name) and name not in spoken]
    return f"its /init does not load {silent[0]}" if silent else ""


def _settings(mount: RootMount) -> str:
    """The small files of the initramfs that are no modules."""
    found = []
    for entry in mount.initramfs.entries():
        small = entry.kind is EntryType.FILE and 0 < entry.size <= _SETTINGS
        if small and "/modules/" not in entry.path:
            with mount.initramfs.open_entry(entry) as file:
                found.append(file.read().decode("utf-8", "replace"))
    return "\n".join(found)


MAKERS = (
    Maker("dracut", lambda mount: mount.exists(*(f"{at}/hooks" for at in _DRACUT)), _dracut),
    Maker("initramfs-tools", lambda mount: mount.exists("/conf/initramfs.conf"), _initramfs_tools),
    Maker(
        "booster", lambda mount: mount.exists("/etc/booster.init.yaml"), _blocks_only("booster")
    ),
    Maker(
        "mkinitcpio", lambda mount: mount.exists("/init_functions", "/buildconfig"), _mkinitcpio
    ),
    Maker("systemd", _is_systemd, _systemd),
    Maker(
        "tiny-initramfs",
        lambda mount: _mentions(mount, b"only /dev/, 0xMAJMIN and UUID="),
        _blocks_only("tiny-initramfs"),
    ),
    Maker("an unknown program", lambda _: True, _by_hand),
)


def _mentions(mount: RootMount, words: bytes) -> bool:
    with mount.initramfs.open("/init") as file:
        return words in file.read(_ELF_BYTES)
