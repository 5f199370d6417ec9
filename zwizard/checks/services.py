"""Which services an image starts: systemd's units, OpenRC's run levels, System V's links."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

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

SSH = ("ssh", "sshd", "ssh.socket", "sshd.socket")
"""The names of an SSH server's service."""

READS = tuple(
    f"{directory}/{name}"
    for directory in ("/etc/systemd/system", "/lib/systemd/system")
    for name in ("cloud-*", "cloud-*.d/*.conf", "ssh*.service", "ssh*.socket", "ssh*.d/*.conf")
)

# Of several with "|" one has to hold, which is not judged (systemd.unit(5)).
_CONDITIONS = ("ConditionPathExists", "AssertPathExists")
_KEPT = ("/usr/", "/bin/", "/sbin/", "/lib/", "/opt/")  # where nothing appears at boot
_MADE = ("/run/", "/proc/", "/sys/", "/dev/", "/var/")

_EARLY = frozenset({
    "emergency.target", "halt.target", "poweroff.target", "reboot.target", "rescue.target",
    "runlevel0.target", "runlevel1.target", "runlevel6.target",
})  # fmt: skip
_ALIAS_DEPTH = 8

_PULLS = re.compile(r"^(?:Wants|Requires|BindsTo|Upholds)=(.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Services:
    """The services of one image.

    ``system`` is ``systemd``, ``openrc`` or ``sysv``. ``wanted`` maps each name that is started
    to who wants it (a target, a run level). Names are without ``.service`` for OpenRC and
    System V, and for systemd as units are named.
    """

    tree: FileTree
    system: str
    wanted: Mapping[str, set[str]]

    def unit(self, name: str) -> Entry | None:
        """Where the unit or script of ``name`` is, masked or not; None if there is none."""
        units = UNITS if self.system == "systemd" else ()
        places = (*(f"{directory}/{_unit(name)}" for directory in units), f"/etc/init.d/{name}")
        return next(filter(None, map(self.tree.lstat, places)), None)

    def masked(self, name: str) -> bool:
        """Its unit is a link to /dev/null, or empty: it can never start."""
        entry = self.unit(name)
        if entry is None or self.system != "systemd":
            return False
        if entry.kind is EntryType.LINK:
            return entry.target == "/dev/null"
        return entry.kind is EntryType.FILE and entry.size == 0

    def early_end(self) -> str:
        """The target at which systemd ends the boot before services start, "" for none.

        A default.target that leads to no unit counts as rescue.target (systemd, core/main.c).
        """
        name = "default.target"
        for _ in range(_ALIAS_DEPTH if self.system == "systemd" else 0):
            entry = self.unit(name)
            if entry is None or entry.kind is not EntryType.LINK or self.masked(name):
                break
            name = entry.target.rpartition("/")[2]
        if name == "default.target":
            return name if self.masked(name) else ""
        return name if name in _EARLY or not self.exists(name) else ""

    def exists(self, name: str) -> bool:
        """It could be started."""
        return self.unit(name) is not None and not self.masked(name)

    def unmet(self, name: str) -> str:
        """A condition of its unit or of a drop-in that cannot hold, "" if all may hold.

        Of an archive, only what READS names is at hand.
        """
        if self.system != "systemd":
            return ""
        conditions: list[str] = []
        for line in self._lines(name):
            key, _, value = (part.strip() for part in line.partition("="))
            if key in _CONDITIONS:
                conditions = [*conditions, f"{key}={value}"] if value else []
        return next(filter(self._fails, conditions), "")

    def _lines(self, name: str) -> Iterator[str]:
        """The lines of its unit and of its drop-ins, the strongest of each name, in order."""
        if (unit := self.unit(name)) is not None:
            yield from (text(self.tree, unit.path) or "").splitlines()
        dropped: dict[str, Entry] = {}
        for directory in UNITS:
            for entry in self.tree.listing(f"{directory}/{_unit(name)}.d"):
                if entry.name.endswith(".conf"):
                    dropped.setdefault(entry.name, entry)
        for _, entry in sorted(dropped.items()):
            if entry.target != "/dev/null":
                yield from (text(self.tree, entry.path) or "").splitlines()

    def _fails(self, condition: str) -> bool:
        """Whether a path is there that may not, or a program or setting that must is not."""
        path = condition.partition("=")[2]
        wanted = not path.startswith("!")
        path = path.removeprefix("!").strip()
        if not path.startswith(_KEPT if wanted else "/") or path.startswith(_MADE) or "%" in path:
            return False
        return (self.tree.resolve(path).entry is not None) is not wanted

    def enabled(self, name: str) -> bool:
        """It exists, and something starts it at boot."""
        key = _unit(name) if self.system == "systemd" else name
        return self.exists(name) and key in self.wanted

    def first_enabled(self, *names: str) -> str:
        """The first of ``names`` that is enabled, "" if none is."""
        return next(filter(self.enabled, names), "")

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
        places = (self.tree.resolve(f"{directory}/{name}").file for directory in GENERATORS)
        return next((file for file in places if file is not None and file.mode & 0o111), None)


def read_services(tree: FileTree) -> Services:
    """The services of the system in ``tree``; raises UnreadableError for other inits."""
    init = tree.resolve("/sbin/init")
    target = init.entry.path if init.entry is not None else init.missing
    if "systemd" in target:
        return _services(tree, "systemd", chain(_unknown_scripts(tree), _units(tree)))
    if tree.resolve("/etc/runlevels").entry is not None and find_program(tree, "openrc"):
        levels = tree.glob("/etc/runlevels/*/*")
        return _services(tree, "openrc", ((entry.name, _directory(entry)) for entry in levels))
    if tree.resolve("/etc/init.d").entry is not None and tree.listing("/etc/rc2.d"):
        return _services(tree, "sysv", _scripts(tree))
    raise UnreadableError(
        f"/sbin/init ({target}) is not an init system whose services zwizard can read",
        "systemd, OpenRC and System V scripts are supported; boot the image to be sure.",
    )


def _services(tree: FileTree, system: str, found: Iterable[tuple[str, str]]) -> Services:
    wanted: dict[str, set[str]] = {}
    for name, by in found:
        wanted.setdefault(name, set()).add(by)
    return Services(tree, system, wanted)


# A unit is often enabled under another name, which the distribution links to it.
_ALIASES = {"ssh.service": "sshd.service", "sshd.service": "ssh.service"}


def _units(tree: FileTree) -> Iterator[tuple[str, str]]:
    """``*.wants`` and ``*.requires`` hold a link for each unit enabled (systemctl(1))."""
    patterns = (f"{directory}/*.{by}/*" for directory in UNITS for by in ("wants", "requires"))
    for entry in tree.glob(*patterns):
        yield entry.name, _directory(entry).rpartition(".")[0]
        if entry.name in _ALIASES:
            yield _ALIASES[entry.name], "its alias"


def _scripts(tree: FileTree) -> Iterator[tuple[str, str]]:
    """``/etc/rcN.d/S50name``."""
    for entry in tree.glob(*(f"/etc/rc{level}.d/S[0-9][0-9]?*" for level in "S235")):
        yield entry.name[3:], _directory(entry)


def _unknown_scripts(tree: FileTree) -> Iterator[tuple[str, str]]:
    """The scripts that systemd starts because it has no unit for them."""
    for name, level in _scripts(tree):
        if not any(tree.lstat(f"{directory}/{name}.service") for directory in UNITS):
            yield f"{name}.service", level


def _directory(entry: Entry) -> str:
    return entry.path.split("/")[-2]


def _unit(name: str) -> str:
    suffixes = (".service", ".socket", ".target", ".timer", ".path", ".mount")
    return name if name.endswith(suffixes) else f"{name}.service"
