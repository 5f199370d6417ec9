"""What the module of a package manager must provide."""

from importlib import import_module
from typing import Protocol, cast

from zwizard.distros.base import Distro, Suite
from zwizard.recipe.model import Recipe
from zwizard.steps.actions import Action
from zwizard.steps.step import Step


class Family(Protocol):
    """What is in a family's module, ``zwizard.families.NAME``.

    ``ZONE_FILE`` names the time zone beside /etc/localtime, if there is one; ``LOCALE_FILE`` has
    the system's locale.
    """

    ZONE_FILE: str
    LOCALE_FILE: str

    def bootstrap(self, recipe: Recipe, distro: Distro, suite: Suite) -> Step:
        """The step that installs the base system into an empty tree."""

    def packages(self, recipe: Recipe, distro: Distro, suite: Suite) -> Step:
        """The step that installs what every VM needs."""

    def install(
        self, recipe: Recipe, distro: Distro, names: tuple[str, ...]
    ) -> tuple[Action, ...]:
        """Install the packages ``names`` into a tree that has its base."""

    def complete(self, recipe: Recipe, distro: Distro) -> tuple[Action, ...]:
        """Install into an imported tree the missing packages that a VM needs."""

    def initramfs(self, modules: tuple[str, ...], *, image: bool) -> tuple[Action, ...]:
        """Make the initramfs of a new tree, with ``modules`` and those of a disk ``image``."""

    def kernel(self) -> tuple[Action, ...]:
        """Unpack the kernel to ELF and link it in /boot, now and after every upgrade."""

    def commands(self, lines: tuple[str, ...]) -> tuple[Action, ...]:
        """Run the user's commands, prepared for those that install packages."""

    def clean(self) -> tuple[Action, ...]:
        """Remove what the package manager keeps of the build."""


def local_directory(mirror: str) -> tuple[str, ...]:
    """The directory of a mirror on this machine (``file:``), which the sandbox has to have."""
    scheme, _, rest = mirror.partition(":")
    return (f"/{rest.lstrip('/').partition('/$')[0]}",) if scheme in ("copy", "file") else ()


def of(distro: Distro) -> Family:
    """The module of the family of ``distro``."""
    return cast("Family", import_module(f"zwizard.families.{distro.family}"))
