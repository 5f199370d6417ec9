"""Which key of a recipe means something for which source, target and family of distributions.

Validation, the questions' ``when``, the TOML writer and the manual's table of keys read it here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from zwizard import distros

Treatment = Literal["installed", "completed", "kept"]
"""What becomes of a source: packages are installed into an empty tree; what is missing is added to
a system made elsewhere; nothing in it is changed."""

# What each kind of source (its file: sources/KIND.py) becomes, and what is done to it for that.
SOURCES: dict[str, dict[str, Treatment]] = {
    "distro": {"container": "installed", "vm": "installed", "image": "installed"},
    "cloud-image": {"vm": "completed", "image": "kept"},
    "rootfs": {"container": "completed", "vm": "completed", "image": "completed"},
    "binary": {"container": "kept"},
    "oci": {"container": "kept"},
}
LOCAL = frozenset({"oci"})  # kinds whose file must be on this machine: it is read for the plan
TARGETS = ("container", "vm", "image")

Values = Mapping[str, Any]
"""Values of a recipe, or answers to its questions, by key ("source.kind"); absent ones are the
defaults."""


@dataclass(frozen=True)
class Use:
    """Where a key means something: for all of ``targets`` if none is named, and so on.

    ``lenient``: where it means nothing, a recipe may name it all the same.
    """

    targets: tuple[str, ...] = ()
    treatments: tuple[Treatment, ...] = ()
    kinds: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    lenient: bool = False

    def covers(self, values: Values) -> bool:
        """Whether the key means something in a recipe of these values."""
        distro = distros.named(values.get("source.distro", "debian"))
        return (
            (not self.targets or target_of(values) in self.targets)
            and (not self.kinds or values.get("source.kind", "distro") in self.kinds)
            and (not self.treatments or treatment(values) in self.treatments)
            and (not self.families or distro.family in self.families)
        )

    def __str__(self) -> str:
        """``target = vm or image; source.kind = rootfs``; "" where it always means something."""
        kinds = self.kinds or tuple(
            kind
            for kind, treatments in SOURCES.items()
            if any(treatments.get(target) in self.treatments for target in self.targets or TARGETS)
        )
        distributions = [d.name for d in distros.KNOWN.values() if d.family in self.families]
        parts = {
            "target": self.targets,
            "source.kind": kinds if set(kinds) != set(SOURCES) else (),
            "source.distro": distributions,
        }
        return "; ".join(f"{key} = {' or '.join(them)}" for key, them in parts.items() if them)


_SYSTEM: tuple[Treatment, ...] = ("installed", "completed")
_NEW: tuple[Treatment, ...] = ("installed",)
_FILE: tuple[Treatment, ...] = ("completed", "kept")
_MACHINES = ("vm", "image")

# By key, or by table for those that are not named.
_TABLE: dict[str, Use] = {
    "source.distro": Use(treatments=_SYSTEM, lenient=True),
    "source.suite": Use(treatments=_NEW, lenient=True),
    "source.variant": Use(treatments=_SYSTEM, lenient=True),
    "source.bootstrap": Use(treatments=_NEW, lenient=True),
    "source.mirror": Use(treatments=_NEW, lenient=True),
    "source.keys": Use(treatments=_NEW, families=("pacman",)),
    "source.packages": Use(treatments=_SYSTEM, lenient=True),
    "source.location": Use(treatments=_FILE),
    "source.sha256": Use(treatments=_FILE, lenient=True),
    "source.repair": Use(kinds=("rootfs",)),
    "system": Use(treatments=_SYSTEM),
    "system.services": Use(treatments=_SYSTEM, targets=_MACHINES),
    "kernel": Use(treatments=_SYSTEM, targets=_MACHINES),
    "disk": Use(treatments=_SYSTEM, targets=("image",)),
    "grub": Use(treatments=_SYSTEM, targets=("image",)),
    "container": Use(targets=("container",)),
    "container.start": Use(targets=("container",), kinds=("oci",)),
}


def use_of(key: str) -> Use:
    """Where ``key`` ("source.suite") means something."""
    return _TABLE.get(key) or _TABLE.get(key.partition(".")[0], Use())


def target_of(values: Values) -> str:
    """The target that ``values`` name; a VM where that is no target."""
    target = values.get("target", "vm")
    return str(target) if target in TARGETS else "vm"


def treatment(values: Values) -> Treatment:
    """What becomes of the source that ``values`` name; what cannot be combined is kept."""
    kind = values.get("source.kind", "distro")
    return SOURCES.get(kind, {}).get(target_of(values), "kept")
