"""The keys of a recipe, a record each: title, default, check; where they mean something."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from zwizard import distros
from zwizard.recipe import relevance, values
from zwizard.recipe.problems import Problem
from zwizard.recipe.relevance import SOURCES, TARGETS, Use


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

_SHA256 = values.optional(values.sha256)

_RECORDS = (
    Field("name", "Name", "debian-vm", values.name, "the archive becomes NAME.tar.gz"),
    Field("target", "Kind of Zmachine", "vm", values.OneOf(*TARGETS)),
    Field("source.kind", "Source", "distro", lambda value: values.OneOf(*SOURCES)(value)),
    Field(
        "source.distro",
        "Distribution",
        "debian",
        values.OneOf(*distros.KNOWN, "other"),
        "other: of an imported system, one whose package manager is unknown or should not be used",
    ),
    Field(
        "source.suite",
        "Suite",
        "bookworm",
        values.optional(values.suite),
        "the distribution's first if it is absent; empty for Arch Linux",
    ),
    Field(
        "source.mirror", "Mirror", "", values.mirror, "a URL; empty: the distribution's own mirror"
    ),
    Field(
        "source.keys",
        "Keys of the mirror",
        (),
        values.each(values.fingerprint),
        "fingerprints of the mirror's own master keys",
        quiet=True,
    ),
    Field(
        "source.packages",
        "More packages",
        (),
        values.each(values.package),
        "beside what the target needs",
    ),
    Field(
        "source.bootstrap",
        "Bootstrap tool",
        "auto",
        values.OneOf("auto", "debootstrap", "mmdebstrap", "pacstrap"),
    ),
    Field(
        "source.variant",
        "Base",
        "standard",
        values.OneOf("standard", "minimal"),
        "standard: the packages of a plain debootstrap",
    ),
    Field("source.location", "File or URL", "", values.line, "of a container image a path"),
    Field("source.sha256", "SHA-256", "", _SHA256, "64 hexadecimal digits, or empty"),
    Field(
        "source.repair",
        "Rules to repair",
        (),
        values.each(values.slug),
        "change only what these rules of the checklist need",
        quiet=True,
    ),
    Field("system.timezone", "Time zone", "UTC", values.zone),
    Field("system.locale", "Locale", "C.UTF-8", values.locale),
    Field(
        "system.services",
        "Services to enable",
        (),
        values.each(values.unit),
        "beside SSH, cloud-init and the network",
    ),
    Field(
        "system.run",
        "Your own commands",
        (),
        values.each(values.command),
        "run in the image, after everything else",
    ),
    Field(
        "kernel.package",
        "Kernel package",
        "",
        values.optional(values.package),
        "empty: the distribution's first, such as linux-image-cloud-amd64",
    ),
    Field(
        "kernel.file", "Kernel file", "", values.line, "your own kernel, a path or URL, instead"
    ),
    Field("kernel.sha256", "SHA-256 of the kernel", "", _SHA256, quiet=True),
    Field("kernel.initrd", "Initramfs file", "", values.line, "of your own kernel"),
    Field("kernel.initrd_sha256", "SHA-256 of the initramfs", "", _SHA256, quiet=True),
    Field(
        "kernel.modules",
        "Modules in the initramfs",
        ("virtiofs", "virtio_pci"),
        values.each(values.module),
    ),
    Field("disk.size", "Disk size", "2GiB", values.size),
    Field("disk.esp_size", "ESP size", "100MiB", values.size),
    Field(
        "disk.esp_mount",
        "ESP mounted at",
        "",
        values.optional(values.OneOf("/boot", "/boot/efi")),
        "empty: /boot/efi, or /boot for Arch Linux",
    ),
    Field("disk.filesystem", "Root file system", "ext4", values.OneOf("ext4")),
    Field("disk.label", "Root label", "cloud-root", values.label),
    Field(
        "grub.cmdline",
        "Kernel command line",
        "loglevel=3 console=tty console=ttyS0",
        values.line,
    ),
    Field("grub.timeout", "GRUB timeout (seconds)", 0, values.between(0, 3600)),
    Field(
        "container.entrypoint",
        "Entrypoint",
        "",
        values.optional(values.program),
        "empty: /app for a binary, the container image's own, else /sbin/init",
    ),
    Field("container.args", "Arguments", (), values.each(values.argument)),
    Field(
        "container.env",
        "Environment",
        {},
        values.environment,
        "an empty value is typed into the deployment",
    ),
    Field(
        "container.mounts",
        "Disks mounted at",
        (),
        values.each(values.mount),
        "where the deployment's disks are mounted",
    ),
    Field(
        "container.start",
        "Start script",
        "",
        values.anything,
        "starts a container image's program; the build writes it",
        quiet=True,
    ),
    Field(
        "output.directory", "Directory for the archive", ".", values.directory, "from the recipe"
    ),
    Field("output.compression", "Compression", "fast", values.OneOf("fast", "small")),
    Field("checklist.disk_size", "Size of the rented disk", "5GiB", values.size),
    Field(
        "checklist.waive",
        "Accepted rules",
        (),
        values.each(values.slug),
        "rules of severity should and advice whose failure is accepted",
    ),
)

FIELDS: dict[str, Field] = {record.key: record for record in _RECORDS}


def default(key: str) -> Any:
    """The default of ``key`` as a dataclass has it."""
    value = FIELDS[key].default
    if isinstance(value, dict):
        return dataclasses.field(default_factory=lambda: dict(value))
    return value
