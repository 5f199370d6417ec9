"""The settings of containers."""

from zwizard.distros.base import Distro
from zwizard.families import family, guest
from zwizard.recipe.model import Recipe
from zwizard.steps.actions import Action, Remove, Write
from zwizard.steps.step import Step
from zwizard.util.units import MIB


def settings(recipe: Recipe, distro: Distro) -> Step:
    """Name resolution and, unless they are the defaults, time zone and locale; no host name."""
    system, of = recipe.system, family.of(distro)
    actions: tuple[Action, ...] = (
        Write("/etc/resolv.conf", "nameserver 1.1.1.1\n"),
        Remove(("/etc/hostname",)),
        Write("/etc/hosts", guest.HOSTS),
        *(guest.timezone(system.timezone, of) if system.timezone != "UTC" else ()),
        *(guest.localise(system.locale, of) if guest.is_generated(system.locale) else ()),
    )
    return Step(
        "settings",
        "Set name resolution, time zone and locale",
        (
            '"For containers, the network setup will be created for you"',
            "Zero-OS writes resolv.conf and hosts when it starts the container; they must not be"
            " links.",
        ),
        actions,
        answers=("system.timezone", "system.locale"),
        size=4 * MIB,
    )
