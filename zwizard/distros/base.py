"""The record of a distribution."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Suite:
    """One release of a distribution; ``name`` is "" where a distribution has no releases.

    ``epoch`` (seconds since 1970) is the release's date: it caps the time stamps of an archive, so
    that the same recipe gives the same bytes. ``image_packages``: what an image.raw of this suite
    needs beside the distribution's.
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
    """The keys that sign a distribution's archive: a ``file`` in a ``package``.

    Anybody can offer a package; only the ``fingerprints`` make its keys trusted.
    """

    file: str
    package: str
    fingerprints: tuple[str, ...]


def own_services(*packages: str) -> dict[str, tuple[str, ...]]:
    """Packages that bring one service, of their own name."""
    return {name: (f"{name}.service",) for name in packages}


COMMON_UNITS = own_services(
    "caddy",
    "dnsmasq",
    "fail2ban",
    "haproxy",
    "lighttpd",
    "memcached",
    "mosquitto",
    "nginx",
    "nftables",
    "postfix",
    "postgresql",
    "prometheus",
    "prometheus-node-exporter",
    "qemu-guest-agent",
    "squid",
    "tor",
    "unbound",
)


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
    - ``units``: services that common packages bring; "" stands for the base system.
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
