"""What Zero-OS would take an image for, by the three paths it looks at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zwizard.checks.rule import Mode
from zwizard.image.single_file import FileView
from zwizard.image.tree import Kind, Trouble

if TYPE_CHECKING:
    from zwizard.image.tree import Entry, View

DISK_IMAGE = "/image.raw"
KERNEL = "/boot/vmlinuz"
INITRD = "/boot/initrd.img"


@dataclass(frozen=True, slots=True)
class Sight:
    """What Zero-OS finds at one path: a file, nothing and ``why``, or a reason to refuse."""

    path: str
    entry: Entry | None
    why: str = ""
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Detection:
    """The mode Zero-OS would start, and what it saw at the three paths."""

    mode: Mode
    sights: tuple[Sight, ...]

    def at(self, path: str) -> Sight:
        """What it saw at one of the three paths."""
        return next(sight for sight in self.sights if sight.path == path)

    @property
    def refused(self) -> Sight | None:
        """The first sight that makes Zero-OS refuse the workload."""
        return next((sight for sight in self.sights if sight.refused), None)


def detect(view: View) -> Detection:
    """What Zero-OS would start this tree as (zosbase, getFlistInfo; zmachine.md, "VM").

    It stats the paths on its own machine, with the image mounted somewhere below: a link that
    is absolute or climbs above the image's root leads to the machine's own files, so that the
    path counts as not there, without a word.
    """
    sights = tuple(_look(view, path) for path in (DISK_IMAGE, KERNEL, INITRD))
    image, kernel, _ = sights
    if image.entry is not None:
        return Detection(Mode.IMAGE, sights)
    return Detection(Mode.VM if kernel.entry is not None else Mode.CONTAINER, sights)


def intended(view: View) -> Mode:
    """What the image means to be, if nobody says: by the names that are there, followed or not.

    A `/boot/vmlinuz` that Zero-OS cannot follow still says that a VM is meant.
    """
    if isinstance(view, FileView) or view.lstat(DISK_IMAGE) is not None:
        return Mode.IMAGE
    return Mode.VM if view.lstat(KERNEL) is not None else Mode.CONTAINER


def _look(view: View, path: str) -> Sight:
    found = view.resolve(path)
    if found.outside is not None:
        link = found.outside
        return Sight(path, None, f"the link {link.path} -> {link.target} leads out of the image")
    if found.entry is None:
        refused = found.trouble in {Trouble.LOOP, Trouble.NOT_A_DIRECTORY}
        return Sight(path, None, found.shown, refused)
    if found.entry.kind is not Kind.FILE:
        return Sight(path, None, found.shown, refused=True)
    return Sight(path, found.entry)
