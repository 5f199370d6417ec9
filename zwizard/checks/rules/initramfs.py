"""Rules about the initramfs, which must start and mount the root: virtiofs, or the disk's."""

from zwizard.checks.context import CheckContext
from zwizard.checks.drivers import DriverLocation, Drivers
from zwizard.checks.helpers import leads_to_file
from zwizard.checks.mode_detection import INITRD, KERNEL
from zwizard.checks.root_mount import RootMount, maker_of
from zwizard.checks.rule import VM, VM_IMAGE, must
from zwizard.checks.verdict import Mode, Verdict, failed, not_applicable, passed, unknown
from zwizard.image.executables.entrypoint import Starter
from zwizard.image.executables.initramfs import Initramfs
from zwizard.image.tree import UnreadableError

_INITRD_MODULES = (
    "On Debian and Ubuntu: echo {module} >> /etc/initramfs-tools/modules, then"
    " update-initramfs -c -k all; with dracut: --no-hostonly --add virtiofs; with mkinitcpio:"
    " MODULES=(virtio_pci virtiofs)."
)
_NO_INITRD = "Build an initramfs with virtiofs and virtio_pci, and put it at /boot/initrd.img."
_NEEDED = {"virtiofs": "CONFIG_VIRTIO_FS", "virtio_pci": "CONFIG_VIRTIO_PCI"}


@must(
    "/boot/initrd.img leads to a file in the image, or none is needed",
    VM,
    source="“/boot/initrd.img [optional]” (Zmachine guide, “VM”): without it the kernel must"
    " mount its virtiofs root itself, or it stops with “VFS: Cannot open root device “vroot””.",
    fix="Make /boot/initrd.img the initramfs, or a relative link to it: ln -sf initrd.img-VERSION"
    " boot/initrd.img",
    example="/boot/initrd.img leads to /boot/initrd.img-6.1, which does not exist",
    after="kernel-resolves",
    keys=("kernel.modules", "kernel.initrd"),
)
def initrd_resolves(context: CheckContext) -> Verdict:
    """A non-empty file; or none, with virtiofs and virtio_pci built into the kernel."""
    if context.tree.lstat(INITRD) is None:
        return _without_initrd(context)
    return leads_to_file(context.tree.resolve(INITRD))


def _outside(drivers: Drivers) -> list[str]:
    """The drivers of the root that are not built into the kernel."""
    places = {name: drivers.place(name, option) for name, option in _NEEDED.items()}
    return [name for name, place in places.items() if place is not DriverLocation.BUILT_IN]


def _without_initrd(context: CheckContext) -> Verdict:
    outside = _outside(context.drivers)
    if not outside:
        return passed("no initramfs; virtiofs and virtio_pci are built into the kernel")
    places = {context.drivers.place(name, _NEEDED[name]) for name in outside}
    if places == {DriverLocation.UNKNOWN}:
        return unknown(f"no initramfs, and it is unknown whether {outside[0]} is built in")
    return failed(f"no initramfs, and not built into the kernel: {', '.join(outside)}", _NO_INITRD)


@must(
    "The kernel can unpack the initramfs, and /init is in it",
    VM_IMAGE,
    source="The kernel unpacks one cpio archive after another and starts /init (docs.kernel.org,"
    " “initramfs buffer format”; init/initramfs.c).",
    fix="Rebuild the initramfs: update-initramfs -c -k all, dracut or mkinitcpio.",
    example="it is compressed with zstd, which this kernel cannot decompress",
    keys=("kernel.modules", "kernel.initrd"),
)
def initrd_readable(context: CheckContext) -> Verdict:
    """Every part is cpio that this kernel can decompress, to its end, and /init is in one."""
    if (missing := _no_initramfs(context)) is not None:
        return missing
    initramfs = _initramfs(context)
    if initramfs.fault:
        return (unknown if initramfs.bounded else failed)(initramfs.fault)
    for form in filter(None, initramfs.compressions):
        if (context.drivers.options or {}).get(f"CONFIG_RD_{form.upper()}") == "n":
            return failed(f"it is compressed with {form}, which this kernel cannot decompress")
    if initramfs.resolve("/init").entry is None:
        why = f"; the kernel leaves out the rest: {initramfs.ignored}" if initramfs.ignored else ""
        if context.mode is Mode.VM and not why and not _outside(context.drivers):
            return passed("no /init; virtiofs and virtio_pci are built into the kernel")
        return failed(f"{initramfs.count} files, but no /init{why}")
    forms = ", then ".join(form or "uncompressed" for form in initramfs.compressions)
    rest = f"; the kernel leaves out: {initramfs.ignored}" if initramfs.ignored else ""
    return passed(f"{forms}; {initramfs.count} files, with /init{rest}")


def _no_initramfs(context: CheckContext) -> Verdict | None:
    """The verdict where there is none to judge."""
    if context.mode is Mode.VM:
        for path, rule in ((KERNEL, "kernel-resolves"), (INITRD, "initrd-resolves")):
            if context.tree.lstat(path) is not None and context.tree.resolve(path).file is None:
                return not_applicable(f"not checked: {rule} must pass first")
            if context.tree.lstat(path) is None:
                return not_applicable(f"{path} does not exist")
    else:
        try:
            _ = context.boot
        except UnreadableError as error:  # which the rules on GRUB report
            return not_applicable(error.message)
    return not_applicable("no initramfs is loaded") if context.initramfs is None else None


def _initramfs(context: CheckContext) -> Initramfs:
    assert context.initramfs is not None
    return context.initramfs


@must(
    "/init of the initramfs can start",
    VM_IMAGE,
    source="The kernel panics if it cannot start /init: “Failed to execute /init (error -2)”"
    " without its interpreter, -13 if it is not executable (init/main.c).",
    fix="Rebuild the initramfs: update-initramfs -c -k all, dracut or mkinitcpio.",
    example="/init needs /bin/bash does not exist",
    after="initrd-readable",
    keys=("kernel.modules", "kernel.initrd"),
)
def initrd_init(context: CheckContext) -> Verdict:
    """In the initramfs itself it is executable, and its interpreter or loader can start."""
    if context.initramfs is None or context.initramfs.resolve("/init").entry is None:
        return not_applicable("no /init, and none is needed")
    found = Starter(context.initramfs).check("/init")
    return (passed if found.starts else failed)(found.evidence)


@must(
    "The initramfs mounts the root of this machine",
    VM_IMAGE,
    source="Zero-OS starts a VM with root=vroot rootfstype=virtiofs, which each initramfs mounts"
    " in its own way (zosbase, pkg/vm; dracut: “Don't know how to handle root=vroot”); a disk"
    " image is a virtio disk.",
    fix="With dracut: --no-hostonly --add virtiofs (a disk image: --add-drivers virtio_blk); with"
    " mkinitcpio: MODULES=(virtio_pci virtiofs); instead of booster or tiny-initramfs:"
    " initramfs-tools.",
    example="made by dracut: dracut's module virtiofs is not in it",
    after="initrd-init",
    keys=("kernel.modules", "kernel.initrd"),
)
def initrd_root(context: CheckContext) -> Verdict:
    """Whose it is, and whether what that needs for this root is in it, drivers too."""
    if context.initramfs is None or context.initramfs.resolve("/init").entry is None:
        return not_applicable("the kernel mounts the root itself")
    version = context.kernel.version
    if not version:
        return unknown("the kernel's version was not found, so its modules are not known")
    init = context.guest.resolve(context.starts)
    mount = RootMount(context.initramfs, context.drivers, version, context.boot.filesystem, init)
    maker = maker_of(mount)
    # The drivers of virtiofs have rules of their own.
    fault = "" if mount.virtiofs else mount.driver_fault()
    if fault := fault or maker.fault(mount):
        return failed(f"made by {maker.name}: {fault}")
    return passed(f"made by {maker.name}, for a root on {mount.filesystem}")


@must(
    "virtiofs is in the initramfs, or built into the kernel",
    VM,
    source="“Next make sure that virtiofs is part of the initramfs image” (Zmachine guide,"
    " “Building an ubuntu VM flist”)",
    fix=_INITRD_MODULES.format(module="fs-virtiofs"),
    example="virtiofs is neither built in nor in the initramfs",
    after="initrd-resolves",
    keys=("kernel.modules", "kernel.initrd"),
)
def initrd_virtiofs(context: CheckContext) -> Verdict:
    """The module and its dependencies are in the initramfs, or it is built in."""
    return _early(context, "virtiofs", "CONFIG_VIRTIO_FS")


@must(
    "virtio_pci is in the initramfs, or built into the kernel",
    VM,
    source="virtiofs is a PCI device: without the driver the kernel says “virtio-fs: tag <vroot>"
    " not found” (dracut issue 2357).",
    fix=_INITRD_MODULES.format(module="virtio_pci"),
    example="virtio_pci is neither built in nor in the initramfs",
    after="initrd-resolves",
    keys=("kernel.modules", "kernel.initrd"),
)
def initrd_virtio_pci(context: CheckContext) -> Verdict:
    """The module and its dependencies are in the initramfs, or it is built in."""
    return _early(context, "virtio_pci", "CONFIG_VIRTIO_PCI")


def _early(context: CheckContext, module: str, option: str) -> Verdict:
    """Whether a driver is available before the root is mounted."""
    initramfs, drivers = context.initramfs, context.drivers
    if drivers.place(module, option) is DriverLocation.BUILT_IN:
        return passed(f"{module} is built into the kernel")
    if initramfs is not None and initramfs.has(module, context.kernel.version):
        return _with_needs(initramfs, drivers, module, context.kernel.version)
    if initramfs is not None and initramfs.fault:
        return unknown(f"the initramfs was not read to the end: {initramfs.fault}")
    others = sorted(initramfs.modules) if initramfs is not None else []
    hint = f" for {context.kernel.version}" if others else ""
    return failed(f"{module} is neither built in nor in the initramfs{hint}")


def _with_needs(initramfs: Initramfs, drivers: Drivers, module: str, version: str) -> Verdict:
    absent = [name for name in drivers.needs.get(module, ()) if not initramfs.has(name, version)]
    if absent:
        return failed(
            f"{module} is in the initramfs without its dependencies: {', '.join(absent)}"
        )
    return passed(f"{module} is in the initramfs")
