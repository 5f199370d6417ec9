"""What differs between distributions: one file each, one record each."""

from __future__ import annotations

from zwizard.distros.arch import ARCH
from zwizard.distros.base import Distro
from zwizard.distros.debian import DEBIAN
from zwizard.distros.ubuntu import UBUNTU
from zwizard.distros.unknown import OTHER

KNOWN: dict[str, Distro] = {distro.name: distro for distro in (DEBIAN, UBUNTU, ARCH)}


def named(name: str) -> Distro:
    """The distribution called ``name``; OTHER for every one that is not known."""
    return KNOWN.get(name, OTHER)
