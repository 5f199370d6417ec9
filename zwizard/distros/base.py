"""The record that each distribution fills."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Suite:
    """One release of a distribution; ``name`` is "" where a distribution has no releases.

    ``epoch`` (seconds since 1970) is the release's own date: it caps the time stamps of what is
    built, so that the same recipe gives the same bytes. ``image_packages`` is what an image.raw of
    this suite needs beside the distribution's.
    """

    name: str
    title: str
    epoch: int
    image_packages: tuple[str, ...] = ()


@dataclass(frozen=True)
class KernelPackage:
    """A kernel package that can be chosen, and what it is for."""

    package: str
    title: str


@dataclass(frozen=True)
class Keyring:
    """The keys that a distribution's archive is trusted by: a package has them in a file.

    Anybody can offer a package: ``fingerprints`` are what the keys are known by.
    """

    file: str
    package: str
    fingerprints: tuple[str, ...]


@dataclass(frozen=True)
class Distro:
    """A distribution: its suites (newest last), its kernels (default first) and its packages.

    ``family`` is the package manager that fills its trees, if one is known. ``vm_packages`` is
    what a VM of its own kernel needs beside the kernel: configuration by cloud-init, a network, a
    login, name resolution. ``minimal_packages`` is what the ``minimal`` variant lacks of it and
    ``standard`` brings along, ``standard_packages`` what only ``standard`` is given.
    ``image_packages`` is what an image.raw needs instead of ``vm_packages``. ``vm_services`` and
    ``image_services`` are what has to be enabled, and ``esp_mount`` is where an image's EFI system
    partition is mounted if nothing else is said. ``mirror`` is its archive, "" where the bootstrap
    tools know it by themselves, or the user has to. ``shown_by`` are paths (shell patterns) by
    which a package, or what does instead, shows in a tree by others. ``units`` are the services
    that well-known packages bring ("": the base itself). ``components`` of the archive are named
    if there are more than the first; ``keyring`` if this machine may lack it.
    """

    name: str
    title: str
    suites: tuple[Suite, ...]
    kernels: tuple[KernelPackage, ...]
    bootstraps: tuple[str, ...]
    vm_packages: tuple[str, ...]
    minimal_packages: tuple[str, ...]
    image_packages: tuple[str, ...]
    image_services: tuple[str, ...]
    esp_mount: str
    means: str = ""
    family: Literal["apt", "pacman", "none"] = "apt"
    vm_services: tuple[str, ...] = ()
    standard_packages: tuple[str, ...] = ()
    mirror: str = ""
    shown_by: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    components: tuple[str, ...] = ()
    keyring: Keyring | None = None

    def suite(self, name: str) -> Suite | None:
        """The suite called ``name``, or None."""
        return next((suite for suite in self.suites if suite.name == name), None)
