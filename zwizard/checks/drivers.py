"""Where a kernel's drivers are: built in, modules in the image, or nowhere."""

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass

from zwizard.checks.helpers import text
from zwizard.image.executables.kernel import KernelImage
from zwizard.image.tree import EntryType, FileTree

_TEXT = 16 << 20
_MODULE = re.compile(r"(.+)\.ko(?:\.(?:gz|xz|zst))?")
_OPTION = re.compile(r"^(CONFIG_\w+)=(.*)$|^# (CONFIG_\w+) is not set$", re.MULTILINE)

READS = (
    "/boot/config-*",
    "/lib/modules/*/config",
    "/lib/modules/*/modules.dep",
    "/lib/modules/*/modules.builtin",
)


class DriverLocation(enum.Enum):
    """Where a driver is."""

    BUILT_IN = "built in"
    MODULE = "a module"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Drivers:
    """The drivers of one kernel.

    ``options`` is its build configuration, None if there is none. ``built_in`` are module names
    from ``modules.builtin``, None without that file. ``needs`` maps each module in
    ``/lib/modules/<version>`` to the ones it depends on. Names have underscores, never dashes.
    """

    options: Mapping[str, str] | None
    built_in: frozenset[str] | None
    needs: Mapping[str, tuple[str, ...]]

    def place(self, module: str, option: str) -> DriverLocation:
        """Where the driver named ``module``, built by ``option``, is."""
        if self.options is not None and self.options.get(option) == "y":
            return DriverLocation.BUILT_IN
        if self.built_in is not None and module in self.built_in:
            return DriverLocation.BUILT_IN
        if module in self.needs:
            return DriverLocation.MODULE
        is_listed = self.options is not None or self.built_in is not None
        return DriverLocation.MISSING if is_listed else DriverLocation.UNKNOWN

    @property
    def monolithic(self) -> bool:
        """The kernel cannot load modules."""
        return self.options is not None and self.options.get("CONFIG_MODULES", "n") != "y"


def read_drivers(tree: FileTree, kernel: KernelImage) -> Drivers:
    """The drivers that ``kernel`` and its modules in the image have; raises UnreadableError.

    The configuration is the embedded one, else the file distributions put beside the kernel.
    """
    if not kernel.version:
        return Drivers(None, None, {})
    base = f"/lib/modules/{kernel.version}"
    built_in = text(tree, f"{base}/modules.builtin", _TEXT)
    return Drivers(
        _configuration(tree, kernel),
        None if built_in is None else frozenset(map(_name, built_in.split())),
        _needs(tree, base),
    )


def _configuration(tree: FileTree, kernel: KernelImage) -> Mapping[str, str] | None:
    if kernel.configuration is not None:
        return _options(kernel.configuration)
    for path in (f"/boot/config-{kernel.version}", f"/lib/modules/{kernel.version}/config"):
        found = text(tree, path, _TEXT)
        if found is not None:
            return _options(found)
    return None


def _options(configuration: str) -> dict[str, str]:
    return {
        set_ or unset: value.strip('"') if set_ else "n"
        for set_, value, unset in _OPTION.findall(configuration)
    }


def _needs(tree: FileTree, base: str) -> dict[str, tuple[str, ...]]:
    """The modules that are really there, with the dependencies ``modules.dep`` gives them."""
    needs: dict[str, tuple[str, ...]] = {
        _name(entry.name): ()
        for entry in tree.walk(base)
        if entry.kind is EntryType.FILE and _MODULE.fullmatch(entry.name)
    }
    for line in (text(tree, f"{base}/modules.dep", _TEXT) or "").splitlines():
        module, _, others = line.partition(":")
        if _name(module) in needs:
            needs[_name(module)] = tuple(map(_name, others.split()))
    return needs


def _name(path: str) -> str:
    found = _MODULE.fullmatch(path.rpartition("/")[2])
    return (found[1] if found else path).replace("-", "_")
