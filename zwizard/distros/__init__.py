"""What differs between distributions: one record each, in a file of its own in this folder."""

import pkgutil
from importlib import import_module
from operator import attrgetter

from zwizard.distros.base import Distro
from zwizard.distros.unknown import OTHER


def records() -> dict[str, Distro]:
    """The distributions that can be installed, by name, the one to offer first at the top."""
    names = (module.name for module in pkgutil.iter_modules(__path__, f"{__name__}."))
    values = (value for name in names for value in vars(import_module(name)).values())
    found = (value for value in values if isinstance(value, Distro) and value.suites)
    return {distro.name: distro for distro in sorted(found, key=attrgetter("rank", "name"))}


KNOWN = records()


def named(name: str) -> Distro:
    """The distribution called ``name``; OTHER for every one that is not known."""
    return KNOWN.get(name, OTHER)
