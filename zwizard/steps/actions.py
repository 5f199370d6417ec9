"""The verbs of a step; each renders its own shell line, so what is shown is what runs."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from importlib import resources

ROOT = "$ROOT"  # in arguments: the tree being built
CHROOT = "$CHROOT"  # the same tree with /proc, /dev and so on mounted, to run commands in
OUT = "$OUT"  # in arguments: the archive being written
DOWNLOADS = "$DOWNLOADS"  # what was fetched, kept for other builds

_MIB = 2**20


@dataclass(frozen=True)
class Host:
    """Run a tool of this machine on the tree."""

    argv: tuple[str, ...]

    def shell(self) -> str:
        """One line of bash."""
        return _line(self.argv)


@dataclass(frozen=True)
class Chroot:
    """Run a command inside the tree."""

    argv: tuple[str, ...]

    def shell(self) -> str:
        """One line of bash."""
        return f"{_line(('chroot', CHROOT))} {shlex.join(self.argv)}"


@dataclass(frozen=True)
class Write:
    """Make the file ``path`` (absolute, in the tree) hold ``text``, whatever was there."""

    path: str
    text: str
    mode: int = 0o644

    def shell(self) -> str:
        """A few lines of bash: the text is a here-document."""
        place = _place(self.path)
        if not self.text:
            return f"install -DTm {self.mode:o} /dev/null {place}"
        return f"install -DTm {self.mode:o} /dev/stdin {place} {_here(self.text)}"


@dataclass(frozen=True)
class Append:
    """Add ``text`` to the file ``path`` (absolute, in the tree)."""

    path: str
    text: str

    def shell(self) -> str:
        """A few lines of bash: the text is a here-document."""
        return f"cat >> {_place(self.path)} {_here(self.text)}"


@dataclass(frozen=True)
class Link:
    """Make ``path`` (absolute, in the tree) a symbolic link to ``target``."""

    path: str
    target: str

    def shell(self) -> str:
        """One line of bash."""
        return f"ln -sfT -- {shlex.quote(self.target)} {_place(self.path)}"


@dataclass(frozen=True)
class Directory:
    """Make ``path`` (absolute, in the tree) a directory, whatever else was there."""

    path: str
    mode: int = 0o755

    def shell(self) -> str:
        """One line of bash."""
        place = _place(self.path)
        return f"[ -d {place} ] || {{ rm -f {place} && mkdir -m {self.mode:o} {place}; }}"


@dataclass(frozen=True)
class Remove:
    """Remove what matches ``patterns`` (absolute, in the tree; ``*`` takes dot files too).

    A missing one is no error. ``*`` stands for one name, or a part of one, at the path's end.
    """

    patterns: tuple[str, ...]

    def shell(self) -> str:
        """One line of bash; the script has ``dotglob`` and ``nullglob`` set."""
        return "rm -rf " + " ".join(map(_place, self.patterns))


@dataclass(frozen=True)
class Pack:
    """Write the tree as a tar, gzipped at ``level``, its time stamps capped at ``epoch``.

    Sorted, with owners as numbers: equal trees give equal bytes, and the hub maps no names.
    """

    level: int
    epoch: int

    def shell(self) -> str:
        """One pipeline of bash, to a function ``to_gzip`` that the script and the engine have."""
        when = (f"--mtime=@{self.epoch}", "--clamp-mtime")
        how = ("--format=gnu", "--sort=name", "--numeric-owner")
        tar = ("tar", "--create", "--directory", ROOT, *how, *when, ".")
        return f"{_line(tar)} | to_gzip {self.level} > {_argument(OUT)}"


@dataclass(frozen=True)
class Layout:
    """How a disk image is divided: an EFI system partition, and the root behind it.

    Sizes in bytes, whole MiB. ``esp_mount`` is where the ESP is mounted in the image. The ids are
    the disk's, the ESP's as a partition and as a file system (``1234-ABCD``), and the root's.
    """

    size: int
    esp_size: int
    esp_mount: str
    label: str
    disk_id: str
    esp_partition_id: str
    esp_id: str
    root_id: str

    @property
    def root_size(self) -> int:
        """Bytes of the root partition: a MiB each is left for the two partition tables."""
        return self.size - self.esp_size - 2 * _MIB


@dataclass(frozen=True)
class MakeDisk:
    """Write the tree as a disk image: GPT, ESP and an ext4 root, its times capped at ``epoch``."""

    layout: Layout
    epoch: int

    def shell(self) -> str:
        """One line of bash: a call of the function that scripts/disk.sh defines."""
        where = self.layout
        sizes = (str(where.size // _MIB), str(where.esp_size // _MIB))
        ids = (where.disk_id, where.esp_partition_id, where.esp_id, where.root_id)
        return _line(("make_disk", *sizes, where.esp_mount, where.label, str(self.epoch), *ids))


@dataclass(frozen=True)
class Convert:
    """Make a disk image by others, at ``location`` (a path or URL), the raw one.

    ``sha256``: what the file must have, if it is known. ``limit``: bytes of the disk to be rented,
    which the image must not exceed.
    """

    location: str
    sha256: str
    limit: int

    def shell(self) -> str:
        """One line of bash: a call of the function that scripts/cloud.sh defines."""
        return _line(("convert_image", self.location, self.sha256, str(self.limit)))


@dataclass(frozen=True)
class Import:
    """Unpack the root file system at ``location``: a directory or tar archive, a path or URL.

    ``sha256``: what the file must have, if it is known; of a directory, what ``tree_sum`` says of
    it. ``distro``: which one it must be by its os-release, ``other`` for any. ``init``: whether
    there has to be one.
    """

    location: str
    sha256: str
    distro: str
    init: bool

    def shell(self) -> str:
        """One line of bash: a call of the function that scripts/import.sh defines."""
        init = "yes" if self.init else ""
        return _line(("import_root", self.location, self.sha256, self.distro, init))


@dataclass(frozen=True)
class ImportDisk:
    """Unpack the root file system on the disk image (qcow2 or raw) at ``location``, a path or URL.

    The rest is as with Import.
    """

    location: str
    sha256: str
    distro: str
    init: bool

    def shell(self) -> str:
        """One line of bash: a call of the function that scripts/disktree.sh defines."""
        init = "yes" if self.init else ""
        return _line(("import_disk", self.location, self.sha256, self.distro, init))


@dataclass(frozen=True)
class Kernels:
    """Run our ``script`` (absolute, in the tree) in its /boot, by this machine's tools.

    It finds what to work on at ``ZOS_BOOT``. No file becomes larger than 1 GiB.
    """

    script: str

    @property
    def argv(self) -> tuple[str, ...]:
        """The command."""
        line = f"ulimit -f 2097152 && . ..{self.script}"
        return ("env", "-C", f"{ROOT}/boot", "ZOS_BOOT=.", "sh", "-c", line)

    def shell(self) -> str:
        """One line of bash; a /boot that is a link might be this machine's."""
        return f'[ ! -L "$ROOT"/boot ] && {_line(self.argv)}'


@dataclass(frozen=True)
class TrustKeys:
    """Have the keys of an archive in ``$DOWNLOADS/file``, proved by their ``fingerprints``.

    Where this machine lacks the keyring, it is taken from ``package`` of ``suite`` at ``mirror``.
    """

    file: str
    package: str
    mirror: str
    suite: str
    fingerprints: tuple[str, ...]

    def shell(self) -> str:
        """One line of bash: a call of the function that scripts/keys.sh defines."""
        where = (self.file, self.package, self.mirror, self.suite)
        return _line(("trust_keys", *where, *self.fingerprints))


@dataclass(frozen=True)
class TrustPackagers:
    """Have a keyring for pacman in ``$DOWNLOADS/name/gnupg``: that which a mirror offers.

    ``package`` at ``mirror`` has it. Those packagers are trusted in it whom the master keys with
    these ``fingerprints`` vouch for.
    """

    name: str
    package: str
    mirror: str
    fingerprints: tuple[str, ...]

    def shell(self) -> str:
        """One line of bash: a call of the function that scripts/packagers.sh defines."""
        where = (self.name, self.package, self.mirror)
        return _line(("trust_packagers", *where, *self.fingerprints))


@dataclass(frozen=True)
class Program:
    """Put the one static program at ``location`` (a path or URL) to ``path`` in the tree.

    ``sha256``: what the file must have, if it is known.
    """

    location: str
    sha256: str
    path: str

    def shell(self) -> str:
        """One line of bash: a call of the function that scripts/container.sh defines."""
        return _line(("take_program", self.location, self.sha256, self.path))


@dataclass(frozen=True)
class OwnKernel:
    """Put the kernel at ``location`` (a path or URL), and an initramfs if given, into /boot.

    The sums are what they must have, if that is known.
    """

    location: str
    sha256: str
    initrd: str
    initrd_sha256: str

    def shell(self) -> str:
        """One line of bash: a call of the function that scripts/kernel.sh defines."""
        initrd = (self.initrd, self.initrd_sha256) if self.initrd else ()
        return _line(("take_kernel", self.location, self.sha256, *initrd))


@dataclass(frozen=True)
class Oci:
    """Lay out the OCI image, or what ``docker save`` wrote, at ``location``: its root file system.

    ``sha256``: what the file must have, if it is known.
    """

    location: str
    sha256: str

    def shell(self) -> str:
        """One line of bash: a call of the function that scripts/oci.sh defines."""
        return _line(("import_oci", self.location, self.sha256))


Action = (
    Host
    | Chroot
    | Write
    | Append
    | Link
    | Directory
    | Remove
    | Pack
    | MakeDisk
    | Convert
    | Import
    | ImportDisk
    | Kernels
    | TrustKeys
    | TrustPackagers
    | Program
    | OwnKernel
    | Oci
)


_FUNCTIONS: dict[type[Action], tuple[str, ...]] = {
    MakeDisk: ("disk.sh",),
    Convert: ("fetch.sh", "cloud.sh"),
    Import: ("fetch.sh", "import.sh"),
    ImportDisk: ("fetch.sh", "cloud.sh", "import.sh", "disktree.sh"),
    TrustKeys: ("keys.sh",),
    TrustPackagers: ("fetch.sh", "packagers.sh"),
    Program: ("fetch.sh", "container.sh"),
    OwnKernel: ("fetch.sh", "kernel.sh"),
    Oci: ("fetch.sh", "oci.sh"),
}


def canonical(action: Action) -> dict[str, object]:
    """The action as plain data: its verb and its fields (for fingerprints and ``--json``)."""
    return {"action": type(action).__name__.lower(), **asdict(action)}


def functions(kinds: Iterable[type[Action]]) -> str:
    """The bash functions that actions of these kinds call."""
    files = resources.files("zwizard.steps").joinpath("scripts")
    wanted = set(kinds)
    names = (name for kind, those in _FUNCTIONS.items() if kind in wanted for name in those)
    return "\n".join(files.joinpath(name).read_text("utf-8") for name in dict.fromkeys(names))


def _line(argv: tuple[str, ...]) -> str:
    return " ".join(map(_argument, argv))


def _argument(text: str) -> str:
    """``text`` as one word of bash; ROOT and OUT stay variables."""
    for variable in (ROOT, CHROOT, OUT, DOWNLOADS):
        if text == variable:
            return f'"{variable}"'
        if text.startswith(f"{variable}/"):
            return f'"{variable}"{shlex.quote(text.removeprefix(variable))}'
    return shlex.quote(text)


def _place(path: str) -> str:
    """``path`` in the tree as one word of bash, its last ``*`` unquoted.

    Pasted where ROOT is not set, it must be an error and not a file of the machine itself.
    """
    before, star, after = path.partition("*")
    return f'"${{ROOT:?}}"{shlex.quote(before)}{star}{shlex.quote(after) if after else ""}'


def _here(text: str) -> str:
    """``text`` (ending in a newline) as a here-document."""
    end = "END"
    while end in text.splitlines():
        end += "_"
    return f"<<'{end}'\n{text}{end}"
