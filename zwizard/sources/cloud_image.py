"""A disk image that a distribution publishes for clouds."""

import re
import struct
from pathlib import Path

from zwizard import distros
from zwizard.image.magic import HEAD, file_type
from zwizard.recipe.model import Recipe
from zwizard.sources import completion
from zwizard.sources.base import EPOCH, InputReport, SourceKind
from zwizard.steps.actions import Convert, ImportDisk, Remove
from zwizard.steps.step import Step
from zwizard.util.text import parse_size, size
from zwizard.util.units import MIB


def _convert(recipe: Recipe) -> tuple[Step, ...]:
    """The raw image: downloaded if it is a URL, verified, converted."""
    source = recipe.source
    return (
        Step(
            "convert",
            "Convert the cloud image to image.raw",
            (
                '"This is a `Qcow2` image, this is not supported by zos"',
                '"if the image.raw size is larger than the allocated disk, the workload will'
                ' fail"',
                "Nothing inside is changed.",
            ),
            (Convert(source.location, source.sha256, parse_size(recipe.checklist.disk_size)),),
            answers=("source.location", "source.sha256", "checklist.disk_size"),
            network="://" in source.location,
            size=2500 * MIB,
            unpacks=source.location,
            guide=(
                "qemu-img convert -p -f qcow2 -O raw bionic-server-cloudimg-amd64.img image.raw"
            ),
        ),
    )


def _machine(recipe: Recipe) -> tuple[Step, ...]:
    """The tree of a VM from its disk, without what mounts its partitions; then what is missing."""
    source = recipe.source
    init = distros.named(source.distro).family == "none"
    step = Step(
        "import",
        "Take the root file system out of the disk image",
        (
            "Nothing is mounted, and the image is not changed. A flist has no partitions: lines of"
            " /etc/fstab that mount the disk's own become comments. /boot/efi and GRUB's menu,"
            " which makes GRUB's hooks fail at upgrades, are left out.",
        ),
        (
            ImportDisk(source.location, source.sha256, source.distro, init),
            Remove(("/boot/efi/*",)),
            completion.NO_GRUB,
            completion.RESOLV,
        ),
        answers=("source.location", "source.sha256", "source.distro"),
        network="://" in source.location,
        size=2000 * MIB,
        unpacks=source.location,
        guide="qemu-img convert -p -f qcow2 -O raw bionic-server-cloudimg-amd64.img image.raw",
    )
    return (step, completion.complete(recipe))


_QCOW2 = "a qcow2 disk image"
# Magic and version, backing file, its length, cluster, size (qemu's docs/interop/qcow2.rst).
_QCOW2_HEAD = struct.Struct(">8sQIIQ")
_ACCEPTED = {
    *("a raw disk image (GPT)", "a raw disk image (MBR)"),
    *("an ext2, ext3 or ext4 file system", "a file of an unknown kind"),
}


def inspect(file: Path) -> InputReport:
    """Whether ``file`` is a disk image that can be converted; raises OSError."""
    if file.is_dir():
        return InputReport(wrong="a directory; a cloud image is one file, qcow2 or raw")
    with file.open("rb") as opened:
        head = opened.read(HEAD)
    kind = file_type(head)
    if kind == _QCOW2 and len(head) >= _QCOW2_HEAD.size:
        _, backing, _, _, disk = _QCOW2_HEAD.unpack_from(head)
        if backing:
            wrong = "it needs another image, its backing file: flatten it first (qemu-img convert)"
            return InputReport(wrong=wrong)
        return InputReport(f"{kind} of {size(disk)}")
    if kind in _ACCEPTED:
        return InputReport(f"{kind}, {size(file.stat().st_size)}")
    if "disk image" in kind:
        return InputReport(wrong=f"it is {kind}: convert it first (qemu-img convert -O qcow2)")
    return InputReport(wrong=f"it is {kind}; a cloud image is qcow2 or raw, and not packed")


SOURCE = SourceKind(
    title="A cloud image",
    about={
        "vm": "qcow2 or raw, a file or a URL: its root file system becomes the VM's.",
        "image": "qcow2 or raw, a file or a URL: converted; nothing in it is changed.",
    },
    tree={"vm": _machine, "image": _convert},
    kernel=completion.kernel,
    settings=completion.settings,
    clean=completion.clean,
    epoch=lambda recipe: 0 if recipe.target == "image" else EPOCH,
    file_title="Cloud image",
    file_why="A file, or a URL that is downloaded: qcow2 or raw, recognised by its content."
    " Zero-OS takes only raw disk images, so it is converted.",
    file_example="jammy-server-cloudimg-amd64.img",
    inspect=inspect,
    names=re.compile(r"\.(?:img|qcow2?|raw)$"),
)
