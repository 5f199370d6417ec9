"""The recipe: what the user decided, as a frozen value and as a TOML file."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, cast, get_type_hints

from zwizard import distros
from zwizard.distros.base import Distro
from zwizard.util.errors import UsageError

_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?\s*", re.IGNORECASE | re.ASCII)


def parse_size(text: str) -> int:
    """Bytes of a size such as ``2GiB``, ``100M`` or ``512``; units are powers of 1024.

    Raises ValueError for anything else.
    """
    match = _SIZE.fullmatch(text)
    if not match:
        raise ValueError(text)
    return int(float(match[1]) * _UNITS[match[2].upper()])


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a recipe: the key, what was given, what is allowed."""

    key: str
    value: object
    allowed: str

    def __str__(self) -> str:
        """One line: key, value, what is allowed."""
        if self.value is None:
            return f"{self.key}: {self.allowed}"
        if isinstance(self.value, dict):  # values may be secret
            return f"{self.key} = {', '.join(self.value)}: {self.allowed}"
        shown = repr(list(self.value) if isinstance(self.value, tuple) else self.value)
        return f"{self.key} = {shown}: {self.allowed}"


class RecipeError(UsageError):
    """A recipe that cannot be used, with every problem it has."""

    def __init__(self, problems: tuple[Problem, ...], where: str = "the recipe") -> None:
        self.problems = problems
        lines = "".join(f"\n  {problem}" for problem in problems)
        super().__init__(f"{where} cannot be used:{lines}", "Mend the keys above and try again.")


# A check takes a value of its key's type and returns what is allowed if it is not, else "".
Check = Callable[[Any], str]


def _one_of(*allowed: str) -> Check:
    def check(value: str) -> str:
        if value in allowed:
            return ""
        near = get_close_matches(value, allowed, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        return f"allowed: {', '.join(allowed)}.{hint}"

    return check


def _matching(pattern: str, allowed: str) -> Check:
    compiled = re.compile(pattern)
    return lambda value: "" if compiled.fullmatch(value) else allowed


def _each(check: Check) -> Check:
    def check_all(values: tuple[str, ...]) -> str:
        found = ((value, check(value)) for value in values)
        return next((f"{value!r} is wrong: {said}" for value, said in found if said), "")

    return check_all


def _size(value: str) -> str:
    try:
        return "" if parse_size(value) > 0 else "a size above 0, such as 2GiB"
    except ValueError:
        return "a size such as 2GiB, 100MiB or 5G"


def _between(low: int, high: int) -> Check:
    return lambda value: "" if low <= value <= high else f"a number from {low} to {high}"


def _line(value: str) -> str:
    return "one line of text, without control characters" if not value.isprintable() else ""


def _command(value: str) -> str:
    if not value.strip():
        return "a shell command; it is empty"
    return "a shell command without NUL bytes" if "\0" in value else ""


def _word(value: str) -> str:
    return "one argument, without line breaks and NUL bytes" if set(value) & {"\n", "\0"} else ""


# A value behind such a name is a secret, whatever it is; so is a password in a URL.
_SECRET_NAME = re.compile(
    r"(.*_)?(PASS|PASSWD|PASSWORD|PASSPHRASE|SECRET|TOKEN|CREDENTIALS?|MNEMONIC"
    r"|(API|ACCESS|PRIVATE|SECRET)_?KEY)",
    re.IGNORECASE,
)
_SECRET_VALUE = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/@]*:[^\s/@]+@.*", re.IGNORECASE)


def is_secret(name: str, value: str) -> bool:
    """Whether the environment variable ``name`` looks as if ``value`` were nobody's business."""
    return bool(value and (_SECRET_NAME.fullmatch(name) or _SECRET_VALUE.fullmatch(value)))


def _environment(values: dict[str, str]) -> str:
    for name, value in values.items():
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            return f"{name!r} is no name of a variable: letters, digits and '_'"
        if said := _word(value):
            return f"{name}: {said}"
        if is_secret(name, value):
            return (
                f"{name} without its value ({name}=): recipes, notes and reports are kept and"
                " shown; a secret is typed into the deployment"
            )
    return ""


def _mirror(value: str) -> str:
    if not value:
        return ""
    if "@" in value.partition("://")[2].partition("/")[0]:
        return "no user name or password in the URL: a recipe is shown, logged and shared"
    if not re.fullmatch(r"(https?|file)://[^\s'\"\\]+", value):
        return "a URL (http://, https:// or file://), or empty for the distribution's own"
    return ""


def _optional(check: Check) -> Check:
    return lambda value: check(value) if value else ""


_NAME = _matching(
    r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}",
    "letters, digits, '_', '.' and '-', beginning with a letter or digit, at most 64:"
    " the hub drops everything else from an archive's name",
)
_PACKAGE = _matching(
    r"[a-z0-9][a-zA-Z0-9+._@:~=-]*", "a package's name: lower-case letters, digits, '+', '-', '.'"
)
_UNIT = _matching(r"[A-Za-z0-9:_.@\\-]+", "a systemd unit, such as nginx or fstrim.timer")
_MODULE = _matching(r"[A-Za-z0-9_-]+", "a kernel module's name, such as virtiofs")
_ZONE = _matching(
    r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*", "a time zone, such as UTC or Europe/Paris"
)
_LOCALE = _matching(
    r"(C|POSIX|[a-z]{2,3}(_[A-Z]{2})?)(\.[A-Za-z0-9-]+)?(@[a-z]+)?",
    "a locale, such as C.UTF-8 or en_GB.UTF-8",
)
_PATH = r"(/(?!\.{1,2}(/|$))[^\s/\0]+)+"
_PROGRAM = _matching(
    _PATH,
    "an absolute path inside the image, such as /app: Zero-OS tests that very path, and looks"
    " nowhere else; arguments stand by themselves",
)
_MOUNT = _matching(_PATH, "an absolute path inside the image, such as /data, and not / itself")
_SUITE = _matching(r"[a-z][a-z0-9.-]*", "a suite's name, such as bookworm")
_FINGERPRINT = _matching(r"[0-9A-F]{40}", "a key's fingerprint: 40 hexadecimal digits, upper case")
_SHA256 = _matching(r"[0-9a-fA-F]{64}", "a SHA-256 sum: 64 hexadecimal digits")
_SLUG = _matching(r"[a-z][a-z0-9-]*", "a rule's name, such as setuid-files")


_hints = cache(get_type_hints)  # asked for at every key of every recipe


def _key(default: Any, check: Check = lambda _: "") -> Any:
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata={"check": check})
    return field(default=default, metadata={"check": check})


@dataclass(frozen=True)
class Source:
    """Where the root file system comes from.

    Of a ``rootfs``, ``distro`` is the one it was recognised as; ``other``: one whose package tool
    is not known, or should not be used. ``mend`` are the rules by which alone it is changed.
    """

    kind: str = _key("distro", _one_of("distro", "rootfs", "cloud-image", "oci", "binary"))
    distro: str = _key("debian", _one_of("debian", "ubuntu", "arch", "other"))
    suite: str = _key("bookworm", _optional(_SUITE))
    mirror: str = _key("", _mirror)
    keys: tuple[str, ...] = _key((), _each(_FINGERPRINT))
    packages: tuple[str, ...] = _key((), _each(_PACKAGE))
    bootstrap: str = _key("auto", _one_of("auto", "debootstrap", "mmdebstrap", "pacstrap"))
    variant: str = _key("standard", _one_of("standard", "minimal"))
    location: str = _key("", _line)
    sha256: str = _key("", _optional(_SHA256))
    mend: tuple[str, ...] = _key((), _each(_SLUG))


@dataclass(frozen=True)
class System:
    """What is set inside the guest."""

    timezone: str = _key("UTC", _ZONE)
    locale: str = _key("C.UTF-8", _LOCALE)
    services: tuple[str, ...] = _key((), _each(_UNIT))
    run: tuple[str, ...] = _key((), _each(_command))


@dataclass(frozen=True)
class Kernel:
    """The guest's kernel: the distribution's package, or files of one's own.

    ``file`` and ``initrd`` are paths or URLs, the sums what they must have, if that is known.
    """

    package: str = _key("", _optional(_PACKAGE))
    file: str = _key("", _line)
    sha256: str = _key("", _optional(_SHA256))
    initrd: str = _key("", _line)
    initrd_sha256: str = _key("", _optional(_SHA256))
    modules: tuple[str, ...] = _key(("virtiofs", "virtio_pci"), _each(_MODULE))

    def packages(self, distro: Distro) -> tuple[str, ...]:
        """The packages of ``distro`` that bring it: none where it is a file of one's own."""
        return () if self.file else (self.package or distro.kernels[0].package,)


@dataclass(frozen=True)
class Disk:
    """The partitions of an image.raw."""

    size: str = _key("2GiB", _size)
    esp_size: str = _key("100MiB", _size)
    esp_mount: str = _key("", _optional(_one_of("/boot", "/boot/efi")))
    filesystem: str = _key("ext4", _one_of("ext4"))
    label: str = _key(
        "cloud-root", _matching(r"[A-Za-z0-9_.-]{1,16}", "1 to 16 letters, digits, '_', '.', '-'")
    )


@dataclass(frozen=True)
class Grub:
    """The boot loader of an image.raw."""

    cmdline: str = _key("loglevel=3 console=tty console=ttyS0", _line)
    timeout: int = _key(0, _between(0, 3600))


@dataclass(frozen=True)
class Container:
    """What a container starts, and with what.

    An empty ``entrypoint`` is the usual one: /app for a binary, what an OCI image itself starts,
    else /sbin/init. A variable without a value is one whose value the deployment gives. ``start``
    is the script that starts an OCI image's program as the image says; the build writes it.
    """

    entrypoint: str = _key("", _optional(_PROGRAM))
    args: tuple[str, ...] = _key((), _each(_word))
    env: dict[str, str] = _key({}, _environment)
    mounts: tuple[str, ...] = _key((), _each(_MOUNT))
    start: str = _key("")


@dataclass(frozen=True)
class Output:
    """Where the archive goes, and how tightly it is packed."""

    directory: str = _key(".", lambda value: _line(value) if value else "a directory")
    compression: str = _key("fast", _one_of("fast", "small"))


@dataclass(frozen=True)
class Checklist:
    """How the result is judged."""

    disk_size: str = _key("5GiB", _size)
    waive: tuple[str, ...] = _key((), _each(_SLUG))


@dataclass(frozen=True)
class Recipe:
    """Everything a build depends on; equal recipes give equal artefacts.

    Make one with :meth:`from_dict`, :meth:`from_toml` or :meth:`load`, which validate; they raise
    :class:`RecipeError` naming every wrong key.
    """

    name: str = _key("debian-vm", _NAME)
    target: str = _key("vm", _one_of("container", "vm", "image"))
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
        problems: list[Problem] = []
        recipe = cast("Recipe", _read(cls, _with_suite(data), "", problems))
        problems += _contradictions(recipe) if not problems else ()
        if problems:
            raise RecipeError(tuple(problems), where)
        return recipe

    @classmethod
    def from_toml(cls, text: str, where: str = "the recipe") -> Recipe:
        """The recipe a TOML text describes."""
        try:
            data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise UsageError(
                f"{where} is not TOML: {error}", "Mend that line; `zwizard new` writes a good one."
            ) from None
        return cls.from_dict(data, where)

    @classmethod
    def load(cls, path: Path) -> Recipe:
        """The recipe in the file at ``path``."""
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise UsageError(
                f"{path} cannot be read: {error.strerror}", "Name a recipe that exists."
            ) from None
        except UnicodeDecodeError:
            raise UsageError(f"{path} is not UTF-8 text", "Name a recipe (TOML).") from None
        return cls.from_toml(text, str(path))

    def to_dict(self) -> dict[str, Any]:
        """Nested mappings shaped like the TOML file: what applies, and whatever is not default."""
        return _write(self, _sections(self))

    def to_toml(self) -> str:
        """The TOML file of this recipe; :meth:`from_toml` gives an equal one."""
        import tomli_w

        return tomli_w.dumps(self.to_dict(), multiline_strings=False)


def _with_suite(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """``data`` with the suite of its distribution, where it names none."""
    source = data.get("source")
    if not isinstance(source, Mapping) or "suite" in source:
        return data
    distro = distros.KNOWN.get(str(source.get("distro", "")))
    return {**data, "source": {**source, "suite": distro.suites[0].name}} if distro else data


def check_value(key: str, value: object) -> Problem | None:
    """What is wrong with ``value`` for the recipe's ``key`` ("source.suite"), alone."""
    section, _, name = key.rpartition(".")
    owner = _hints(Recipe)[section] if section else Recipe
    problems: list[Problem] = []
    _read_value(owner, next(f for f in fields(owner) if f.name == name), value, key, problems)
    return problems[0] if problems else None


def default_value(key: str) -> object:
    """The recipe's default for ``key`` ("source.suite")."""
    value: Any = Recipe()
    for name in key.split("."):
        value = getattr(value, name)
    return value


def _read(cls: Any, data: Mapping[str, Any], prefix: str, problems: list[Problem]) -> Any:
    """An instance of dataclass ``cls`` from ``data``; what is wrong goes to ``problems``."""
    known = {f.name: f for f in fields(cls)}
    hints = _hints(cls)
    values = {}
    for name, value in data.items():
        key = f"{prefix}{name}"
        if name not in known:
            near = get_close_matches(str(name), known, n=1)
            hint = f"did you mean {prefix}{near[0]}?" if near else f"allowed: {', '.join(known)}"
            problems.append(Problem(key, None, f"there is no such key; {hint}"))
        elif is_dataclass(hints[name]):
            if isinstance(value, Mapping):
                values[name] = _read(hints[name], value, f"{key}.", problems)
            else:
                problems.append(Problem(key, value, f"a table: [{key}]"))
        else:
            values[name] = _read_value(cls, known[name], value, key, problems)
    return cls(**values)


def _read_value(
    owner: Any, spec: Field[Any], value: object, key: str, problems: list[Problem]
) -> Any:
    kind = _hints(owner)[spec.name]
    default = spec.default if spec.default is not MISSING else {}
    wanted, good = _TYPES[kind]
    if isinstance(value, list):
        value = tuple(value)
    if not good(value):
        problems.append(Problem(key, value, f"allowed is {wanted}"))
        return default
    if said := spec.metadata["check"](value):
        problems.append(Problem(key, value, said))
        return default
    return value


def _strings(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(item, str) for item in value)


def _string_map(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(k, str) and isinstance(v, str) for k, v in value.items()
    )


_TYPES: dict[Any, tuple[str, Callable[[object], bool]]] = {
    str: ("a string", lambda value: isinstance(value, str)),
    int: ("a whole number", lambda value: isinstance(value, int) and not isinstance(value, bool)),
    tuple[str, ...]: ("a list of strings", _strings),
    dict[str, str]: ("a table of strings", _string_map),
}

_SMALLEST_FAT32 = 34 * 2**20  # 65,525 clusters of 512 bytes, and their two tables
_SMALLEST_BOOT = 100 * 2**20
_SMALLEST_ROOT = 256 * 2**20

_FILES = ("rootfs", "cloud-image", "oci", "binary")
_TARGETS_OF = {
    "distro": ("container", "vm", "image"),
    "rootfs": ("container", "vm", "image"),
    "cloud-image": ("vm", "image"),
    "oci": ("container",),
    "binary": ("container",),
}
_BOOTSTRAPS_OF = {
    "debian": ("auto", "mmdebstrap", "debootstrap"),
    "ubuntu": ("auto", "mmdebstrap", "debootstrap"),
    "arch": ("auto", "pacstrap"),
}


# Its plan is made of it, and a plan is made before anything runs.
_AT_HAND = (
    "a file or directory of this machine: what a container image starts, and with which"
    " environment and working directory, is read from it before anything runs. Fetch it first"
    " (curl -LO URL; from a registry: skopeo copy docker://IMAGE docker-archive:image.tar)"
)


def _contradictions(recipe: Recipe) -> list[Problem]:
    """Values that are allowed alone and impossible together."""
    source = recipe.source
    found = []
    if recipe.target not in _TARGETS_OF[source.kind]:
        allowed = " or ".join(_TARGETS_OF[source.kind])
        found.append(Problem("target", recipe.target, f"a {source.kind} becomes a {allowed}"))
    if source.kind == "distro":
        found += _distro_contradictions(source)
    elif not source.location:
        place = "a path" if source.kind == "oci" else "a path or a URL"
        found.append(Problem("source.location", None, f"a {source.kind} needs {place}"))
    elif source.kind == "oci" and "://" in source.location:
        found.append(Problem("source.location", source.location, _AT_HAND))
    if source.mend and source.kind != "rootfs":
        found.append(Problem("source.mend", source.mend, "only for source.kind = rootfs"))
    found += _kernel_contradictions(recipe.kernel)
    if recipe.target == "container":
        found += _container_contradictions(recipe)
    if recipe.target == "image" and source.kind != "cloud-image":
        found += _disk_contradictions(recipe)
    return found + _out_of_place(recipe)


def _kernel_contradictions(kernel: Kernel) -> list[Problem]:
    found = []
    beside = (
        ("initrd", kernel.initrd, "file", kernel.file),
        ("sha256", kernel.sha256, "file", kernel.file),
        ("initrd_sha256", kernel.initrd_sha256, "initrd", kernel.initrd),
    )
    for key, value, needs, there in beside:
        if value and not there:
            found.append(Problem(f"kernel.{key}", value, f"only beside kernel.{needs}"))
    if kernel.file and kernel.package:
        said = "either kernel.package or kernel.file, not both"
        found.append(Problem("kernel.package", kernel.package, said))
    return found


def _disk_contradictions(recipe: Recipe) -> list[Problem]:
    """Sizes of a disk image that cannot be, with the figures."""
    size, esp = parse_size(recipe.disk.size), parse_size(recipe.disk.esp_size)
    rented = parse_size(recipe.checklist.disk_size)
    found = []
    if esp < _SMALLEST_FAT32:
        said = "34MiB or more: FAT32, which the document asks for, cannot be smaller"
        found.append(Problem("disk.esp_size", recipe.disk.esp_size, said))
    if recipe.disk.esp_mount == "/boot" and esp < _SMALLEST_BOOT:
        said = "100MiB or more, as it is /boot: two kernels with their initramfs go into it"
        found.append(Problem("disk.esp_size", recipe.disk.esp_size, said))
    if size > rented:
        said = (
            f"at most the disk that is rented (checklist.disk_size = {recipe.checklist.disk_size})"
        )
        found.append(Problem("disk.size", recipe.disk.size, f"{said}: Zero-OS refuses the image"))
    if size < esp + _SMALLEST_ROOT:
        said = f"at least 256MiB more than the ESP ({recipe.disk.esp_size})"
        found.append(Problem("disk.size", recipe.disk.size, said))
    return found


BINARY = "/app"  # where a binary is put, if nothing else is said
_MOUNTED = ("/dev/", "/proc/", "/run/", "/sys/", "/tmp/")  # noqa: S108 - the image's


def _container_contradictions(recipe: Recipe) -> list[Problem]:
    container, kind = recipe.container, recipe.source.kind
    found = []
    if kind == "distro" and not container.entrypoint:
        said = "it has to be said what Zero-OS starts: an absolute path, such as /usr/sbin/nginx"
        found.append(Problem("container.entrypoint", None, said))
    if kind == "binary" and container.entrypoint.startswith(_MOUNTED):
        said = "a place that nothing is mounted over: not below /dev, /proc, /run, /sys or /tmp"
        found.append(Problem("container.entrypoint", container.entrypoint, said))
    if container.start and kind != "oci":
        found.append(Problem("container.start", container.start, "only for source.kind = oci"))
    if recipe.system.services:
        said = "none: a container runs its entrypoint alone; services are for a VM"
        found.append(Problem("system.services", recipe.system.services, said))
    return found


def _distro_contradictions(source: Source) -> list[Problem]:
    if source.distro == "other":
        said = f"{', '.join(_BOOTSTRAPS_OF)}; other is what a rootfs by others may be"
        return [Problem("source.distro", source.distro, said)]
    found = []
    if source.bootstrap not in _BOOTSTRAPS_OF[source.distro]:
        allowed = ", ".join(_BOOTSTRAPS_OF[source.distro])
        found.append(Problem("source.bootstrap", source.bootstrap, f"{source.distro}: {allowed}"))
    distro = distros.KNOWN.get(source.distro)
    if distro and not distro.suite(source.suite):
        said = _one_of(*(suite.name for suite in distro.suites))(source.suite)
        said = "no suites: leave it empty" if distro.suite("") else said
        found.append(Problem("source.suite", source.suite, f"{distro.title} has {said}"))
    if source.distro == "arch" and not source.mirror:
        said = "an address is needed: archlinux.org/mirrors lists those of Arch Linux"
        found.append(Problem("source.mirror", None, said))
    if source.keys and source.distro != "arch":
        said = "only for source.distro = arch: the keys that vouch for a mirror's packagers"
        found.append(Problem("source.keys", source.keys, said))
    if source.location:
        said = f"only for source.kind = {', '.join(_FILES)}"
        found.append(Problem("source.location", source.location, said))
    if source.bootstrap == "debootstrap" and source.variant == "minimal":
        said = "debootstrap makes the standard variant, as in the document; minimal: mmdebstrap"
        found.append(Problem("source.variant", source.variant, said))
    return found


def _out_of_place(recipe: Recipe) -> list[Problem]:
    """Settings of a section that the target has no use for."""
    sections = _sections(recipe)
    blank = Recipe()
    return [
        Problem(f"{f.name}.{key.name}", value, f"target = {recipe.target} has no [{f.name}]")
        for f in fields(recipe)
        if is_dataclass(section := getattr(recipe, f.name)) and f.name not in sections
        for key in fields(section)
        if (value := getattr(section, key.name)) != getattr(getattr(blank, f.name), key.name)
    ]


def is_by_others(target: str, kind: str) -> bool:
    """Whether somebody else's system is changed: of which distribution it is has to be known."""
    return kind == "rootfs" or (target, kind) == ("vm", "cloud-image")


def applies(key: str, target: str, kind: str) -> bool:
    """Whether ``key`` means anything for a target made of a source of this kind."""
    section, _, name = key.rpartition(".")
    if section == "source" and name in {"location", "sha256"}:
        return kind in _FILES
    if key == "source.keys":
        return kind == "distro"
    if key == "source.mend":
        return kind == "rootfs"
    if key == "system.services" and target == "container":
        return False
    return section in {"", "source"} or section in _tables(target, kind)


def _sections(recipe: Recipe) -> frozenset[str]:
    """The tables that mean something for this recipe."""
    return _tables(recipe.target, recipe.source.kind)


def _tables(target: str, kind: str) -> frozenset[str]:
    always = {"source", "output", "checklist"}
    if kind == "cloud-image" and target == "image":
        return frozenset(always)  # nothing in it is changed
    match target:
        case "container" if kind in {"binary", "oci"}:
            return frozenset(always | {"container"})
        case "container":
            return frozenset(always | {"system", "container"})
        case "vm":
            return frozenset(always | {"system", "kernel"})
        case _:
            return frozenset(always | {"system", "kernel", "disk", "grub"})


def _write(recipe: Recipe, sections: frozenset[str]) -> dict[str, Any]:
    blank = Recipe()
    data: dict[str, Any] = {"name": recipe.name, "target": recipe.target}
    for name in (f.name for f in fields(recipe) if f.name not in data):
        section, default = getattr(recipe, name), getattr(blank, name)
        data[name] = {
            f.name: list(value) if isinstance(value, tuple) else value
            for f in fields(section)
            if (value := getattr(section, f.name)) != getattr(default, f.name)
            or (name in sections and _speaks(recipe, name, f.name))
        }
    return {name: value for name, value in data.items() if value != {}}


_SILENT = {
    *(("container", "start"), ("source", "mend"), ("source", "keys")),
    *(("kernel", "sha256"), ("kernel", "initrd_sha256")),
}


def _speaks(recipe: Recipe, section: str, key: str) -> bool:
    """Whether a default is worth writing: not where the other kind of source decides."""
    if (section, key) in _SILENT:
        return False
    if section != "source" or key == "kind":
        return True
    if key == "distro" and is_by_others(recipe.target, recipe.source.kind):
        return True
    return (key in {"location", "sha256"}) == (recipe.source.kind in _FILES)
