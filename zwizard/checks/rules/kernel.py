"""Rules about a VM's own kernel and its drivers."""

import re
from collections.abc import Iterator

from zwizard.checks.context import CheckContext
from zwizard.checks.drivers import READS as DRIVER_READS
from zwizard.checks.drivers import DriverLocation, Drivers
from zwizard.checks.helpers import leads_to_file, lines, relative_links
from zwizard.checks.mode_detection import INITRD, KERNEL
from zwizard.checks.rule import VM, advice, must, should
from zwizard.checks.verdict import Severity, Verdict, failed, passed, unknown
from zwizard.image.boot_files import find_boot_files
from zwizard.image.tree import EntryType, FileTree

_EXTRACT = "Extract the ELF from it: zwizard repair does, like the kernel's extract-vmlinux."

# What a guest of Zero-OS needs beside its root: the seed disk (FAT, with its code pages) over
# virtio, the network, and a console.
_DRIVERS = (
    ("virtio_blk", "CONFIG_VIRTIO_BLK"),
    ("virtio_net", "CONFIG_VIRTIO_NET"),
    ("vfat", "CONFIG_VFAT_FS"),
)
_RECENT = (5, 10)


@must(
    "/boot/vmlinuz leads to a file in the image",
    VM,
    source="“Any of those files can be a symlink to another file in the flist.” (Zmachine guide,"
    " “VM”)",
    fix="Make /boot/vmlinuz the kernel, or a relative link to it: ln -sf vmlinuz-VERSION"
    " boot/vmlinuz",
    example="/boot/vmlinuz leads to /boot/vmlinuz-6.1.0-9, which does not exist",
    reads=("/boot/vmlinu*", "/boot/initr*", "/boot/bzImage*", "/lib/modules/*/vmlinuz"),
    keys=("kernel.package", "kernel.file"),
)
def kernel_resolves(context: CheckContext) -> Verdict:
    """The path leads to a file that is not empty."""
    return leads_to_file(context.tree.resolve(KERNEL), _elsewhere(context))


def _elsewhere(context: CheckContext) -> str:
    """The kernel that should be there: Debian has links in the root, others use other names."""
    found = find_boot_files(context.tree)
    return f"; found instead: {found.kernel}" if found else ""


@must(
    "The links to the kernel and its initramfs stay inside the image",
    VM,
    source="Zero-OS follows links on its own disk, where an absolute link leads nowhere: the image"
    " then silently starts as a container (Zero-OS, getFlistInfo).",
    fix="Make the links relative: ln -sf vmlinuz-VERSION boot/vmlinuz, and ln -sf"
    " initrd.img-VERSION boot/initrd.img",
    example="on the path /boot/vmlinuz: /boot/vmlinuz -> /boot/vmlinuz-6.1.0-9",
    keys=("system.run",),
)
def kernel_link_relative(context: CheckContext) -> Verdict:
    """No link on the two paths is absolute or leaves the image."""
    return relative_links(context.tree.resolve(KERNEL), context.tree.resolve(INITRD))


@must(
    "The kernel is an uncompressed ELF for x86-64",
    VM,
    source="“the vmlinuz MUST be an EFI kernel (not compressed) […] or you can use the"
    " extract-vmlinux script” (Zmachine guide, “VM”): this means the ELF file that the script"
    " extracts.",
    fix="Install a kernel for x86-64, and extract its vmlinux to /boot/vmlinuz.",
    example="it is a compressed kernel (bzImage: 6.1.0-9-cloud-amd64, lz4)",
    after="kernel-resolves",
    keys=("kernel.package", "kernel.file"),
)
def kernel_elf(context: CheckContext) -> Verdict:
    """An ELF64, little-endian, x86-64, with valid headers and a PT_LOAD segment."""
    kernel = context.kernel
    if kernel.fault:
        return failed(kernel.fault)
    if kernel.elf is None:
        return failed(f"it is {kernel.description}", _EXTRACT if kernel.bzimage else "")
    return passed(f"ELF64, x86-64, {len(kernel.elf.segments)} segments")


@must(
    "The kernel has the PVH entry point that the hypervisor uses",
    VM,
    source="“To test if your kernel is a valid elf kernel run command readelf -n” (Zmachine guide,"
    " “VM”): it must show a note with owner Xen and type 0x12, or the hypervisor fails with"
    " “Kernel lacks PVH header”.",
    fix="Use a kernel built with CONFIG_PVH=y, as those of Debian, Ubuntu and Arch are.",
    example="no note Xen 0x12; found: GNU 0x3",
    after="kernel-elf",
    keys=("kernel.package", "kernel.file"),
)
def kernel_pvh(context: CheckContext) -> Verdict:
    """A PT_NOTE segment has owner Xen, type 0x12 and a descriptor of at least four bytes."""
    kernel = context.kernel
    if kernel.pvh is not None:
        return passed(f"note Xen 0x12, entry {kernel.pvh:#x}")
    return failed(f"no note Xen 0x12; found: {', '.join(kernel.notes) or 'no notes at all'}")


@must(
    "The kernel file is complete",
    VM,
    source="The hypervisor loads every segment from the file; a truncated kernel does not start.",
    fix="Extract or copy the kernel again, and check that the disk is not full.",
    example="a segment ends at byte 41943040, the file at 20971520",
    after="kernel-elf",
    keys=("kernel.package", "kernel.file"),
)
def kernel_whole(context: CheckContext) -> Verdict:
    """Every segment lies inside the file."""
    elf = context.kernel.elf
    if elf is None:
        return unknown("the kernel is not an ELF file")
    if segment := elf.truncated:
        needed = segment.offset + segment.size
        return failed(f"a segment ends at byte {needed}, the file at {elf.size}")
    return passed(f"{elf.size} bytes")


@must(
    "Kernel, modules and initramfs have the same version",
    VM,
    source="A kernel loads only modules of its own version: with others it has no virtiofs and"
    " cannot mount the root file system.",
    fix="Install the kernel's own modules, rebuild the initramfs, and let /boot/vmlinuz and"
    " /boot/initrd.img lead to the same version.",
    example="the kernel is 6.2.0, the initramfs has modules for 6.1.0",
    after="kernel-resolves",
    reads=DRIVER_READS,
    keys=("kernel.package", "kernel.file"),
)
def kernel_version(context: CheckContext) -> Verdict:
    """The kernel's version matches /lib/modules/VERSION/modules.dep and the initramfs."""
    version = context.kernel.version
    if not version:
        return unknown("the kernel's version was not found (“Linux version …”)")
    initramfs = context.initramfs if context.tree.resolve(INITRD).file is not None else None
    inside = sorted(initramfs.modules) if initramfs is not None else []
    if inside and version not in inside:  # others beside the right ones do no harm
        return failed(
            f"the kernel is {version}, the initramfs has modules for {', '.join(inside)}"
        )
    if context.tree.resolve(f"/lib/modules/{version}/modules.dep").file is not None:
        return passed(f"{version}{', also in the initramfs' if inside else ''}")
    if context.drivers.monolithic:
        return passed(f"{version}, which loads no modules")
    there = [e.name for e in context.tree.listing("/lib/modules") if e.kind is EntryType.DIRECTORY]
    if version in there:
        return failed(f"/lib/modules/{version} has no modules.dep", "Run depmod in the image.")
    held = ", ".join(there[:5]) if there else "no modules"
    return failed(f"the kernel is {version}, but /lib/modules has {held}")


@should(
    "The kernel is 5.10 or newer",
    VM,
    source="cloud-hypervisor's documentation of virtiofs requires 5.10 (docs/fs.md).",
    fix="Use a newer kernel.",
    example="5.4.0",
    after="kernel-resolves",
    keys=("kernel.package", "kernel.file", "source.suite"),
)
def kernel_recent(context: CheckContext) -> Verdict:
    """The version is 5.10 or newer; virtiofs exists before, but is immature."""
    version = context.kernel.version
    found = re.match(r"(\d{1,6})\.(\d{1,6})", version)
    if found is None:
        return unknown(f"the kernel's version was not found ({version or 'none'})")
    recent = (int(found[1]), int(found[2])) >= _RECENT
    return passed(version) if recent else failed(version)


_MODPROBE = ("/etc/modprobe.d/*.conf", "/lib/modprobe.d/*.conf")
_LOADED = ("/etc/modules", "/etc/modules-load.d/*.conf", "/lib/modules-load.d/*.conf")
# udev loads drivers of devices, and heeds blacklist; the kernel loads file systems, and does not.
_BY_UDEV = frozenset({"virtio_blk", "virtio_net"})


@must(
    "The kernel has the drivers of a Zero-OS machine",
    VM,
    source="The guest gets its settings on a FAT disk over virtio-blk, its network over virtio-net"
    " and its console on ttyS0 (Zero-OS, pkg/vm; cloud-hypervisor's linux-config-x86_64).",
    fix="Install the distribution's full set of modules for this kernel, or build the drivers in;"
    " remove lines of modprobe.d that disable them.",
    example="missing: virtio_blk; or: /etc/modprobe.d/x.conf has: blacklist virtio-net",
    after="kernel-version",
    reads=_MODPROBE,
    keys=("kernel.package", "kernel.file"),
)
def kernel_drivers(context: CheckContext) -> Verdict:
    """virtio_blk, virtio_net and vfat exist and are loaded; without 8250 console: a warning."""
    drivers = context.drivers
    needed = (*_DRIVERS, *_code_pages(drivers))
    places = {module: drivers.place(module, option) for module, option in needed}
    places["8250 console"] = _console(drivers)
    missing = [name for name, place in places.items() if place is DriverLocation.MISSING]
    if missing:
        only_console = missing == ["8250 console"]
        severity = Severity.SHOULD if only_console else None
        return failed(f"missing: {', '.join(missing)}", severity=severity)
    modules = {name for name, place in places.items() if place is DriverLocation.MODULE}
    if (disabled := next(_disabled(context.tree, modules), None)) is not None:
        return failed(disabled)
    doubtful = [name for name, place in places.items() if place is DriverLocation.UNKNOWN]
    if doubtful:
        return unknown(f"no kernel configuration lists {', '.join(doubtful)}")
    return passed(", ".join(f"{name} {place.value}" for name, place in places.items()))


def _disabled(tree: FileTree, modules: set[str]) -> Iterator[str]:
    """The lines of modprobe.d(5) that keep one of ``modules`` from being loaded."""
    found = {entry.name: entry.path for entry in tree.glob(*reversed(_MODPROBE))}
    named = {line.replace("-", "_") for entry in tree.glob(*_LOADED)
             for line in lines(tree, entry.path)}  # fmt: skip
    for path in sorted(found.values()):
        for line in lines(tree, path):
            command, name, *rest = [*line.split(), "", ""]
            name = name.replace("-", "_")
            by_udev = command == "blacklist" and name in _BY_UDEV - named
            never = command == "install" and rest[0].endswith(("/true", "/false"))
            if name in modules and (by_udev or never):
                yield f"{path} has: {line}"


def _code_pages(drivers: Drivers) -> tuple[tuple[str, str], ...]:
    """The two code pages that mounting FAT needs, by the kernel's defaults."""
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


@advice(
    "The kernel can mount the disks that Zero-OS adds",
    VM,
    source="Zero-OS formats the extra disks of a deployment as btrfs (Zero-OS, pkg/vm).",
    fix="Install the btrfs module if the deployment will have extra disks.",
    example="btrfs is missing",
    after="kernel-version",
    keys=("kernel.package", "kernel.file"),
)
def kernel_btrfs(context: CheckContext) -> Verdict:
    """btrfs is built in or a module; only extra disks need it."""
    match context.drivers.place("btrfs", "CONFIG_BTRFS_FS"):
        case DriverLocation.MISSING:
            return failed("btrfs is missing")
        case DriverLocation.UNKNOWN:
            return unknown("no kernel configuration lists btrfs")
        case place:
            return passed(f"btrfs is {place.value}")
