"""The record that each distribution fills."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


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

    - ``means``: one sentence about it, for a list; ``rank``: lower is higher up in that list.
    - ``family``: the package manager, a module of ``zwizard.families``.
    - ``vm_packages``: what a VM needs beside the kernel: cloud-init, a network, a login, name
      resolution. ``minimal_packages``: what the variant ``minimal`` needs beside them, as only
      ``standard`` has it; ``standard_packages``: what only ``standard`` installs.
    - ``image_packages``: what an image.raw needs instead of ``vm_packages``.
    - ``vm_services``, ``image_services``: what has to be enabled.
    - ``esp_mount``: where an image mounts its EFI system partition, unless the recipe says.
    - ``mirror``: its archive; "" if the bootstrap tools know it, or the recipe must name it.
    - ``shown_by``: paths (shell patterns) that show that a tree has a package or its equivalent.
    - ``units``: services that well-known packages bring; "" stands for the base system.
    - ``components`` of the archive, if there are more than the first; ``keyring``, if this
      machine may not have it.
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
    rank: int = 100
    family: str = "apt"
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
