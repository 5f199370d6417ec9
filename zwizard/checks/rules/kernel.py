"""Rules about a VM's own kernel, its initramfs and its drivers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zwizard.checks import upgrades
from zwizard.checks.drivers import READS as DRIVER_READS
from zwizard.checks.drivers import DriverLocation, Drivers
from zwizard.checks.helpers import leads_to_file, leads_to_program
from zwizard.checks.mode_detection import INITRD, KERNEL
from zwizard.checks.rule import (
    VM,
    VM_IMAGE,
    Severity,
    Verdict,
    failed,
    not_applicable,
    passed,
    rule,
    unknown,
)
from zwizard.image.tree import EntryType

if TYPE_CHECKING:
    from zwizard.checks.context import CheckContext
    from zwizard.image.executables.initramfs import Initramfs

_EXTRACT = "Replace it by the ELF inside it: zwizard repair does, as the kernel's extract-vmlinux."
_INITRD_MODULES = (
    "On Debian and Ubuntu: echo {module} >> /etc/initramfs-tools/modules, then"
    " update-initramfs -c -k all; with dracut: --no-hostonly --add virtiofs; with mkinitcpio:"
    " MODULES=(virtio_pci virtiofs)."
)
_NO_INITRD = (
    "Make an initramfs that holds virtiofs and virtio_pci, and put it at /boot/initrd.img."
)

# What a guest of Zero-OS needs beside its root: the seed disk (FAT, with its code pages) over
# virtio, the network, and a console.
_DRIVERS = (
    ("virtio_blk", "CONFIG_VIRTIO_BLK"),
    ("virtio_net", "CONFIG_VIRTIO_NET"),
    ("vfat", "CONFIG_VFAT_FS"),
)
_RECENT = (5, 10)


@rule(
    "kernel-resolves",
    "/boot/vmlinuz leads to a file in the image",
    severity=Severity.MUST,
    modes=VM,
    source="“Any of those files can be a symlink to another file in the flist.” (zmachine.md,"
    " “VM”)",
    remedy="Make /boot/vmlinuz the kernel, or a relative link to it:"
    " ln -sf vmlinuz-VERSION boot/vmlinuz",
    reads=("/boot/vmlinu*", "/boot/initr*", "/boot/bzImage*", "/lib/modules/*/vmlinuz"),
    answers=("kernel.package", "kernel.file"),
)
def kernel_resolves(image: CheckContext) -> Verdict:
    """No loop, no dangling link, no empty file."""
    return leads_to_file(image.view.resolve(KERNEL), _elsewhere(image))


def _elsewhere(image: CheckContext) -> str:
    """Debian keeps its links in the root, other distributions have names of their own."""
    found = [e.path for e in image.view.listing("/boot") if e.name.startswith("vmlinuz-")]
    if image.view.lstat("/vmlinuz") is not None:
        found.append("/vmlinuz")
    return f"; there is {', '.join(found[:3])}" if found else ""


@rule(
    "kernel-link-relative",
    "The links to the kernel and its initramfs stay inside the image",
    severity=Severity.MUST,
    modes=VM,
    source="Zero-OS follows links on its own disk, where an absolute one leads to nothing: the"
    " image then starts as a container, without a word (Zero-OS, getFlistInfo).",
    remedy="Make the links relative: ln -sf vmlinuz-VERSION boot/vmlinuz, and"
    " ln -sf initrd.img-VERSION boot/initrd.img",
    answers=("system.run",),
)
def kernel_link_relative(image: CheckContext) -> Verdict:
    """No absolute link on the way, nor one that climbs above the root."""
    links = 0
    for path in (KERNEL, INITRD):
        found = image.view.resolve(path)
        if found.outside is not None:
            link = found.outside
            return failed(f"on the way of {path}: {link.path} -> {link.target}")
        links += len(found.chain)
    return passed(f"{links} links, all relative" if links else "no links")


@rule(
    "kernel-elf",
    "The kernel is an uncompressed ELF for x86-64",
    severity=Severity.MUST,
    modes=VM,
    source="“the vmlinuz MUST be an EFI kernel (not compressed) […] or you can use the"
    " extract-vmlinux script” (zmachine.md, “VM”; what is meant is the ELF that script extracts)",
    remedy="Install a kernel for x86-64, and extract its vmlinux to /boot/vmlinuz.",
    after="kernel-resolves",
    answers=("kernel.package", "kernel.file"),
)
def kernel_elf(image: CheckContext) -> Verdict:
    """ELF64, little-endian, x86-64, with headers its loader takes and a PT_LOAD."""
    kernel = image.kernel
    if kernel.elf is None:
        return failed(f"it is {kernel.description}", _EXTRACT if kernel.bzimage else "")
    if kernel.elf.fault:
        return failed(kernel.elf.fault)
    return passed(f"ELF64, x86-64, {len(kernel.elf.segments)} segments")


@rule(
    "kernel-pvh",
    "The kernel has the PVH entry that the hypervisor starts",
    severity=Severity.MUST,
    modes=VM,
    source="“To test if your kernel is a valid elf kernel run command readelf -n” (zmachine.md,"
    " “VM”): it has to show a note of owner Xen and type 0x12, or the hypervisor says “Kernel"
    " lacks PVH header”.",
    remedy="Use a kernel built with CONFIG_PVH=y, as those of Debian, Ubuntu and Arch are.",
    after="kernel-elf",
    answers=("kernel.package", "kernel.file"),
)
def kernel_pvh(image: CheckContext) -> Verdict:
    """A PT_NOTE with owner Xen, type 0x12 and a descriptor of at least four bytes."""
    elf = image.kernel.elf
    if elf is not None and elf.pvh is not None:
        return passed(f"note Xen 0x12, entry {elf.pvh:#x}")
    notes = ", ".join(elf.notes) if elf is not None and elf.notes else "no notes at all"
    return failed(f"no note Xen 0x12; found: {notes}")


@rule(
    "kernel-whole",
    "The kernel file is whole",
    severity=Severity.MUST,
    modes=VM,
    source="The hypervisor loads every segment from the file; one that is cut does not start.",
    remedy="Extract or copy the kernel again, and look whether the disk was full.",
    after="kernel-elf",
    answers=("kernel.package", "kernel.file"),
)
def kernel_whole(image: CheckContext) -> Verdict:
    """Every segment lies inside the file."""
    elf = image.kernel.elf
    if elf is None or elf.cut is not None:
        cut = elf.cut if elf is not None else None
        needed = cut.offset + cut.size if cut is not None else 0
        return failed(f"a segment ends at byte {needed}, the file at {elf.size if elf else 0}")
    return passed(f"{elf.size} bytes")


@rule(
    "kernel-version",
    "The kernel, its modules and its initramfs are of one version",
    severity=Severity.MUST,
    modes=VM,
    source="A kernel loads only modules of its own version: with others, virtiofs and with it the"
    " root file system are missing.",
    remedy="Install the kernel's own modules, make the initramfs again, and let /boot/vmlinuz and"
    " /boot/initrd.img lead to the same version.",
    after="kernel-resolves",
    reads=DRIVER_READS,
    answers=("kernel.package", "kernel.file"),
)
def kernel_version(image: CheckContext) -> Verdict:
    """The banner's version, /lib/modules/<version>/modules.dep, and the initramfs's modules."""
    version = image.kernel.version
    if not version:
        return unknown("the kernel does not say its version (“Linux version …”)")
    initramfs = image.initramfs if image.view.resolve(INITRD).file is not None else None
    inside = sorted(initramfs.modules) if initramfs is not None else []
    if [found for found in inside if found != version]:
        return failed(f"the kernel is {version}, the modules in the initramfs {', '.join(inside)}")
    if image.view.resolve(f"/lib/modules/{version}/modules.dep").file is not None:
        return passed(f"{version}{', in the initramfs too' if inside else ''}")
    if image.drivers.monolithic:
        return passed(f"{version}, which loads no modules")
    there = [e.name for e in image.view.listing("/lib/modules") if e.kind is EntryType.DIRECTORY]
    if version in there:
        return failed(f"/lib/modules/{version} has no modules.dep", "Run depmod in the image.")
    held = ", ".join(there[:5]) if there else "no modules"
    return failed(f"the kernel is {version}, but /lib/modules has {held}")


@rule(
    "kernel-recent",
    "The kernel is 5.10 or newer",
    severity=Severity.SHOULD,
    modes=VM,
    source="The hypervisor's document on virtiofs asks for 5.10 (cloud-hypervisor, docs/fs.md).",
    remedy="Use a newer kernel.",
    after="kernel-resolves",
    answers=("kernel.package", "kernel.file", "source.suite"),
)
def kernel_recent(image: CheckContext) -> Verdict:
    """virtiofs is older, but has grown up by then."""
    version = image.kernel.version
    found = re.match(r"(\d{1,6})\.(\d{1,6})", version)
    if found is None:
        return unknown(f"the kernel does not say its version ({version or 'none found'})")
    recent = (int(found[1]), int(found[2])) >= _RECENT
    return passed(version) if recent else failed(version)


@rule(
    "kernel-drivers",
    "The kernel has the drivers of a Zero-OS machine",
    severity=Severity.SHOULD,
    modes=VM,
    source="The guest's settings come on a FAT disk over virtio-blk, its network over virtio-net,"
    " its console is ttyS0 (Zero-OS, pkg/vm; cloud-hypervisor's linux-config-x86_64).",
    remedy="Install the distribution's full set of modules for this kernel, or build them in.",
    after="kernel-version",
    answers=("kernel.package", "kernel.file"),
)
def kernel_drivers(image: CheckContext) -> Verdict:
    """virtio_blk, virtio_net, vfat with its code pages: anywhere; the 8250 console: built in."""
    drivers = image.drivers
    wanted = (*_DRIVERS, *_code_pages(drivers))
    places = {module: drivers.place(module, option) for module, option in wanted}
    places["8250 console"] = _console(drivers)
    missing = [name for name, place in places.items() if place is DriverLocation.MISSING]
    if missing:
        return failed(f"missing: {', '.join(missing)}")
    doubtful = [name for name, place in places.items() if place is DriverLocation.UNKNOWN]
    if doubtful:
        return unknown(f"no configuration tells of {', '.join(doubtful)}")
    return passed(", ".join(f"{name} {place.value}" for name, place in places.items()))


def _code_pages(drivers: Drivers) -> tuple[tuple[str, str], ...]:
    """The two tables that mounting FAT asks for, by the kernel's own defaults."""
    options = drivers.options or {}
    page = options.get("CONFIG_FAT_DEFAULT_CODEPAGE", "437")
    charset = options.get("CONFIG_FAT_DEFAULT_IOCHARSET", "iso8859-1").replace("-", "_")
    return (
        (f"nls_cp{page}", f"CONFIG_NLS_CODEPAGE_{page}"),
        (f"nls_{charset}", f"CONFIG_NLS_{charset.upper()}"),
    )


def _console(drivers: Drivers) -> DriverLocation:
    if drivers.options is not None:
        console = drivers.options.get("CONFIG_SERIAL_8250_CONSOLE")
        return DriverLocation.BUILT_IN if console == "y" else DriverLocation.MISSING
    found = drivers.place("8250", "CONFIG_SERIAL_8250")
    return DriverLocation.MISSING if found is DriverLocation.MODULE else found


@rule(
    "kernel-btrfs",
    "The kernel can mount the disks that Zero-OS adds",
    severity=Severity.ADVICE,
    modes=VM,
    source="Zero-OS formats the extra disks of a deployment as btrfs (Zero-OS, pkg/vm).",
    remedy="Install the btrfs module if the machine will have disks of its own.",
    after="kernel-version",
    answers=("kernel.package", "kernel.file"),
)
def kernel_btrfs(image: CheckContext) -> Verdict:
    """Only needed with extra disks."""
    match image.drivers.place("btrfs", "CONFIG_BTRFS_FS"):
        case DriverLocation.MISSING:
            return failed("btrfs is missing")
        case DriverLocation.UNKNOWN:
            return unknown("no configuration tells of btrfs")
        case place:
            return passed(f"btrfs is {place.value}")


@rule(
    "kernel-upgrades",
    "No upgrade puts a compressed kernel in the place of this one",
    severity=Severity.SHOULD,
    modes=VM,
    source="An upgrade inside the VM replaces the extracted kernel by a compressed one; on older"
    " nodes the next boot fails, and the workload is deleted (zos issue 2236).",
    remedy="Hold the kernel's packages (apt-mark hold), or install a hook in"
    " /etc/kernel/postinst.d that extracts each new kernel.",
    after="kernel-resolves",
    reads=upgrades.READS,
    answers=("system.run",),
)
def kernel_upgrades(image: CheckContext) -> Verdict:
    """Held, pinned, extracted again by a hook, or owned by no package."""
    return upgrades.judge(image.view, image.view.resolve(KERNEL).file)


@rule(
    "initrd-resolves",
    "/boot/initrd.img leads to a file in the image, or is not needed",
    severity=Severity.MUST,
    modes=VM,
    source="“/boot/initrd.img [optional]” (zmachine.md, “VM”): without it the kernel has to mount"
    " its virtiofs root alone, or stops with “VFS: Cannot open root device "
    "“vroot””.",
    remedy="Make /boot/initrd.img the initramfs, or a relative link to it:"
    " ln -sf initrd.img-VERSION boot/initrd.img",
    after="kernel-resolves",
    answers=("kernel.modules", "kernel.initrd"),
)
def initrd_resolves(image: CheckContext) -> Verdict:
    """A non-empty file; or nothing, with virtiofs and virtio_pci built into the kernel."""
    if image.view.lstat(INITRD) is None:
        return _without_initrd(image)
    return leads_to_file(image.view.resolve(INITRD))


def _without_initrd(image: CheckContext) -> Verdict:
    needed = {"virtiofs": "CONFIG_VIRTIO_FS", "virtio_pci": "CONFIG_VIRTIO_PCI"}
    places = {name: image.drivers.place(name, option) for name, option in needed.items()}
    outside = [name for name, place in places.items() if place is not DriverLocation.BUILT_IN]
    if not outside:
        return passed("there is none; virtiofs and virtio_pci are built into the kernel")
    if all(places[name] is DriverLocation.UNKNOWN for name in outside):
        return unknown(f"there is none, and nothing tells whether {outside[0]} is built in")
    return failed(
        f"there is none, and not built into the kernel: {', '.join(outside)}", _NO_INITRD
    )


@rule(
    "initrd-readable",
    "The kernel can unpack the initramfs, and finds /init in it",
    severity=Severity.MUST,
    modes=VM,
    source="The kernel unpacks one cpio archive after another and starts /init"
    " (docs.kernel.org, “initramfs buffer format”).",
    remedy="Make the initramfs again: update-initramfs -c -k all, dracut or mkinitcpio.",
    after="initrd-resolves",
    answers=("kernel.modules", "kernel.initrd"),
)
def initrd_readable(image: CheckContext) -> Verdict:
    """cpio archives to the end, with ``/init``, in compressions this kernel knows."""
    initramfs = image.initramfs
    if initramfs is None:
        return not_applicable("there is no /boot/initrd.img")
    if initramfs.fault:
        return (unknown if initramfs.bounded else failed)(initramfs.fault)
    if not initramfs.init:
        return failed(f"{initramfs.entries} files, no /init among them")
    for form in filter(None, initramfs.compressions):
        if (image.drivers.options or {}).get(f"CONFIG_RD_{form.upper()}") == "n":
            return failed(f"it is compressed with {form}, which this kernel cannot unpack")
    forms = ", then ".join(form or "uncompressed" for form in initramfs.compressions)
    return passed(f"{forms}; {initramfs.entries} files, with /init")


@rule(
    "initrd-virtiofs",
    "virtiofs is in the initramfs, or built into the kernel",
    severity=Severity.MUST,
    modes=VM,
    source="“Next make sure that virtiofs is part of the initramfs image” (zmachine.md, “Building"
    " an ubuntu VM flist”)",
    remedy=_INITRD_MODULES.format(module="fs-virtiofs"),
    after="initrd-resolves",
    answers=("kernel.modules", "kernel.initrd"),
)
def initrd_virtiofs(image: CheckContext) -> Verdict:
    """Without it the root is not mounted: “mounting vroot on /root failed”."""
    return _early(image, "virtiofs", "CONFIG_VIRTIO_FS")


@rule(
    "initrd-virtio-pci",
    "virtio_pci is in the initramfs, or built into the kernel",
    severity=Severity.MUST,
    modes=VM,
    source="virtiofs reaches the machine over PCI: without the driver the kernel says “virtio-fs:"
    " tag <vroot> not found” (dracut issue 2357).",
    remedy=_INITRD_MODULES.format(module="virtio_pci"),
    after="initrd-resolves",
    answers=("kernel.modules", "kernel.initrd"),
)
def initrd_virtio_pci(image: CheckContext) -> Verdict:
    """Built in on most distributions, a module on Debian 12."""
    return _early(image, "virtio_pci", "CONFIG_VIRTIO_PCI")


def _early(image: CheckContext, module: str, option: str) -> Verdict:
    """Whether a driver is there before the root is: built in, or in the initramfs."""
    initramfs, drivers = image.initramfs, image.drivers
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


@rule(
    "init-present",
    "/sbin/init is a program in the image",
    severity=Severity.MUST,
    modes=VM_IMAGE,
    source="The initramfs hands over to /sbin/init, or stops with “No init found”.",
    remedy="Install an init system: apt-get install systemd-sysv, or the distribution's own.",
    answers=("source.packages",),
)
def init_present(image: CheckContext) -> Verdict:
    """It resolves inside the image to an executable file."""
    return leads_to_program(image.guest.resolve("/sbin/init"))


RULES = (
    kernel_resolves,
    kernel_link_relative,
    kernel_elf,
    kernel_pvh,
    kernel_whole,
    kernel_version,
    kernel_recent,
    kernel_drivers,
    kernel_btrfs,
    kernel_upgrades,
    initrd_resolves,
    initrd_readable,
    initrd_virtiofs,
    initrd_virtio_pci,
    init_present,
)
