"""The recipe: everything that a build depends on, as a frozen value."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Any

from zwizard import distros
from zwizard.distros.base import Distro
from zwizard.recipe import toml
from zwizard.recipe.consistency import contradictions
from zwizard.recipe.fields import FIELDS, default
from zwizard.recipe.problems import Problem, RecipeError


@dataclass(frozen=True)
class Source:
    """Where the root file system comes from.

    Of a ``rootfs``, ``distro`` is the one it was recognised as; ``other``: one whose package
    manager is unknown, or should not be used. ``repair`` names the rules of the checklist for
    which alone it is changed.
    """

    kind: str = default("source.kind")
    distro: str = default("source.distro")
    suite: str = default("source.suite")
    mirror: str = default("source.mirror")
    keys: tuple[str, ...] = default("source.keys")
    packages: tuple[str, ...] = default("source.packages")
    bootstrap: str = default("source.bootstrap")
    variant: str = default("source.variant")
    location: str = default("source.location")
    sha256: str = default("source.sha256")
    repair: tuple[str, ...] = default("source.repair")


@dataclass(frozen=True)
class System:
    """What is set inside the guest."""

    timezone: str = default("system.timezone")
    locale: str = default("system.locale")
    services: tuple[str, ...] = default("system.services")
    run: tuple[str, ...] = default("system.run")


@dataclass(frozen=True)
class Kernel:
    """The guest's kernel: the distribution's package, or the user's own files.

    ``file`` and ``initrd`` are paths or URLs; the sums are theirs, or empty.
    """

    package: str = default("kernel.package")
    file: str = default("kernel.file")
    sha256: str = default("kernel.sha256")
    initrd: str = default("kernel.initrd")
    initrd_sha256: str = default("kernel.initrd_sha256")
    modules: tuple[str, ...] = default("kernel.modules")

    def packages(self, distro: Distro) -> tuple[str, ...]:
        """The packages of ``distro`` that install it: none for the user's own file."""
        return () if self.file else (self.package or distro.kernels[0].package,)


@dataclass(frozen=True)
class Disk:
    """The partitions of an image.raw."""

    size: str = default("disk.size")
    esp_size: str = default("disk.esp_size")
    esp_mount: str = default("disk.esp_mount")
    filesystem: str = default("disk.filesystem")
    label: str = default("disk.label")


@dataclass(frozen=True)
class Grub:
    """The boot loader of an image.raw."""

    cmdline: str = default("grub.cmdline")
    timeout: int = default("grub.timeout")


@dataclass(frozen=True)
class Container:
    """What a container starts, and with what.

    An empty ``entrypoint`` is the usual one: /app for a binary, an OCI image's own, else
    /sbin/init. A variable without a value gets it in the deployment. ``start`` is the script that
    starts an OCI image's program; the build writes it.
    """

    entrypoint: str = default("container.entrypoint")
    args: tuple[str, ...] = default("container.args")
    env: dict[str, str] = default("container.env")
    mounts: tuple[str, ...] = default("container.mounts")
    start: str = default("container.start")


@dataclass(frozen=True)
class Output:
    """Where the archive goes, and how it is compressed."""

    directory: str = default("output.directory")
    compression: str = default("output.compression")


@dataclass(frozen=True)
class Checklist:
    """How the result is judged."""

    disk_size: str = default("checklist.disk_size")
    waive: tuple[str, ...] = default("checklist.waive")


_PARTS: dict[str, Callable[..., Any]] = {
    kind.__name__.lower(): kind
    for kind in (Source, System, Kernel, Disk, Grub, Container, Output, Checklist)
}


@dataclass(frozen=True)
class Recipe:
    """Everything a build depends on; equal recipes give equal artefacts.

    Make one with :meth:`from_dict`, :meth:`from_toml` or :meth:`load`, which validate; they raise
    :class:`RecipeError` naming every wrong key.
    """

    name: str = default("name")
    target: str = default("target")
    source: Source = field(default_factory=Source)
    system: System = field(default_factory=System)
    kernel: Kernel = field(default_factory=Kernel)
    disk: Disk = field(default_factory=Disk)
    grub: Grub = field(default_factory=Grub)
    container: Container = field(default_factory=Container)
    output: Output = field(default_factory=Output)
    checklist: Checklist = field(default_factory=Checklist)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], where: str = "the recipe") -> Recipe:
        """The recipe of nested mappings shaped like the TOML file; absent keys have defaults."""
        values, problems = toml.flat(data)
        return cls.from_values(values, where, problems)

    @classmethod
    def from_values(
        cls,
        values: Mapping[str, Any],
        where: str = "the recipe",
        problems: tuple[Problem, ...] = (),
    ) -> Recipe:
        """The recipe of values by key ("source.kind"); ``problems`` were found before."""
        found = (FIELDS[key].problem(value) for key, value in values.items())
        problems += tuple(filter(None, found))
        whole = {key: field.default for key, field in FIELDS.items()} | dict(values)
        if not problems:
            distro = distros.KNOWN.get(whole["source.distro"])
            suited = FIELDS["source.suite"].use.covers(whole)
            if "source.suite" not in values and distro and suited:
                whole["source.suite"] = distro.suites[0].name
            problems = tuple(contradictions(whole))
        if problems:
            raise RecipeError(problems, where)
        tables: dict[str, dict[str, Any]] = defaultdict(dict)
        for key, value in whole.items():
            table, _, name = key.rpartition(".")
            tables[table][name] = value
        parts = {name: part(**tables[name]) for name, part in _PARTS.items()}
        return cls(**tables[""], **parts)

    @classmethod
    def from_toml(cls, text: str, where: str = "the recipe") -> Recipe:
        """The recipe a TOML text describes."""
        return cls.from_dict(toml.parse(text, where), where)

    @classmethod
    def load(cls, path: Path) -> Recipe:
        """The recipe in the file at ``path``."""
        return cls.from_toml(toml.load(path), str(path))

    def values(self) -> dict[str, Any]:
        """Every value by key."""
        return {key: reduce(getattr, key.split("."), self) for key in FIELDS}

    def to_dict(self) -> dict[str, Any]:
        """Nested mappings shaped like the TOML file: what has a meaning or is not the default."""
        values = self.values()
        return toml.nested(
            {
                key: value
                for key, value in values.items()
                if value != FIELDS[key].default
                or (not FIELDS[key].quiet and FIELDS[key].use.covers(values))
            }
        )

    def to_toml(self) -> str:
        """The TOML file of this recipe; :meth:`from_toml` gives an equal one."""
        return toml.dumps(self.to_dict())
