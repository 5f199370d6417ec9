"""What a recipe takes from a file: looked at before anything runs, and told in plain words."""

from __future__ import annotations

import os
import re
import stat
import struct
from contextlib import nullcontext
from functools import lru_cache
from pathlib import Path
from threading import Lock

from zwizard import distros
from zwizard.host.unmappable_owners import unmappable_owners
from zwizard.image.archive.byte_stream import ArchiveError
from zwizard.image.executables.elf import Elf, read_elf
from zwizard.image.executables.initramfs import read_initramfs
from zwizard.image.executables.kernel import read_kernel
from zwizard.image.magic import HEAD, file_type
from zwizard.image.oci import OciError, OciImage, read_oci
from zwizard.plan import container
from zwizard.sources.detect_distro import detect_distro
from zwizard.util.text import one_line, size
from zwizard.wizard.questions import RawAnswers
from zwizard.wizard.suggestions import LOCATION, OWN_INITRD, OWN_KERNEL, InputReport

_STATIC = (
    "Link it statically (gcc -static, CGO_ENABLED=0 go build, a musl target of Rust), or take a"
    " distribution that has what it needs"
)
_FEW = 4  # libraries that are named


def look_at(given: RawAnswers, key: str = LOCATION, *, patient: bool = True) -> InputReport:
    """What the file is that an answer names, from the working directory; nothing of a URL.

    Who is not ``patient`` is told so where that takes a while and was not found out yet.
    """
    subject = subject_of(given, key)
    if subject is None:
        return InputReport()
    if not patient and takes_long(given, key):
        return InputReport("Looking what it is …")
    return look(*subject)


def takes_long(given: RawAnswers, key: str = LOCATION) -> bool:
    """Whether it is not known yet what the file of an answer is, and takes reading it."""
    subject = subject_of(given, key)
    slow = subject is not None and subject[0] in _SLOW and subject[1].exists()
    return slow and not is_known(given, key)


def is_known(given: RawAnswers, key: str = LOCATION) -> bool:
    """Whether the file of an answer was looked at already."""
    subject = subject_of(given, key)
    try:
        return subject is not None and (*subject, *state(subject[1])) in _seen
    except OSError:
        return False


def subject_of(given: RawAnswers, key: str = LOCATION) -> tuple[str, Path] | None:
    """The kind and the path of the file that an answer names, if it names one."""
    kind, location = kind_of(given, key), given.get(key, "").strip()
    if not location or "://" in location:
        return None
    try:
        return kind, Path(location).expanduser().absolute()
    except RuntimeError:
        return None  # a "~" that is nobody's, which is told elsewhere


def kind_of(given: RawAnswers, key: str) -> str:
    """What the file of an answer should be."""
    return given.get("source.kind", "") if key == LOCATION else _KINDS[key]


_KINDS = {OWN_KERNEL: "kernel", OWN_INITRD: "initrd"}
_TAR = re.compile(r"\.(?:tar(?:\.\w+)?|t[bgx]z2?|tzst)$")
_NAMED = {
    "cloud-image": re.compile(r"\.(?:img|qcow2?|raw)$"),
    "oci": _TAR,
    "rootfs": _TAR,
    "kernel": re.compile(r"vmlinu|bzimage|kernel"),
    "initrd": re.compile(r"initr"),
}


def may_be(kind: str, file: Path) -> bool:
    """Whether ``file`` is worth offering for a source of this ``kind``, as far as is seen at once.

    By its name, and of a program by whether it may be run: its content is looked at once it is
    chosen.
    """
    named = _NAMED.get(kind)
    return bool(named.search(file.name.lower())) if named else os.access(file, os.X_OK)


_seen: dict[
    tuple[str, Path, int, int], InputReport
] = {}  # it is asked for at every key that is pressed
_MOST_SEEN = 64
_reading = Lock()  # whoever comes second finds it read, and does not read it beside the first


def look(kind: str, file: Path) -> InputReport:
    """What ``file`` is to a source of this ``kind``; nothing of a kind that is not looked at."""
    if kind not in _LOOKS:
        return InputReport()
    try:
        return _look(kind, file, *state(file))
    except OSError as error:
        return InputReport(wrong=one_line(f"{file}: {error.strerror}"))


def _look(kind: str, file: Path, mtime: int, size: int) -> InputReport:
    key = kind, file, mtime, size
    if seen := _seen.get(key):
        return seen
    with _reading if kind in _SLOW else nullcontext():
        if seen := _seen.get(key):
            return seen
        try:
            found = _LOOKS[kind](file)
        except OSError as error:
            found = InputReport(wrong=one_line(f"{file}: {error.strerror or error}"))
        if len(_seen) >= _MOST_SEEN:
            _seen.clear()
        _seen[key] = found
        return found


def state(file: Path) -> tuple[int, int]:
    """What is another where the file has changed; raises OSError."""
    found = _changes(file).stat()
    if stat.S_ISDIR(found.st_mode):
        return found.st_ctime_ns, found.st_size  # also where only its owner is another
    return found.st_mtime_ns, found.st_size


def _changes(file: Path) -> Path:
    """What changes where ``file`` does: of an OCI layout, which is a directory, its index."""
    index = file / "index.json"
    return index if index.is_file() else file


def _binary(file: Path) -> InputReport:
    if file.is_dir():
        return InputReport(wrong="a directory; a binary is one file")
    with file.open("rb") as opened:
        head = opened.read(HEAD)
        elf = read_elf(opened)
    if elf is None:
        return InputReport(wrong=_no_elf(head))
    if not elf.x86_64:
        return InputReport(
            wrong=f"it is {elf.words}; the nodes are x86-64. Build it for linux/amd64"
        )
    if not elf.runs:
        return InputReport(wrong="it is a part of a program (an object file), not one that runs")
    if elf.loader or elf.libraries:
        return InputReport(wrong=f"it is not static: {_needs(elf)}. {_STATIC}")
    if (there := file.stat().st_size) < elf.end:
        return InputReport(wrong=f"it is cut: {elf.end} bytes belong to it, and {there} are here")
    return InputReport(f"a static program for x86-64, {size(there)}")


def _no_elf(head: bytes) -> str:
    if head.startswith(b"#!"):
        interpreter = one_line(head[2:256].split(b"\n")[0].decode("utf-8", "replace").strip())
        return f"it is a script, which needs {interpreter}: take a distribution that has that"
    if head.startswith(b"MZ"):
        return "it is an EFI or Windows program; Zero-OS runs Linux. Build it for linux/amd64"
    return f"it is {file_type(head)}, and no program"


def _needs(elf: Elf) -> str:
    """The loader and the libraries without which it does not start."""
    more = len(elf.libraries) - _FEW
    names = [*filter(None, [elf.loader]), *elf.libraries[:_FEW]]
    return one_line(f"it needs {', '.join(names)}{f' and {more} more' if more > 0 else ''}")


def _rootfs(file: Path) -> InputReport:
    try:
        found = detect_distro(file)
    except ArchiveError as error:
        return InputReport(wrong=f"{error}. A root file system is a directory or a tar archive")
    if found.machine:
        return InputReport(wrong=f"its programs are {found.machine}; the nodes are x86-64 (amd64)")
    if file.is_dir() and (theirs := unmappable_owners(file)):
        return InputReport(wrong=theirs)
    title = found.title or "a root file system that does not say of which distribution it is"
    if found.distro != "other":
        return InputReport(
            f"{title}: {distros.named(found.distro).title}'s tools install what it lacks"
        )
    if not found.init:
        return InputReport(f"{title}; no init system was found, which a VM needs")
    return InputReport(
        f"{title}: no package tool is known for it, so that nothing is installed in it"
    )


_QCOW2 = "a qcow2 disk image"
# Magic and version, backing file, its length, cluster, size (qemu's docs/interop/qcow2.rst).
_QCOW2_HEAD = struct.Struct(">8sQIIQ")
_TAKEN = {
    *("a raw disk image (GPT)", "a raw disk image (MBR)"),
    *("an ext2, ext3 or ext4 file system", "a file of an unknown kind"),
}


def _cloud_image(file: Path) -> InputReport:
    if file.is_dir():
        return InputReport(wrong="a directory; a cloud image is one file, qcow2 or raw")
    with file.open("rb") as opened:
        head = opened.read(HEAD)
    kind = file_type(head)
    if kind == _QCOW2 and len(head) >= _QCOW2_HEAD.size:
        _, backing, _, _, disk = _QCOW2_HEAD.unpack_from(head)
        if backing:
            said = "it needs another image, its backing file: flatten it first (qemu-img convert)"
            return InputReport(wrong=said)
        return InputReport(f"{kind} of {size(disk)}")
    if kind in _TAKEN:
        return InputReport(f"{kind}, {size(file.stat().st_size)}")
    if "disk image" in kind:
        return InputReport(wrong=f"it is {kind}: convert it first (qemu-img convert -O qcow2)")
    return InputReport(wrong=f"it is {kind}; a cloud image is qcow2 or raw, and not packed")


def _oci(file: Path) -> InputReport:
    try:
        image = read_image(file)
    except OciError as error:
        return InputReport(wrong=one_line(str(error)))
    starts = container.line((*image.entrypoint, *image.command)) or "nothing by itself"
    names = ", ".join(name for name, _ in image.environment)
    said = f"linux/amd64; starts {starts} in {image.directory}{f', sets {names}' if names else ''}"
    if not image.shell and image.directory != "/":
        said += ". It has no shell to change there: Zero-OS starts it in /"
    return InputReport(one_line(said))


def read_image(file: Path) -> OciImage:
    """What an OCI image says of itself; raises OciError, or OSError."""
    return _read_image(file, _changes(file).stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _read_image(file: Path, _mtime: int) -> OciImage:
    return read_oci(file)


def _kernel(file: Path) -> InputReport:
    if file.is_dir():
        return InputReport(wrong="a directory; a kernel is one file")
    with file.open("rb") as opened:
        found = read_kernel(opened)
    version = f"Linux {found.version}" if found.version else "a kernel that hides its version"
    if found.bzimage:
        return InputReport(f"{version}, compressed: it is unpacked to ELF")
    if found.elf is None:
        return InputReport(wrong=f"it is {found.description}, and no kernel for x86-64")
    if found.elf.fault:
        return InputReport(
            wrong=f"it is {found.description} that nothing starts: {found.elf.fault}"
        )
    if found.elf.cut:
        return InputReport(wrong=f"it is cut: more belongs to it than its {found.elf.size} bytes")
    if found.elf.pvh is None:
        said = "it has no PVH entry (a Xen note), by which it would be started"
        return InputReport(wrong=f"{said}: build it with CONFIG_PVH=y")
    return InputReport(f"{version}, an ELF with the PVH entry that Zero-OS starts")


def _initrd(file: Path) -> InputReport:
    if file.is_dir():
        return InputReport(wrong="a directory; an initramfs is one file")
    with file.open("rb") as opened:
        found = read_initramfs(opened)
    if found.fault and not found.bounded:
        return InputReport(wrong=one_line(found.fault))
    lacking = [name for name in ("virtiofs", "virtio_pci") if not found.has(name)]
    said = f"an initramfs, {size(file.stat().st_size)}"
    if lacking:
        said += f"; the kernel has to have {' and '.join(lacking)} built in, which it lacks"
    return InputReport(said)


_LOOKS = {
    "binary": _binary,
    "cloud-image": _cloud_image,
    "oci": _oci,
    "rootfs": _rootfs,
    "kernel": _kernel,
    "initrd": _initrd,
}
_SLOW = {"initrd", "kernel", "oci", "rootfs"}
