"""Rules about a VM's initramfs, which has to mount the root over virtiofs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zwizard.checks.drivers import DriverLocation, Drivers
from zwizard.checks.helpers import leads_to_file
from zwizard.checks.mode_detection import INITRD
from zwizard.checks.rule import VM, Rule
from zwizard.checks.verdict import Severity, Verdict, failed, not_applicable, passed, unknown

if TYPE_CHECKING:
    from zwizard.checks.context import CheckContext
    from zwizard.image.executables.initramfs import Initramfs

_INITRD_MODULES = (
    "On Debian and Ubuntu: echo {module} >> /etc/initramfs-tools/modules, then"
    " update-initramfs -c -k all; with dracut: --no-hostonly --add virtiofs; with mkinitcpio:"
    " MODULES=(virtio_pci virtiofs)."
)
_NO_INITRD = (
    "Make an initramfs that holds virtiofs and virtio_pci, and put it at /boot/initrd.img."
)


@Rule(
    "initrd-resolves",
    "/boot/initrd.img leads to a file in the image, or is not needed",
    severity=Severity.MUST,
    modes=VM,
    source="“/boot/initrd.img [optional]” (zmachine.md, “VM”): without it the kernel has to mount"
    " its virtiofs root alone, or stops with “VFS: Cannot open root device "
    "“vroot””.",
    fix="Make /boot/initrd.img the initramfs, or a relative link to it:"
    " ln -sf initrd.img-VERSION boot/initrd.img",
    after="kernel-resolves",
    keys=("kernel.modules", "kernel.initrd"),
)
def initrd_resolves(context: CheckContext) -> Verdict:
    """A non-empty file; or nothing, with virtiofs and virtio_pci built into the kernel."""
    if context.tree.lstat(INITRD) is None:
        return _without_initrd(context)
    return leads_to_file(context.tree.resolve(INITRD))


def _without_initrd(context: CheckContext) -> Verdict:
    needed = {"virtiofs": "CONFIG_VIRTIO_FS", "virtio_pci": "CONFIG_VIRTIO_PCI"}
    places = {name: context.drivers.place(name, option) for name, option in needed.items()}
    outside = [name for name, place in places.items() if place is not DriverLocation.BUILT_IN]
    if not outside:
        return passed("there is none; virtiofs and virtio_pci are built into the kernel")
    if all(places[name] is DriverLocation.UNKNOWN for name in outside):
        return unknown(f"there is none, and nothing tells whether {outside[0]} is built in")
    return failed(
        f"there is none, and not built into the kernel: {', '.join(outside)}", _NO_INITRD
    )


@Rule(
    "initrd-readable",
    "The kernel can unpack the initramfs, and finds /init in it",
    severity=Severity.MUST,
    modes=VM,
    source="The kernel unpacks one cpio archive after another and starts /init"
    " (docs.kernel.org, “initramfs buffer format”).",
    fix="Make the initramfs again: update-initramfs -c -k all, dracut or mkinitcpio.",
    after="initrd-resolves",
    keys=("kernel.modules", "kernel.initrd"),
)
def initrd_readable(context: CheckContext) -> Verdict:
    """cpio archives to the end, with ``/init``, in compressions this kernel knows."""
    initramfs = context.initramfs
    if initramfs is None:
        return not_applicable("there is no /boot/initrd.img")
    if initramfs.fault:
        return (unknown if initramfs.bounded else failed)(initramfs.fault)
    if not initramfs.init:
        return failed(f"{initramfs.entries} files, no /init among them")
    for form in filter(None, initramfs.compressions):
        if (context.drivers.options or {}).get(f"CONFIG_RD_{form.upper()}") == "n":
            return failed(f"it is compressed with {form}, which this kernel cannot unpack")
    forms = ", then ".join(form or "uncompressed" for form in initramfs.compressions)
    return passed(f"{forms}; {initramfs.entries} files, with /init")


@Rule(
    "initrd-virtiofs",
    "virtiofs is in the initramfs, or built into the kernel",
    severity=Severity.MUST,
    modes=VM,
    source="“Next make sure that virtiofs is part of the initramfs image” (zmachine.md, “Building"
    " an ubuntu VM flist”)",
    fix=_INITRD_MODULES.format(module="fs-virtiofs"),
    after="initrd-resolves",
    keys=("kernel.modules", "kernel.initrd"),
)
def initrd_virtiofs(context: CheckContext) -> Verdict:
    """Without it the root is not mounted: “mounting vroot on /root failed”."""
    return _early(context, "virtiofs", "CONFIG_VIRTIO_FS")


@Rule(
    "initrd-virtio-pci",
    "virtio_pci is in the initramfs, or built into the kernel",
    severity=Severity.MUST,
    modes=VM,
    source="virtiofs reaches the machine over PCI: without the driver the kernel says “virtio-fs:"
    " tag <vroot> not found” (dracut issue 2357).",
    fix=_INITRD_MODULES.format(module="virtio_pci"),
    after="initrd-resolves",
    keys=("kernel.modules", "kernel.initrd"),
)
def initrd_virtio_pci(context: CheckContext) -> Verdict:
    """Built in on most distributions, a module on Debian 12."""
    return _early(context, "virtio_pci", "CONFIG_VIRTIO_PCI")


def _early(context: CheckContext, module: str, option: str) -> Verdict:
    """Whether a driver is there before the root is: built in, or in the initramfs."""
    initramfs, drivers = context.initramfs, context.drivers
    if drivers.place(module, option) is DriverLocation.BUILT_IN:
        return passed(f"{module} is built into the kernel")
    if initramfs is not None and initramfs.has(module):
        return _with_needs(initramfs, drivers, module)
    if initramfs is not None and initramfs.fault:
        return unknown(f"the initramfs was not read to its end: {initramfs.fault}")
    return failed(f"{module} is not built in, not in the initramfs")


def _with_needs(initramfs: Initramfs, drivers: Drivers, module: str) -> Verdict:
    absent = [name for name in drivers.needs.get(module, ()) if not initramfs.has(name)]
    if absent:
        return failed(f"{module} is in the initramfs without what it needs: {', '.join(absent)}")
    return passed(f"{module} is in the initramfs")
