"""The record that each distribution fills."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Suite:
    """One release of a distribution.

    ``epoch`` (seconds since 1970) is the release's own date: it caps the time stamps of what is
    built, so that the same recipe gives the same bytes. ``image_packages`` is what an image.raw of
    this suite needs beside the distribution's.
    """

    name: str
    title: str
    epoch: int
    image_packages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Kernel:
    """A kernel package that can be chosen, and what it is for."""

    package: str
    title: str


@dataclass(frozen=True)
class Keyring:
    """The keys that sign a distribution's archive: a file, the package with it, fingerprints."""

    file: str
    package: str
    fingerprints: tuple[str, ...]


@dataclass(frozen=True)
class Distro:
    """A distribution: its suites (newest last), its kernels (default first) and its packages.

    ``family`` is the package manager by which its trees are filled: apt or pacman.
    ``vm_packages`` is what a VM of its own kernel needs beside the kernel: configuration by
    cloud-init, a network, a login, name resolution. ``minimal_packages`` is what the ``minimal``
    variant lacks of it and ``standard`` brings along. ``image_packages`` is what an image.raw
    needs instead of ``vm_packages``, ``image_services`` what is enabled in it, and ``esp_mount``
    where its EFI system partition is mounted if nothing else is said. ``mirror`` is its archive,
    "" where the bootstrap tools know it by themselves; ``units`` which services well-known
    packages bring ("": the base itself). ``components`` of the archive are named if there are more
    than the first; ``keyring`` if another distribution's machines may lack it.
    """

    name: str
    title: str
    suites: tuple[Suite, ...]
    kernels: tuple[Kernel, ...]
    bootstraps: tuple[str, ...]
    vm_packages: tuple[str, ...]
    minimal_packages: tuple[str, ...]
    image_packages: tuple[str, ...]
    image_services: tuple[str, ...]
    esp_mount: str
    family: str = "apt"
    mirror: str = ""
    units: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    components: tuple[str, ...] = ()
    keyring: Keyring | None = None

    def suite(self, name: str) -> Suite | None:
        """The suite called ``name``, or None."""
        return next((suite for suite in self.suites if suite.name == name), None)
