"""The record that each distribution fills."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Suite:
    """One release of a distribution.

    ``epoch`` (seconds since 1970) is the release's own date: it caps the time stamps of what is
    built, so that the same recipe gives the same bytes.
    """

    name: str
    title: str
    epoch: int


@dataclass(frozen=True)
class Kernel:
    """A kernel package that can be chosen, and what it is for."""

    package: str
    title: str


@dataclass(frozen=True)
class Distro:
    """A distribution: its suites (newest last), its kernels (default first) and its packages.

    ``vm_packages`` is what a VM of its own kernel needs beside the kernel: configuration by
    cloud-init, a network, a login, name resolution. ``minimal_packages`` is what the ``minimal``
    variant lacks of it and ``standard`` brings along.
    """

    name: str
    title: str
    suites: tuple[Suite, ...]
    kernels: tuple[Kernel, ...]
    bootstraps: tuple[str, ...]
    vm_packages: tuple[str, ...]
    minimal_packages: tuple[str, ...]

    def suite(self, name: str) -> Suite | None:
        """The suite called ``name``, or None."""
        return next((suite for suite in self.suites if suite.name == name), None)
