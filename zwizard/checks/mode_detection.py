"""What Zero-OS would take an image for, by the three paths it looks at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zwizard.checks.verdict import Mode
from zwizard.image.single_file import SingleFileTree
from zwizard.image.tree import EntryType, LinkProblem

if TYPE_CHECKING:
    from zwizard.image.tree import Entry, FileTree

DISK_IMAGE = "/image.raw"
KERNEL = "/boot/vmlinuz"
INITRD = "/boot/initrd.img"


@dataclass(frozen=True, slots=True)
class ResolvedPath:
    """What Zero-OS finds at one path: a file, nothing and ``why``, or a reason to refuse."""

    path: str
    entry: Entry | None
    why: str = ""
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Detection:
    """The mode Zero-OS would start, and what it saw at the three paths."""

    mode: Mode
    sights: tuple[ResolvedPath, ...]

    def at(self, path: str) -> ResolvedPath:
        """What it saw at one of the three paths."""
        return next(sight for sight in self.sights if sight.path == path)

    @property
    def refused(self) -> ResolvedPath | None:
        """The first sight that makes Zero-OS refuse the workload."""
        return next((sight for sight in self.sights if sight.refused), None)


def detect(tree: FileTree) -> Detection:
    """What Zero-OS would start this tree as (zosbase, getFlistInfo; zmachine.md, "VM").

    It stats the paths on its own machine, with the image mounted somewhere below: a link that
    is absolute or climbs above the image's root leads to the machine's own files, so that the
    path counts as not there, without a word.
    """
    sights = tuple(_look(tree, path) for path in (DISK_IMAGE, KERNEL, INITRD))
    image, kernel, _ = sights
    if image.entry is not None:
        return Detection(Mode.IMAGE, sights)
    return Detection(Mode.VM if kernel.entry is not None else Mode.CONTAINER, sights)


def intended(tree: FileTree) -> Mode:
    """What the image means to be, if nobody says: by the names that are there, followed or not.

    A `/boot/vmlinuz` that Zero-OS cannot follow still says that a VM is meant.
    """
    if isinstance(tree, SingleFileTree) or tree.lstat(DISK_IMAGE) is not None:
        return Mode.IMAGE
    return Mode.VM if tree.lstat(KERNEL) is not None else Mode.CONTAINER


def _look(tree: FileTree, path: str) -> ResolvedPath:
    found = tree.resolve(path)
    if found.outside is not None:
        link = found.outside
        return ResolvedPath(
            path, None, f"the link {link.path} -> {link.target} leads out of the image"
        )
    if found.entry is None:
        refused = found.trouble in {LinkProblem.LOOP, LinkProblem.NOT_A_DIRECTORY}
        return ResolvedPath(path, None, found.shown, refused)
    if found.entry.kind is not EntryType.FILE:
        return ResolvedPath(path, None, found.shown, refused=True)
    return ResolvedPath(path, found.entry)
