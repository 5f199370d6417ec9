"""/etc/fstab, read as systemd reads it (systemd-fstab-generator(8))."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from zwizard.checks.helpers import BY_HAND, lines
from zwizard.image.tree import FileTree

PATH = "/etc/fstab"

_DEVICE = re.compile(r"/dev/|(?:UUID|LABEL|PARTUUID|PARTLABEL)=")
_REMOTE = frozenset({"nfs", "nfs4", "cifs", "smb3", "ceph", "glusterfs", "ncpfs", "afs"})
# The mounts of the machine itself, which systemd leaves alone.
_OWN = re.compile(r"/(?:proc|sys|dev)(?:/.*)?")


@dataclass(frozen=True, slots=True)
class Mount:
    """A line: what is mounted where, its type ("" if it has none) and options."""

    line: str
    device: str
    point: str
    kind: str
    options: frozenset[str]

    @property
    def is_block(self) -> bool:
        """It names a block device."""
        return _DEVICE.match(self.device) is not None

    @property
    def optional(self) -> bool:
        """The line itself says that the machine starts without it."""
        return not self.options.isdisjoint({"nofail", "noauto"})

    @property
    def required(self) -> bool:
        """The boot stops if it cannot be mounted: local-fs.target requires it."""
        loose = self.optional or any(
            option.startswith(("x-systemd.automount", "x-systemd.wanted-by"))
            for option in self.options
        )
        remote = self.kind in _REMOTE or "_netdev" in self.options
        return (
            self.point.startswith("/")
            and self.kind != "swap"
            and not loose
            and not remote
            and _OWN.fullmatch(self.point) is None
        )


def read_fstab(tree: FileTree) -> Iterator[Mount]:
    """The lines of fstab(5) that name a device and a place; raises UnreadableError."""
    for line in lines(tree, PATH, BY_HAND):
        fields = [*line.split(), "", ""]
        if len(fields) > 3:
            device, point = (field.replace('"', "") for field in fields[:2])
            yield Mount(line, device, point, fields[2], frozenset(fields[3].split(",")))
