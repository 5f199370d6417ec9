"""Import a root file system that was made elsewhere."""

from collections.abc import Iterator
from dataclasses import dataclass

from zwizard import distros
from zwizard.steps.actions.action import FunctionCall


@dataclass(frozen=True)
class _Import(FunctionCall):
    location: str
    sha256: str
    distro: str
    init: bool

    def arguments(self) -> Iterator[str]:
        """The fields, and the names of the distributions that it may be."""
        yield from super().arguments()
        yield from distros.KNOWN


@dataclass(frozen=True)
class Import(_Import):
    """Unpack the root file system at ``location``: a directory or tar archive, a path or URL.

    ``sha256``: of the file, or ""; of a directory, what ``tree_sum`` prints. ``distro``: which
    one its os-release must name, ``other`` for any. ``init``: whether it must have an init.
    """

    programs = ("tar",)
    scripts = ("fetch.sh", "import.sh")
    modules = ("untar",)
    function = "import_root"


@dataclass(frozen=True)
class ImportDisk(_Import):
    """Unpack the root file system on the disk image (qcow2 or raw) at ``location``, a path or URL.

    The fields are those of Import.
    """

    programs = ("qemu-img", "tar")
    scripts = ("fetch.sh", "cloud.sh", "import.sh", "import_disk.sh")
    modules = ("disk_to_tar", "untar")
    function = "import_disk"
