"""A distribution, installed into an empty tree from its archive."""

from __future__ import annotations

from zwizard import distros
from zwizard.distros.base import Distro, Suite
from zwizard.families import family, guest
from zwizard.recipe.model import Recipe
from zwizard.recipe.problems import Problem, RecipeError
from zwizard.sources.base import SourceKind
from zwizard.steps.step import Step
from zwizard.util.units import MIB


def _records(recipe: Recipe) -> tuple[Distro, Suite]:
    """The records of the recipe's distribution and suite."""
    distro = distros.KNOWN.get(recipe.source.distro)
    suite = distro.suite(recipe.source.suite) if distro else None
    if distro is None or suite is None:
        allowed = f"cannot be installed; these can: {', '.join(distros.KNOWN)}"
        raise RecipeError((Problem("source.distro", recipe.source.distro, allowed),))
    return distro, suite


def _bootstrap(recipe: Recipe) -> tuple[Step, ...]:
    distro, suite = _records(recipe)
    return (family.of(distro).bootstrap(recipe, distro, suite),)


def _machine(recipe: Recipe) -> tuple[Step, ...]:
    """The base, and what every VM on Zero-OS needs: kernel, cloud-init, SSH, a network."""
    distro, suite = _records(recipe)
    return (*_bootstrap(recipe), family.of(distro).packages(recipe, distro, suite))


def _kernel(recipe: Recipe) -> Step:
    """The kernel unpacked to ELF and linked, now and at every later upgrade."""
    return Step(
        "kernel",
        "Unpack the kernel to ELF and link it in /boot",
        (
            '"the vmlinuz MUST be an EFI kernel (not compressed)"',
            '"If ZOS found the /boot/vmlinuz file, it will use this with the initrd.img"',
            "As a kernel hook it runs after every upgrade too, which else compresses it again.",
        ),
        family.of(_records(recipe)[0]).kernel(),
        answers=(),
        size=60 * MIB,
        guide=(
            "sudo ./extract-vmlinux ubuntu:jammy/boot/vmlinuz |"
            " sudo tee ubuntu:jammy/boot/vmlinuz-5.15.0-25-generic.elf > /dev/null\n"
            "sudo mv ubuntu:jammy/boot/vmlinuz-5.15.0-25-generic.elf"
            " ubuntu:jammy/boot/vmlinuz-5.15.0-25-generic"
        ),
    )


SOURCE = SourceKind(
    title="A distribution",
    about=dict.fromkeys(
        ("container", "vm", "image"), "A new system, installed from the distribution's archive."
    ),
    tree={"container": _bootstrap, "vm": _machine, "image": _machine},
    kernel=_kernel,
    settings=lambda recipe: guest.settings(recipe, _records(recipe)[0]),
    clean=lambda recipe: guest.clean(_records(recipe)[0], cloud_init=recipe.target != "container"),
    epoch=lambda recipe: _records(recipe)[1].epoch,
)
