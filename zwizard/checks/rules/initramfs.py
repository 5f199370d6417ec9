"""Rules about a VM's initramfs, which must mount the root over virtiofs."""

from __future__ import annotations

from zwizard.checks.context import CheckContext
from zwizard.checks.drivers import DriverLocation, Drivers
from zwizard.checks.helpers import leads_to_file
from zwizard.checks.mode_detection import INITRD
from zwizard.checks.rule import VM, must
from zwizard.checks.verdict import Verdict, failed, not_applicable, passed, unknown
from zwizard.image.executables.initramfs import Initramfs

_INITRD_MODULES = (
    "On Debian and Ubuntu: echo {module} >> /etc/initramfs-tools/modules, then"
    " update-initramfs -c -k all; with dracut: --no-hostonly --add virtiofs; with mkinitcpio:"
    " MODULES=(virtio_pci virtiofs)."
)
_NO_INITRD = "Build an initramfs with virtiofs and virtio_pci, and put it at /boot/initrd.img."


@must(
    "/boot/initrd.img leads to a file in the image, or none is needed",
    VM,
    source="“/boot/initrd.img [optional]” (Zmachine guide, “VM”): without it the kernel must"
    " mount its virtiofs root itself, or it stops with “VFS: Cannot open root device “vroot””.",
    fix="Make /boot/initrd.img the initramfs, or a relative link to it: ln -sf initrd.img-VERSION"
    " boot/initrd.img",
    after="kernel-resolves",
    keys=("kernel.modules", "kernel.initrd"),
)
def initrd_resolves(context: CheckContext) -> Verdict:
    """A non-empty file; or none, with virtiofs and virtio_pci built into the kernel."""
    if context.tree.lstat(INITRD) is None:
        return _without_initrd(context)
    return leads_to_file(context.tree.resolve(INITRD))


def _without_initrd(context: CheckContext) -> Verdict:
    needed = {"virtiofs": "CONFIG_VIRTIO_FS", "virtio_pci": "CONFIG_VIRTIO_PCI"}
    places = {name: context.drivers.place(name, option) for name, option in needed.items()}
    outside = [name for name, place in places.items() if place is not DriverLocation.BUILT_IN]
    if not outside:
        return passed("no initramfs; virtiofs and virtio_pci are built into the kernel")
    if all(places[name] is DriverLocation.UNKNOWN for name in outside):
        return unknown(f"no initramfs, and it is unknown whether {outside[0]} is built in")
    return failed(f"no initramfs, and not built into the kernel: {', '.join(outside)}", _NO_INITRD)


@must(
    "The kernel can unpack the initramfs, and /init is in it",
    VM,
    source="The kernel unpacks one cpio archive after another and starts /init (docs.kernel.org,"
    " “initramfs buffer format”).",
    fix="Rebuild the initramfs: update-initramfs -c -k all, dracut or mkinitcpio.",
    after="initrd-resolves",
    keys=("kernel.modules", "kernel.initrd"),
)
def initrd_readable(context: CheckContext) -> Verdict:
    """The file is cpio archives to its end, contains /init, and this kernel can decompress it."""
    initramfs = context.initramfs
    if initramfs is None:
        return not_applicable("/boot/initrd.img does not exist")
    if initramfs.fault:
        return (unknown if initramfs.bounded else failed)(initramfs.fault)
    if not initramfs.init:
        return failed(f"{initramfs.entries} files, but no /init")
    for form in filter(None, initramfs.compressions):
        if (context.drivers.options or {}).get(f"CONFIG_RD_{form.upper()}") == "n":
            return failed(f"it is compressed with {form}, which this kernel cannot decompress")
    forms = ", then ".join(form or "uncompressed" for form in initramfs.compressions)
    return passed(f"{forms}; {initramfs.entries} files, with /init")


@must(
    "virtiofs is in the initramfs, or built into the kernel",
    VM,
    source="“Next make sure that virtiofs is part of the initramfs image” (Zmachine guide,"
    " “Building an ubuntu VM flist”)",
    fix=_INITRD_MODULES.format(module="fs-virtiofs"),
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
    if initramfs is not None and initramfs.has(module):
        return _with_needs(initramfs, drivers, module)
    if initramfs is not None and initramfs.fault:
        return unknown(f"the initramfs was not read to the end: {initramfs.fault}")
    return failed(f"{module} is neither built in nor in the initramfs")


def _with_needs(initramfs: Initramfs, drivers: Drivers, module: str) -> Verdict:
    absent = [name for name in drivers.needs.get(module, ()) if not initramfs.has(name)]
    if absent:
        return failed(
            f"{module} is in the initramfs without its dependencies: {', '.join(absent)}"
        )
    return passed(f"{module} is in the initramfs")
