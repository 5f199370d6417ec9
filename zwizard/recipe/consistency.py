"""Values of a recipe that are allowed one by one and impossible together."""

from collections.abc import Iterator

from zwizard import distros
from zwizard.recipe.fields import FIELDS
from zwizard.recipe.problems import Problem
from zwizard.recipe.relevance import LOCAL, SOURCES, Values, target_of, treatment
from zwizard.recipe.values import OneOf
from zwizard.util.text import parse_size
from zwizard.util.units import MIB

_SMALLEST_FAT32 = 34 * MIB  # 65,525 clusters of 512 bytes, and their two tables
_SMALLEST_BOOT = 100 * MIB
_SMALLEST_ROOT = 256 * MIB
_MOUNTED = ("/dev/", "/proc/", "/run/", "/sys/", "/tmp/")  # noqa: S108 - the image's

# The plan is made from its settings, and a plan is made before anything runs.
_LOCAL = (
    "a file or directory of this machine: what a container image starts, and with which"
    " environment and working directory, is read from it before anything runs. Fetch it first"
    " (curl -LO URL; from a registry: skopeo copy docker://IMAGE docker-archive:image.tar)"
)


def contradictions(values: Values) -> list[Problem]:
    """Every problem of a recipe's ``values``; they are complete, and good one by one."""
    kind, target = values["source.kind"], target_of(values)
    found = []
    if target not in SOURCES[kind]:
        found.append(Problem("target", target, f"a {kind} becomes a {' or '.join(SOURCES[kind])}"))
    found += _source(values)
    found += _kernel(values)
    found += _container(values) if target == "container" else ()
    if FIELDS["disk.size"].use.covers(values):
        found += _disk(values)
    for key, field in FIELDS.items():
        use, value = field.use, values[key]
        if value != field.default and not use.lenient and not use.covers(values):
            found.append(Problem(key, value, f"only for {use}"))
    return found


def _source(values: Values) -> Iterator[Problem]:
    kind, location = values["source.kind"], values["source.location"]
    if treatment(values) == "installed":
        yield from _distro(values)
    elif not location:
        place = "a path" if kind in LOCAL else "a path or a URL"
        yield Problem("source.location", None, f"a {kind} needs {place}")
    elif kind in LOCAL and "://" in location:
        yield Problem("source.location", location, _LOCAL)
    elif (scheme := location.partition("://")[0]) != location and scheme not in ("http", "https"):
        allowed = f"{scheme}:// is not supported: http://, https://, or the path of a file"
        yield Problem("source.location", None, allowed)


def _distro(values: Values) -> Iterator[Problem]:
    name, tool = values["source.distro"], values["source.bootstrap"]
    distro = distros.KNOWN.get(name)
    if distro is None:
        allowed = f"{', '.join(distros.KNOWN)}; {name} is for an imported root file system"
        yield Problem("source.distro", name, allowed)
        return
    if tool not in ("auto", *distro.bootstraps):
        allowed = ", ".join(("auto", *distro.bootstraps))
        yield Problem("source.bootstrap", tool, f"{name}: {allowed}")
    if not distro.suite(suite := values["source.suite"]):
        allowed = OneOf(*(each.name for each in distro.suites))(suite)
        allowed = "no suites: leave it empty" if distro.suite("") else allowed
        yield Problem("source.suite", suite, f"{distro.title} has {allowed}")
    if not values["source.mirror"] and distro.family == "pacman":
        allowed = f"{distro.title} has no default mirror; archlinux.org/mirrors lists some"
        yield Problem("source.mirror", None, allowed)
    if (tool, values["source.variant"]) == ("debootstrap", "minimal"):
        allowed = "debootstrap makes the standard base; minimal needs mmdebstrap"
        yield Problem("source.variant", "minimal", allowed)


def _kernel(values: Values) -> Iterator[Problem]:
    for name, other in (("initrd", "file"), ("sha256", "file"), ("initrd_sha256", "initrd")):
        value = values[f"kernel.{name}"]
        if value and not values[f"kernel.{other}"]:
            yield Problem(f"kernel.{name}", value, f"only together with kernel.{other}")
    if values["kernel.file"] and values["kernel.package"]:
        allowed = "either kernel.package or kernel.file, not both"
        yield Problem("kernel.package", values["kernel.package"], allowed)


def _disk(values: Values) -> Iterator[Problem]:
    """Sizes of a disk image that are impossible, with the figures."""
    size, esp_size = values["disk.size"], values["disk.esp_size"]
    rented = values["checklist.disk_size"]
    esp = parse_size(esp_size)
    if esp < _SMALLEST_FAT32:
        allowed = "34MiB or more: FAT32, which Zero-OS needs, cannot be smaller"
        yield Problem("disk.esp_size", esp_size, allowed)
    if values["disk.esp_mount"] == "/boot" and esp < _SMALLEST_BOOT:
        allowed = "100MiB or more, as it is /boot: two kernels with their initramfs go into it"
        yield Problem("disk.esp_size", esp_size, allowed)
    if parse_size(size) > parse_size(rented):
        allowed = f"at most the rented disk (checklist.disk_size = {rented})"
        yield Problem("disk.size", size, f"{allowed}: Zero-OS refuses a larger image")
    if parse_size(size) < esp + _SMALLEST_ROOT:
        yield Problem("disk.size", size, f"at least 256MiB more than the ESP ({esp_size})")


def _container(values: Values) -> Iterator[Problem]:
    entrypoint = values["container.entrypoint"]
    if treatment(values) == "installed" and not entrypoint:
        allowed = "required: the absolute path of what Zero-OS starts, such as /usr/sbin/nginx"
        yield Problem("container.entrypoint", None, allowed)
    if entrypoint.startswith(_MOUNTED):
        allowed = "a path that nothing is mounted over: not below /dev, /proc, /run, /sys or /tmp"
        yield Problem("container.entrypoint", entrypoint, allowed)
