"""Which services an image starts: systemd's units, OpenRC's run levels, System V's links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from zwizard.checks.helpers import text
from zwizard.image.executables.programs import find_program
from zwizard.image.tree import Entry, EntryType, FileTree, UnreadableError

UNITS = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
"""Where systemd looks for units, the strongest first (systemd.unit(5))."""

GENERATORS = ("/etc/systemd/system-generators", "/usr/lib/systemd/system-generators",
              "/lib/systemd/system-generators")  # fmt: skip

READS = tuple(
    f"{directory}/{name}"
    for directory in ("/etc/systemd/system", "/lib/systemd/system")
    for name in ("cloud-*", "ssh*.service", "ssh*.socket")
)

_PULLS = re.compile(r"^(?:Wants|Requires|BindsTo|Upholds)=(.*)$", re.MULTILINE)
_RC_LINK = re.compile(r"S\d\d(.+)")


@dataclass(frozen=True, slots=True)
class Services:
    """The services of one image.

    ``system`` is ``systemd``, ``openrc`` or ``sysv``. ``wanted`` maps each name that is started
    to who wants it (a target, a run level). Names are without ``.service`` for OpenRC and
    System V, and for systemd as units are named.
    """

    tree: FileTree
    system: str
    wanted: dict[str, set[str]] = field(default_factory=dict)

    def unit(self, name: str) -> Entry | None:
        """Where the unit or script of ``name`` is, masked or not; None if there is none."""
        for path in self._places(name):
            entry = self.tree.lstat(path)
            if entry is not None:
                return entry
        return None

    def masked(self, name: str) -> bool:
        """Its unit is a link to /dev/null, or empty: it can never start."""
        entry = self.unit(name)
        if entry is None or self.system != "systemd":
            return False
        if entry.kind is EntryType.LINK:
            return entry.target == "/dev/null"
        return entry.kind is EntryType.FILE and entry.size == 0

    def exists(self, name: str) -> bool:
        """It could be started."""
        return self.unit(name) is not None and not self.masked(name)

    def enabled(self, name: str) -> bool:
        """It exists, and something starts it at boot."""
        return self.exists(name) and self._key(name) in self.wanted

    def pulled(self, names: tuple[str, ...]) -> set[str]:
        """Those of ``names`` that are enabled, or wanted by another of them that is."""
        found = {name for name in names if self.enabled(name)}
        pending = list(found)
        while pending:
            for other in self._pulls(pending.pop()):
                if other in names and other not in found and self.exists(other):
                    found.add(other)
                    pending.append(other)
        return found

    def _pulls(self, name: str) -> list[str]:
        if self.system != "systemd":
            return []
        entry = self.unit(name)
        unit = None if entry is None else text(self.tree, entry.path)
        return [
            other.removesuffix(".service")
            for line in _PULLS.findall(unit or "")
            for other in line.split()
        ]

    def generator(self, name: str) -> Entry | None:
        """systemd's generator ``name``, if it can run."""
        for directory in GENERATORS:
            found = self.tree.resolve(f"{directory}/{name}").file
            if found is not None and found.mode & 0o111:
                return found
        return None

    def _key(self, name: str) -> str:
        return _unit(name) if self.system == "systemd" else name

    def _places(self, name: str) -> Iterator[str]:
        if self.system == "systemd":
            yield from (f"{directory}/{_unit(name)}" for directory in UNITS)
        yield f"/etc/init.d/{name}"


def read_services(tree: FileTree) -> Services:
    """The services of the system in ``tree``; raises UnreadableError for other inits."""
    init = tree.resolve("/sbin/init")
    target = init.entry.path if init.entry is not None else init.missing
    if "systemd" in target:
        services = Services(tree, "systemd")
        _add_links(services)
        _add_units(services)
    elif tree.resolve("/etc/runlevels").entry is not None and find_program(tree, "openrc"):
        services = Services(tree, "openrc")
        _add_levels(services)
    elif tree.resolve("/etc/init.d").entry is not None and tree.listing("/etc/rc2.d"):
        services = Services(tree, "sysv")
        _add_links(services)
    else:
        raise UnreadableError(
            f"/sbin/init ({target}) is not an init system whose services zwizard can read",
            "systemd, OpenRC and System V scripts are supported; boot the image to be sure.",
        )
    return services


def _add_units(services: Services) -> None:
    """``*.wants`` and ``*.requires`` hold a link for each unit enabled (systemctl(1))."""
    for directory in UNITS:
        for entry in services.tree.listing(directory):
            target, _, kind = entry.name.rpartition(".")
            if kind in {"wants", "requires"}:
                for link in services.tree.listing(entry.path):
                    _want(services, link.name, target)
    for name, by in _ALIASES.items():
        if name in services.wanted:
            _want(services, by, "its alias")


# A unit is often enabled under another name, which the distribution links to it.
_ALIASES = {"ssh.service": "sshd.service", "sshd.service": "ssh.service"}


def _add_links(services: Services) -> None:
    """``/etc/rcN.d/S50name``; systemd starts such scripts too if it has no unit for them."""
    for level in ("rcS.d", "rc2.d", "rc3.d", "rc5.d"):
        for entry in services.tree.listing(f"/etc/{level}"):
            found = _RC_LINK.fullmatch(entry.name)
            if found is not None:
                _script(services, found[1], level)


def _script(services: Services, name: str, level: str) -> None:
    if services.system != "systemd":
        _want(services, name, level)
    elif not any(services.tree.lstat(f"{directory}/{name}.service") for directory in UNITS):
        _want(services, f"{name}.service", level)


def _add_levels(services: Services) -> None:
    for level in services.tree.listing("/etc/runlevels"):
        for entry in services.tree.listing(level.path):
            _want(services, entry.name, level.name)


def _want(services: Services, name: str, by: str) -> None:
    services.wanted.setdefault(name, set()).add(by)


def _unit(name: str) -> str:
    suffixes = (".service", ".socket", ".target", ".timer", ".path", ".mount")
    return name if name.endswith(suffixes) else f"{name}.service"
