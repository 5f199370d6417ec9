"""What a family of distributions, those that share a package manager, has to provide."""

from __future__ import annotations

from importlib import import_module
from typing import Protocol, cast

from zwizard.distros.base import Distro, Suite
from zwizard.recipe.model import Recipe
from zwizard.steps.actions import Action
from zwizard.steps.step import Step


class Family(Protocol):
    """The functions of a family's module, ``zwizard.families.NAME``."""

    def bootstrap(self, recipe: Recipe, distro: Distro, suite: Suite) -> Step:
        """The step that installs the base system into an empty tree."""

    def packages(self, recipe: Recipe, distro: Distro, suite: Suite) -> Step:
        """The step that installs what every VM needs."""

    def install(
        self, recipe: Recipe, distro: Distro, names: tuple[str, ...]
    ) -> tuple[Action, ...]:
        """Install the packages ``names`` into a tree that has its base."""

    def complete(self, recipe: Recipe, distro: Distro) -> tuple[Action, ...]:
        """Install into a tree by others what a VM needs and it lacks."""

    def initramfs(self, modules: tuple[str, ...], *, image: bool) -> tuple[Action, ...]:
        """Make the initramfs, with ``modules`` and what a disk ``image`` needs beside them."""

    def kernel(self) -> tuple[Action, ...]:
        """Have an ELF kernel and its initramfs in /boot as Zero-OS wants them, from now on."""

    def zone(self, name: str) -> tuple[Action, ...]:
        """What names the time zone ``name``, beside /etc/localtime."""

    def language(self, locale: str) -> Action:
        """Make ``locale`` the system's."""

    def commands(self, lines: tuple[str, ...]) -> tuple[Action, ...]:
        """Run the user's commands, with what they may need of the package manager."""

    def clean(self) -> tuple[Action, ...]:
        """Remove what the package manager has kept of the build."""


def of(distro: Distro) -> Family:
    """The module of the family of ``distro``."""
    return cast("Family", import_module(f"zwizard.families.{distro.family}"))
