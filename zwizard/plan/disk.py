"""The disk of an image.raw: its partitions, and the step that writes it."""

from uuid import NAMESPACE_URL, uuid5

from zwizard.distros.base import Distro
from zwizard.recipe.model import Recipe
from zwizard.recipe.problems import Problem, RecipeError
from zwizard.steps.actions import Layout, MakeDisk, Write
from zwizard.steps.step import Step
from zwizard.util.text import parse_size
from zwizard.util.units import MIB


def layout(recipe: Recipe, distro: Distro) -> Layout:
    """The partitions of the disk of ``recipe``; sizes are whole MiB.

    The ids depend only on the recipe's name: equal recipes give equal images, and no other key
    makes the steps that write an id run again.
    """

    def identifier(part: str) -> str:
        return str(uuid5(NAMESPACE_URL, f"zwizard:{recipe.name}/{part}"))

    serial = identifier("esp")[:8].upper()
    settings = recipe.disk
    return Layout(
        parse_size(settings.size) // MIB * MIB,
        parse_size(settings.esp_size) // MIB * MIB,
        settings.esp_mount or distro.esp_mount,
        settings.label,
        identifier("disk"),
        identifier("esp-partition"),
        f"{serial[:4]}-{serial[4:]}",
        identifier("root"),
    )


def must_hold(where: Layout, steps: tuple[Step, ...]) -> None:
    """RecipeError if ``steps`` need more, by their estimates, than the root partition has."""
    needed = sum(step.size for step in steps)
    # ext4 uses about 6 per cent itself: inode tables and journal.
    if needed > where.root_size * 0.94:
        smallest = -(-(needed * 100 // 94 + where.size - where.root_size) // (256 * MIB))
        raise RecipeError(
            (
                Problem(
                    "disk.size",
                    f"{where.size // MIB}MiB",
                    f"its root partition has {where.root_size // MIB} MiB and needs about"
                    f" {needed // MIB} MiB: set {smallest * 256}MiB or more",
                ),
            )
        )


def fstab(where: Layout) -> Write:
    """What is mounted at boot, by UUID."""
    return Write(
        "/etc/fstab",
        f"UUID={where.root_id} / ext4 defaults 0 1\n"
        f"UUID={where.esp_id} {where.esp_mount} vfat umask=0077,nofail 0 2\n",
    )


def disk(where: Layout, epoch: int) -> Step:
    """The image.raw: partitions, ESP and root, made without privileges, loop devices or mounts."""
    return Step(
        "disk",
        "Write the disk image",
        (
            '"an esp (boot) partition of 100M; a root partition that spans the remaining of the'
            ' disk"',
            '"this one has to be vfat of size 32"',
            "Written straight into the file: nothing is mounted, and holes stay holes.",
        ),
        (MakeDisk(where, epoch),),
        answers=("disk.size", "disk.esp_size", "disk.esp_mount", "disk.label"),
        size=700 * MIB,
        guide=(
            "parted $DISK mklabel gpt\nparted $DISK mkpart primary 1 100M\n"
            "parted $DISK set 1 esp on\nparted $DISK mkpart primary 100M 100%\n"
            "mkfs.vfat -F 32 /dev/vda1\nmkfs.ext4 -L cloud-root /dev/vda2\n"
            "mount /dev/vda2 /mnt\nmkdir /mnt/boot\nmount /dev/vda1 /mnt/boot"
        ),
    )
