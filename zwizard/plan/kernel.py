"""The initramfs, or the user's own kernel."""

from zwizard.distros.base import Distro
from zwizard.families import family
from zwizard.recipe.model import Recipe
from zwizard.recipe.relevance import treatment
from zwizard.sources import completion
from zwizard.steps.actions import InstallKernel
from zwizard.steps.step import Step
from zwizard.util.units import MIB


def initramfs(recipe: Recipe, distro: Distro) -> Step:
    """An initramfs with the modules that reach the root file system; or the user's own kernel."""
    own, modules, image = recipe.kernel, recipe.kernel.modules, recipe.target == "image"
    new = treatment(recipe.values()) == "installed"
    make = family.of(distro).initramfs if new else completion.initramfs
    if own.file:
        return Step(
            "own-kernel",
            "Put your kernel into /boot",
            (
                '"If you need control over the kernel you can actually still provide it inside the'
                ' flist"',
                "It must have virtiofs and virtio_pci: built in, or in its initramfs.",
            ),
            (InstallKernel(own.file, own.sha256, own.initrd, own.initrd_sha256),),
            answers=("kernel.file", "kernel.sha256", "kernel.initrd", "kernel.initrd_sha256"),
            network="://" in own.file + own.initrd,
            size=60 * MIB,
        )
    return Step(
        "initramfs",
        "Make the initramfs, with " + " and ".join(modules or ("no module added",)),
        (
            '"make sure that virtiofs is part of the initramfs image"',
            "With only the modules that reach the root file system, which has all others: the"
            " machine boots faster.",
        ),
        make(modules, image=image),
        answers=("kernel.modules",),
        size=20 * MIB,
        guide=("echo 'fs-virtiofs' >> /etc/initramfs-tools/modules\nupdate-initramfs -c -k all"),
    )
