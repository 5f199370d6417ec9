"""A distribution without a supported package manager: prints what it would have installed."""

from zwizard.distros.base import Distro
from zwizard.recipe.model import Recipe
from zwizard.steps.actions import Action, Host, LinesInTree, Remove

ZONE_FILE = ""
LOCALE_FILE = "/etc/locale.conf"


def install(recipe: Recipe, distro: Distro, names: tuple[str, ...]) -> tuple[Action, ...]:
    """Print what is not installed."""
    return (_print(f"not installed, as no package tool is known for it: {', '.join(names)}"),)


def complete(recipe: Recipe, distro: Distro) -> tuple[Action, ...]:
    """Print what a VM needs; the checklist finds what of it is missing."""
    return install(recipe, distro, (*distro.vm_packages, *distro.minimal_packages))


def kernel() -> tuple[Action, ...]:
    """Nothing: it is unpacked from outside; the machine itself handles its upgrades."""
    return ()


def commands(lines: tuple[str, ...]) -> tuple[Action, ...]:
    """Run them."""
    return tuple(map(LinesInTree, lines))


def clean() -> tuple[Action, ...]:
    """Remove the caches of common package managers."""
    return (
        Remove(("/var/cache/dnf/*", "/var/cache/apk/*", "/var/cache/zypp/*", "/var/cache/yum/*")),
    )


def _print(text: str) -> Action:
    return Host(("echo", text))
