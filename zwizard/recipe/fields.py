"""The keys of a recipe, each declared once: its type, title, default and check."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from zwizard import distros
from zwizard.distros.base import Distro
from zwizard.recipe import relevance, values
from zwizard.recipe.problems import Problem
from zwizard.recipe.relevance import SOURCES, TARGETS, Use

_T = TypeVar("_T")


@dataclass(frozen=True)
class Field:
    """One key ("source.suite"): ``about`` says in a few words what it is, ``title`` names it.

    Its type is its default's. ``quiet``: a recipe that is written names it only where it has
    another value than the default.
    """

    key: str
    title: str
    default: Any
    check: values.Check
    about: str = ""
    quiet: bool = False

    @property
    def use(self) -> Use:
        """Where it means something."""
        return relevance.use_of(self.key)

    def problem(self, value: object) -> Problem | None:
        """What is wrong with ``value``, by itself; None if nothing is."""
        name, is_good = TYPES[type(self.default)]
        allowed = self.check(value) if is_good(value) else f"allowed is {name}"
        return Problem(self.key, value, allowed) if allowed else None


def _strings(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(item, str) for item in value)


def _string_table(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(k, str) and isinstance(v, str) for k, v in value.items()
    )


TYPES: dict[type, tuple[str, Callable[[object], bool]]] = {
    str: ("a string", lambda value: isinstance(value, str)),
    int: ("a whole number", lambda value: isinstance(value, int) and not isinstance(value, bool)),
    tuple: ("a list of strings", _strings),
    dict: ("a table of strings", _string_table),
}


def _key(
    title: str, default: _T, check: values.Check, about: str = "", *, quiet: bool = False
) -> _T:
    """Declare a key: the field of a dataclass, with what its record in FIELDS has."""
    record = {"title": title, "default": default, "check": check, "about": about, "quiet": quiet}
    made: Any = dataclasses.field(default=default, metadata=record)
    if isinstance(default, dict):
        made = dataclasses.field(default_factory=default.copy, metadata=record)
    declared: _T = made
    return declared


_SHA256 = values.optional(values.sha256)


@dataclass(frozen=True)
class TopLevel:
    """The keys that are in no table."""

    name: str = _key("Name", "debian-vm", values.name, "the archive becomes NAME.tar.gz")
    target: str = _key("Kind of Zmachine", "vm", values.OneOf(*TARGETS))


@dataclass(frozen=True)
class Source:
    """Where the root file system comes from.

    Of a ``rootfs``, ``distro`` is the one it was recognised as; ``other``: one whose package
    manager is unknown, or should not be used. ``repair`` names the rules of the checklist for
    which alone it is changed.
    """

    kind: str = _key("Source", "distro", lambda value: values.OneOf(*SOURCES)(value))
    distro: str = _key(
        "Distribution",
        "debian",
        values.OneOf(*distros.KNOWN, "other"),
        "other: of an imported system, one whose package manager is unknown or should not be used",
    )
    suite: str = _key(
        "Suite",
        "bookworm",
        values.optional(values.suite),
        "the distribution's first if it is absent; empty for Arch Linux",
    )
    mirror: str = _key("Mirror", "", values.mirror, "a URL; empty: the distribution's own mirror")
    keys: tuple[str, ...] = _key(
        "Keys of the mirror",
        (),
        values.each(values.fingerprint),
        "fingerprints of the mirror's own master keys",
        quiet=True,
    )
    packages: tuple[str, ...] = _key(
        "More packages", (), values.each(values.package), "beside what the target needs"
    )
    bootstrap: str = _key(
        "Bootstrap tool", "auto", values.OneOf("auto", "debootstrap", "mmdebstrap", "pacstrap")
    )
    variant: str = _key(
        "Base",
        "standard",
        values.OneOf("standard", "minimal"),
        "standard: the packages of a plain debootstrap",
    )
    location: str = _key("File or URL", "", values.line, "of a container image a path")
    sha256: str = _key("SHA-256", "", _SHA256, "64 hexadecimal digits, or empty")
    repair: tuple[str, ...] = _key(
        "Rules to repair",
        (),
        values.each(values.slug),
        "change only what these rules of the checklist need",
        quiet=True,
    )


@dataclass(frozen=True)
class System:
    """What is set inside the guest."""

    timezone: str = _key("Time zone", "UTC", values.zone)
    locale: str = _key("Locale", "C.UTF-8", values.locale)
    services: tuple[str, ...] = _key(
        "Services to enable",
        (),
        values.each(values.unit),
        "beside SSH, cloud-init and the network",
    )
    run: tuple[str, ...] = _key(
        "Your own commands",
        (),
        values.each(values.command),
        "run in the image, after everything else",
    )


@dataclass(frozen=True)
class Kernel:
    """The guest's kernel: the distribution's package, or the user's own files.

    ``file`` and ``initrd`` are paths or URLs; the sums are theirs, or empty.
    """

    package: str = _key(
        "Kernel package",
        "",
        values.optional(values.package),
        "empty: the distribution's first, such as linux-image-cloud-amd64",
    )
    file: str = _key("Kernel file", "", values.line, "your own kernel, a path or URL, instead")
    sha256: str = _key("SHA-256 of the kernel", "", _SHA256, quiet=True)
    initrd: str = _key("Initramfs file", "", values.line, "of your own kernel")
    initrd_sha256: str = _key("SHA-256 of the initramfs", "", _SHA256, quiet=True)
    modules: tuple[str, ...] = _key(
        "Modules in the initramfs", ("virtiofs", "virtio_pci"), values.each(values.module)
    )

    def packages(self, distro: Distro) -> tuple[str, ...]:
        """The packages of ``distro`` that install it: none for the user's own file."""
        return () if self.file else (self.package or distro.kernels[0].package,)


@dataclass(frozen=True)
class Disk:
    """The partitions of an image.raw."""

    size: str = _key("Disk size", "2GiB", values.size)
    esp_size: str = _key("ESP size", "100MiB", values.size)
    esp_mount: str = _key(
        "ESP mounted at",
        "",
        values.optional(values.OneOf("/boot", "/boot/efi")),
        "empty: /boot/efi, or /boot for Arch Linux",
    )
    filesystem: str = _key("Root file system", "ext4", values.OneOf("ext4"))
    label: str = _key("Root label", "cloud-root", values.label)


@dataclass(frozen=True)
class Grub:
    """The boot loader of an image.raw."""

    cmdline: str = _key("Kernel command line", "loglevel=3 console=tty console=ttyS0", values.line)
    timeout: int = _key("GRUB timeout (seconds)", 0, values.between(0, 3600))


@dataclass(frozen=True)
class Container:
    """What a container starts, and with what.

    An empty ``entrypoint`` is the usual one: /app for a binary, an OCI image's own, else
    /sbin/init. A variable without a value gets it in the deployment. ``start`` is the script that
    starts an OCI image's program; the build writes it.
    """

    entrypoint: str = _key(
        "Entrypoint",
        "",
        values.optional(values.program),
        "empty: /app for a binary, the container image's own, else /sbin/init",
    )
    args: tuple[str, ...] = _key("Arguments", (), values.each(values.argument))
    env: dict[str, str] = _key(
        "Environment", {}, values.environment, "an empty value is typed into the deployment"
    )
    mounts: tuple[str, ...] = _key(
        "Disks mounted at",
        (),
        values.each(values.mount),
        "where the deployment's disks are mounted",
    )
    start: str = _key(
        "Start script",
        "",
        values.anything,
        "starts a container image's program; the build writes it",
        quiet=True,
    )


@dataclass(frozen=True)
class Output:
    """Where the archive goes, and how it is compressed."""

    directory: str = _key("Directory for the archive", ".", values.directory, "from the recipe")
    compression: str = _key("Compression", "fast", values.OneOf("fast", "small"))


@dataclass(frozen=True)
class Checklist:
    """How the result is judged."""

    disk_size: str = _key("Size of the rented disk", "5GiB", values.size)
    waive: tuple[str, ...] = _key(
        "Accepted rules",
        (),
        values.each(values.slug),
        "rules of severity should and advice whose failure is accepted",
    )


TABLES: dict[str, Callable[..., Any]] = {
    table.__name__.lower(): table
    for table in (Source, System, Kernel, Disk, Grub, Container, Output, Checklist)
}


def _fields(prefix: str, declared: Any) -> dict[str, Field]:
    keys = ((f"{prefix}{item.name}", item.metadata) for item in dataclasses.fields(declared))
    return {key: Field(key, **record) for key, record in keys}


FIELDS = _fields("", TopLevel)
for _name, _table in TABLES.items():
    FIELDS |= _fields(f"{_name}.", _table)
