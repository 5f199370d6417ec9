"""Take what a recipe names into the tree: a program, a root file system, an image.

Each has ``location``, a path or URL, and ``sha256`` of that file, or "".
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from zwizard import distros
from zwizard.steps.actions.action import FunctionCall


@dataclass(frozen=True)
class InstallBinary(FunctionCall):
    """Put the static binary at ``location`` to ``path`` in the tree."""

    location: str
    sha256: str
    path: str
    scripts = ("fetch.sh", "binary.sh")
    function = "install_binary"


@dataclass(frozen=True)
class UnpackOci(FunctionCall):
    """Unpack the root file system of the OCI or ``docker save`` image at ``location``."""

    location: str
    sha256: str
    programs = ("umoci",)
    scripts = ("fetch.sh", "oci.sh")
    modules = ("oci_layout",)
    function = "import_oci"


@dataclass(frozen=True)
class Convert(FunctionCall):
    """Convert the disk image at ``location`` to raw.

    ``limit``: bytes of the disk to be rented, which the image must not exceed.
    """

    location: str
    sha256: str
    limit: int
    programs = ("qemu-img",)
    scripts = ("fetch.sh", "cloud.sh")
    function = "convert_image"
    leaves = "image"


@dataclass(frozen=True)
class Import(FunctionCall):
    """Unpack the root file system at ``location``: a directory or tar archive.

    The sum of a directory is what ``tree_sum`` prints. ``distro``: which one its os-release must
    name, ``other`` for any. ``init``: whether it must have an init.
    """

    location: str
    sha256: str
    distro: str
    init: bool
    programs: ClassVar[tuple[str, ...]] = ("tar",)
    scripts: ClassVar[tuple[str, ...]] = ("fetch.sh", "import.sh")
    modules: ClassVar[tuple[str, ...]] = ("untar",)
    function = "import_root"

    def arguments(self) -> Iterator[str]:
        """The fields, and the names of the distributions that it may be."""
        yield from super().arguments()
        yield from distros.KNOWN


@dataclass(frozen=True)
class ImportDisk(Import):
    """Unpack the root file system on the disk image (qcow2 or raw) at ``location``."""

    programs = ("qemu-img", "tar")
    scripts = ("fetch.sh", "cloud.sh", "import.sh", "import_disk.sh")
    modules = ("disk_to_tar", "untar")
    function = "import_disk"
