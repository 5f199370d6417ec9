"""Rules about a disk image as a disk: its format, its partitions, its size, its file systems."""

from zwizard.checks.context import CheckContext
from zwizard.checks.helpers import text
from zwizard.checks.mode_detection import DISK_IMAGE
from zwizard.checks.rule import IMAGE, advice, must, should
from zwizard.checks.services import SSH
from zwizard.checks.verdict import Verdict, failed, passed, unknown
from zwizard.image.disk.gpt import Gpt
from zwizard.image.executables.programs import find_program
from zwizard.image.tree import UnreadableError
from zwizard.util.units import MIB

_CHUNK = 512 << 10

# What a raw disk may look like at its beginning; the next rule judges its partitions.
_RAW = frozenset({
    "a raw disk image (GPT)", "a raw disk image (MBR)", "a file of zeros",
    "a file of an unknown kind", "an ext2, ext3 or ext4 file system",
})  # fmt: skip


@must(
    "The disk image is raw",
    IMAGE,
    source="“This is a Qcow2 image, this is not supported by zos. So we need to convert this to a"
    " raw disk image” (Zmachine guide, “Use one of ubuntu cloud-images”)",
    fix="qemu-img convert -p -O raw FILE image.raw; decompress it first if it is compressed.",
    example="it is a qcow2 disk image",
    reads=(DISK_IMAGE,),
)
def image_is_raw(context: CheckContext) -> Verdict:
    """The image is not qcow2, vmdk, vdi, vhd, vhdx, ISO or compressed."""
    content = context.disk.content
    return passed(content) if content in _RAW else failed(f"it is {content}")


@must(
    "The disk has a GPT that the firmware can read",
    IMAGE,
    source="“First, create a gpt partition table” (Zmachine guide, “Installation”); Zero-OS's"
    " firmware requires sectors of 512 bytes, a first usable sector of 34 or more, entries of 128"
    " bytes and at most 16 partitions (rust-hypervisor-firmware 0.4.2, part.rs).",
    fix="Create a new table (parted image.raw mklabel gpt); sgdisk --verify image.raw shows what"
    " is wrong.",
    example="it has an MBR partition table and no GPT",
    after="image-is-raw",
)
def image_gpt(context: CheckContext) -> Verdict:
    """Both checksums are right, and the numbers are within the firmware's limits."""
    gpt = context.disk.gpt
    fault = gpt.fault or _refused(gpt)
    if fault:
        return failed(fault)
    return passed(f"GPT, {len(gpt.partitions)} partitions")


def _refused(gpt: Gpt) -> str:
    if gpt.first_usable < 34:
        return f"its first usable sector is {gpt.first_usable}, below 34"
    if gpt.entry_size != 128:
        return f"its entries have {gpt.entry_size} bytes, not 128"
    if len(gpt.partitions) > 16:
        return f"it has {len(gpt.partitions)} partitions, more than 16"
    return "" if gpt.partitions else "it has no partitions"


@must(
    "The root file system can be read",
    IMAGE,
    source="zwizard reads ext2, ext3 and ext4, and calls ready only what it has read.",
    fix="Make the root ext4, on a partition of its own.",
    example="partition 2 is xfs, which cannot be read here",
    after="image-gpt",
)
def image_root(context: CheckContext) -> Verdict:
    """One partition has /etc and /usr, /sbin or /bin."""
    volume = context.disk.root
    return passed(f"partition {volume.partition.number}, {volume.filesystem}")


@should(
    "The backup of the partition table is in the last sector",
    IMAGE,
    source="A backup anywhere else means that the image was truncated or grew after it was"
    " partitioned (UEFI 2.10, 5.3); tools that grow the root partition then refuse or ask.",
    fix="sgdisk --move-second-header image.raw if the image grew; build it again if it was"
    " truncated.",
    example="the image is truncated",
    after="image-gpt",
)
def image_gpt_backup(context: CheckContext) -> Verdict:
    """The last sector holds the same table, and every partition lies between the two."""
    fault = context.disk.gpt.backup_fault
    return failed(fault) if fault else passed("the last sector holds the same table")


@should(
    "The root partition is the last one",
    IMAGE,
    source="“a root partition that spans the remaining of the disk” (Zmachine guide,"
    " “Installation”): only the last partition can grow to the size of the deployment's disk.",
    fix="Move the root partition behind all others.",
    example="the root is partition 2, and partition 3 is behind it",
    after="image-gpt",
)
def root_partition_last(context: CheckContext) -> Verdict:
    """No partition is behind the root partition."""
    root = context.disk.root.partition
    behind = [v.partition.number for v in context.disk.volumes if v.partition.first > root.last]
    if behind:
        return failed(
            f"the root is partition {root.number}, and partition {behind[0]} is behind it"
        )
    return passed(f"the root is the last partition, number {root.number}")


@must(
    "The image is no larger than the disk it is written to",
    IMAGE,
    source="“if the image.raw size is larger than the allocated disk. the workload for the VM will"
    " fail” (Zmachine guide, “Expected Flist structure”), with “image size is bigger than disk”.",
    fix="Rent a larger disk, or make the image smaller.",
    example="image 10 GiB, disk 5 GiB: image size is bigger than disk",
    keys=("checklist.disk_size", "disk.size"),
)
def image_fits_disk(context: CheckContext) -> Verdict:
    """The image's size, holes included, is at most --disk-size."""
    size = context.disk.size
    if context.disk_size is None:
        return unknown(
            f"the image takes {_shown(size)}; the size of the disk is not given",
            f"Give it with --disk-size; the deployment's disk needs {_shown(size)} or more.",
        )
    sizes = f"{_shown(size)} on a disk of {_shown(context.disk_size)}"
    if size > context.disk_size:
        return failed(f"{sizes}: image size is bigger than disk")
    return passed(sizes)


def _shown(size: int) -> str:
    return f"{size / MIB:.0f} MiB" if size % MIB == 0 else f"{size} bytes"


@should(
    "The image's size is a multiple of 512 KiB",
    IMAGE,
    source="The hub counts a file's chunks of 512 KiB imprecisely: the end of a large file that"
    " does not end with a whole chunk can be lost (0-flist, zero_chunk.c).",
    fix="truncate -s %512K image.raw, then sgdisk --move-second-header image.raw",
    example="5368709632 bytes, 512 bytes more than a multiple",
    keys=("disk.size",),
)
def image_multiple(context: CheckContext) -> Verdict:
    """The image ends with a whole chunk of 512 KiB."""
    over = context.disk.size % _CHUNK
    if over:
        return failed(f"{context.disk.size} bytes, {over} bytes more than a multiple")
    return passed(f"{context.disk.size // _CHUNK} chunks")


@advice(
    "The root file system was unmounted cleanly",
    IMAGE,
    source="“power off by running poweroff command” (Zmachine guide, “Installation”): an image"
    " copied from a running machine has changes that are only in its journal.",
    fix="e2fsck -f on the partition, or shut the machine down before copying its disk.",
    example="the journal must be replayed",
    after="image-gpt",
)
def filesystem_clean(context: CheckContext) -> Verdict:
    """The file system is marked clean, and its journal is empty."""
    superblock = context.disk.root_superblock
    if superblock.needs_recovery:
        return failed("the journal must be replayed")
    return passed("clean") if superblock.clean else failed("it is not marked clean")


# What grows a file system to its partition.
_RESIZERS = {
    "ext2": "resize2fs", "ext3": "resize2fs", "ext4": "resize2fs",
    "xfs": "xfs_growfs", "btrfs": "btrfs",
}  # fmt: skip


@should(
    "The root file system can grow to the size of the disk",
    IMAGE,
    source="“Cloud-init will take care of resizing the filesystem on the image to take the full"
    " disk size allocated in the deployment.” (Zmachine guide, “Expected Flist structure”)",
    fix="Install growpart (Debian, Ubuntu and Arch: cloud-guest-utils) and the file system's own"
    " tools (e2fsprogs).",
    example="not installed: growpart",
    keys=("source.packages",),
)
def growpart(context: CheckContext) -> Verdict:
    """growpart and the resize tool of the root file system are installed."""
    form = context.disk.root.filesystem
    programs = ("growpart", *filter(None, [_RESIZERS.get(form)]))
    missing = [name for name in programs if find_program(context.guest, name) is None]
    if missing:
        return failed(f"not installed: {', '.join(missing)}")
    return passed(f"{' and '.join(programs)} are installed")


@must(
    "SSH, network, name resolution and cloud-init are enabled",
    IMAGE,
    source="“We make sure required services are enabled: systemctl enable sshd, systemd-networkd,"
    " systemd-resolved, cloud-init, cloud-final” (Zmachine guide, “Installation”)",
    fix="systemctl enable sshd systemd-networkd systemd-resolved cloud-init cloud-final",
    example="nothing starts an SSH server",
    keys=("system.services", "source.packages"),
)
def services_enabled(context: CheckContext) -> Verdict:
    """Each of the four is enabled, under one of its usual names."""
    services = context.services
    found = {
        "an SSH server": services.first_enabled(*SSH),
        "a network service": _network(context),
        "a resolver": _resolver(context),
        "cloud-init": min(services.pulled(("cloud-init", "cloud-init-network")), default=""),
    }
    missing = [name for name, service in found.items() if not service]
    if missing:
        return failed(f"nothing starts {', '.join(missing)}")
    return passed(", ".join(found.values()))


def _network(context: CheckContext) -> str:
    if find_program(context.guest, "netplan") and context.services.generator("netplan"):
        return "netplan"  # starts networkd or NetworkManager itself
    return context.services.first_enabled(
        "systemd-networkd", "NetworkManager", "networking", "network", "dhcpcd"
    )


def _resolver(context: CheckContext) -> str:
    names = ("systemd-resolved", "NetworkManager", "resolvconf", "unbound")
    if found := context.services.first_enabled(*names):
        return found
    try:
        servers = text(context.guest, "/etc/resolv.conf") or ""
    except UnreadableError:
        return ""
    return "nameserver in /etc/resolv.conf" if "nameserver" in servers else ""
