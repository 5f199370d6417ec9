"""``python -m zwizard.treetools.disk_to_tar IMAGE``: the root of a raw disk image, as a tar.

Read in place: nothing is mounted, and no privilege is needed. Extended attributes and hard links
are lost, as they are in a flist.
"""

from __future__ import annotations

import sys
import tarfile
from pathlib import Path
from typing import IO

from zwizard.image.archive.tar_reader import BLOCK
from zwizard.image.disk.disk_image import DiskImage
from zwizard.image.disk.ext4 import Ext4Tree
from zwizard.image.disk.ranges import FileRange
from zwizard.image.tree import Entry, EntryType, FileTree, UnreadableError
from zwizard.util.text import one_line

_PIECE = 1 << 20
_TYPES = {
    EntryType.FILE: tarfile.REGTYPE,
    EntryType.DIRECTORY: tarfile.DIRTYPE,
    EntryType.LINK: tarfile.SYMTYPE,
}
_EXT = (1080, b"\x53\xef")


def tree_of(path: Path, file: IO[bytes]) -> FileTree:
    """The system on a disk image, with or without partitions, and what its fstab mounts.

    Raises UnreadableError if no root can be read, or it was not cleanly unmounted.
    """
    size = path.stat().st_size
    whole = FileRange(file, 0, size)  # type: ignore[arg-type]
    if whole.read(_EXT[0], 2) == _EXT[1] and whole.read(BLOCK, 8) != b"EFI PART":
        view = Ext4Tree(path, whole)
        _expect_clean(view.superblock.needs_recovery)
        return view
    disk = DiskImage(path, file, size)  # type: ignore[arg-type]
    if not disk.gpt.partitions:
        raise UnreadableError(f"it cannot be read: {disk.gpt.fault}", "It must have a GPT.")
    _expect_clean(disk.root_superblock.needs_recovery)
    return disk.system


def _expect_clean(needs_recovery: bool) -> None:
    if needs_recovery:
        raise UnreadableError(
            "its root was not cleanly unmounted", "Run e2fsck on it, or shut it down first."
        )


def write_tar(view: FileTree, out: IO[bytes]) -> None:
    """Write the files, directories and links of ``view`` to ``out``."""
    for entry in view.entries():
        if entry.kind in _TYPES:
            out.write(_header(entry))
            if entry.kind is EntryType.FILE:
                _write_contents(view, entry, out)
    out.write(bytes(2 * BLOCK))


def _header(entry: Entry) -> bytes:
    info = tarfile.TarInfo(f".{entry.path}")
    info.type, info.mode, info.mtime = _TYPES[entry.kind], entry.mode, entry.mtime
    info.uid, info.gid, info.linkname = entry.uid, entry.gid, entry.target
    info.size = entry.size if entry.kind is EntryType.FILE else 0
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


def _write_contents(view: FileTree, entry: Entry, out: IO[bytes]) -> None:
    with view.open_entry(entry) as file:
        left = entry.size
        while left:
            data = file.read(min(left, _PIECE))
            if not data:
                raise UnreadableError(f"{entry.path} is truncated", "Download the image again.")
            out.write(data)
            left -= len(data)
    out.write(bytes(-entry.size % BLOCK))


def main(arguments: list[str]) -> int:
    """Write the tar; the exit status."""
    path = Path(arguments[0])
    try:
        with path.open("rb") as file:
            write_tar(tree_of(path, file), sys.stdout.buffer)
            sys.stdout.flush()
    except (UnreadableError, OSError) as error:
        reason = getattr(error, "message", str(error))
        sys.stderr.write(f"no root file system could be read: {one_line(reason)}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
