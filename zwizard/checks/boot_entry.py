"""Which kernel, initramfs and root a machine starts with: by Zero-OS, or by GRUB in its disk."""

import re
from dataclasses import dataclass

from zwizard.checks.helpers import texts
from zwizard.image.disk.disk_image import DiskImage
from zwizard.image.tree import FileTree, UnreadableError

_CONFIGURATIONS = ("/boot/grub/grub.cfg", "/boot/grub2/grub.cfg")
_COMMAND = re.compile(r"^[ \t]*(menuentry|linux|initrd)(?:efi|16)?[ \t]+(.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class BootEntry:
    """What is started: paths in ``tree``; ``initrd`` is "" without one.

    ``root`` is what the command line says, ``filesystem`` the root's.
    """

    tree: FileTree
    kernel: str
    initrd: str
    root: str
    filesystem: str


def grub_entry(disk: DiskImage) -> BootEntry:
    """The first entry of GRUB's menu; raises UnreadableError if none was found."""
    for _, content in texts(disk.system, *_CONFIGURATIONS):
        kernel, initrd, root = _first_entry(content)
        found = _located(disk, kernel) if kernel else None
        if found is not None:
            tree, path = found
            other = _located(disk, initrd) if initrd else None
            if initrd and other is None:
                raise UnreadableError(f"{initrd} does not exist", "Run grub-mkconfig.")
            place = other[1] if other is not None else ""
            return BootEntry(tree, path, place, root, disk.root.filesystem)
    raise UnreadableError("no grub.cfg that starts a kernel was found", "Run grub-mkconfig.")


def _first_entry(content: str) -> tuple[str, str, str]:
    """The kernel, the initramfs and root= of the first entry with a kernel, "" where none is."""
    kernel = initrd = root = ""
    for command, rest in _COMMAND.findall(content):
        words = rest.split()
        if command == "menuentry" and kernel:
            break
        if command == "linux" and not kernel:
            kernel = words[0]
            root = next((w.removeprefix("root=") for w in words if w.startswith("root=")), "")
        elif command == "initrd" and kernel:
            initrd = words[-1]  # microcode comes before it
    return kernel, initrd, root


def _located(disk: DiskImage, name: str) -> tuple[FileTree, str] | None:
    """GRUB sees file systems, not where they are mounted: /boot may be one of its own."""
    places = ((disk.system, name), (disk.system, f"/boot{name}"), (disk.esp_tree, name))
    return next(((tree, path) for tree, path in places if tree.resolve(path).file), None)
