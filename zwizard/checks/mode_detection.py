"""What Zero-OS starts an image as, detected from three paths."""

from dataclasses import dataclass

from zwizard.checks.verdict import Mode
from zwizard.image.single_file import SingleFileTree
from zwizard.image.tree import Entry, EntryType, FileTree, LinkProblem

DISK_IMAGE = "/image.raw"
KERNEL = "/boot/vmlinuz"
INITRD = "/boot/initrd.img"


@dataclass(frozen=True, slots=True)
class ResolvedPath:
    """What Zero-OS finds at one path: a file; nothing, for the reason ``why``; or an error."""

    path: str
    entry: Entry | None
    why: str = ""
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Detection:
    """What Zero-OS finds at the three paths."""

    image: ResolvedPath
    kernel: ResolvedPath
    initrd: ResolvedPath

    @property
    def mode(self) -> Mode:
        """The mode that Zero-OS detects."""
        if self.image.entry is not None:
            return Mode.IMAGE
        return Mode.VM if self.kernel.entry is not None else Mode.CONTAINER

    @property
    def refused(self) -> ResolvedPath | None:
        """The first path that makes Zero-OS reject the workload."""
        return next(
            (path for path in (self.image, self.kernel, self.initrd) if path.refused), None
        )


def detect(tree: FileTree) -> Detection:
    """What Zero-OS starts this tree as (zosbase, getFlistInfo; Zmachine guide, "VM").

    It stats the paths on its own machine, with the image mounted somewhere below: a link that
    is absolute or climbs above the image's root leads to the machine's own files, so that the
    path silently counts as missing.
    """
    return Detection(*(_look(tree, path) for path in (DISK_IMAGE, KERNEL, INITRD)))


def intended(tree: FileTree) -> Mode:
    """The mode that the image is meant for, by the names in it, whether links resolve or not.

    A `/boot/vmlinuz` that Zero-OS cannot follow still means a VM.
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
        refused = found.problem in {LinkProblem.LOOP, LinkProblem.NOT_A_DIRECTORY}
        return ResolvedPath(path, None, found.shown, refused)
    if found.entry.kind is not EntryType.FILE:
        return ResolvedPath(path, None, found.shown, refused=True)
    return ResolvedPath(path, found.entry)
