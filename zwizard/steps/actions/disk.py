"""Write the disk image."""

from collections.abc import Iterator
from dataclasses import dataclass

from zwizard.steps.actions.action import FunctionCall
from zwizard.util.units import MIB


@dataclass(frozen=True)
class Layout:
    """How a disk image is divided: an EFI system partition, and the root behind it.

    Sizes in bytes, whole MiB. ``esp_mount`` is where the ESP is mounted in the image. The ids are
    the disk's, the ESP's as a partition and as a file system (``1234-ABCD``), and the root's.
    """

    size: int
    esp_size: int
    esp_mount: str
    label: str
    disk_id: str
    esp_partition_id: str
    esp_id: str
    root_id: str

    @property
    def root_size(self) -> int:
        """Bytes of the root partition: a MiB each is left for the two partition tables."""
        return self.size - self.esp_size - 2 * MIB


@dataclass(frozen=True)
class MakeDisk(FunctionCall):
    """Write the tree as a disk image: GPT, ESP and an ext4 root, its times capped at ``epoch``."""

    layout: Layout
    epoch: int
    programs = ("debugfs", "mcopy", "mke2fs", "mkfs.vfat", "mmd", "sfdisk")
    scripts = ("disk.sh",)
    modules = ("ext4_writer",)
    function = "make_disk"
    leaves = "image"

    def arguments(self) -> Iterator[str]:
        """Sizes in MiB, where the ESP is mounted, the label, the epoch and the ids."""
        of = self.layout
        yield from (str(of.size // MIB), str(of.esp_size // MIB), of.esp_mount, of.label)
        yield from (str(self.epoch), of.disk_id, of.esp_partition_id, of.esp_id, of.root_id)
