"""Where the root file system comes from: bootstrap, and the packages on top."""

from __future__ import annotations

from zwizard.distros.base import Distro, Suite
from zwizard.families import family
from zwizard.recipe.model import Recipe
from zwizard.steps.step import Step

_MIB = 2**20


def bootstrap(recipe: Recipe, distro: Distro, suite: Suite) -> Step:
    """The base system."""
    return family.of(distro).bootstrap(recipe, distro, suite)


def packages(recipe: Recipe, distro: Distro, suite: Suite) -> Step:
    """What every VM on Zero-OS needs: kernel, cloud-init, SSH, a network; an image also GRUB."""
    return family.of(distro).packages(recipe, distro, suite)


def more_packages(recipe: Recipe, distro: Distro) -> tuple[Step, ...]:
    """The user's own packages: a step of its own, so that changing them costs little."""
    names = recipe.source.packages
    if not names:
        return ()
    return (
        Step(
            "more-packages",
            "Install your packages",
            ('"continue installing the necessary packages needed and configure few things"',),
            family.of(distro).install(recipe, distro, names),
            answers=("source.packages",),
            network=True,
            size=(20 + 40 * len(names)) * _MIB,
        ),
    )
