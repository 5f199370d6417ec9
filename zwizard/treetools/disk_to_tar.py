"""``python -m zwizard.treetools.disk_to_tar IMAGE``: the root of a raw disk image, as a tar.

Read in place: nothing is mounted, and no privilege is needed. Extended attributes are lost, as in
a flist. As that has no partitions, the lines of /etc/fstab that mount the disk's own become
comments, and are printed.
"""

from __future__ import annotations

import re
import sys
import tarfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO

from zwizard.image.archive.tar_reader import BLOCK
from zwizard.image.disk.disk_image import DiskImage, MountedTree, Volume
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
_FSTAB, _LARGEST = "/etc/fstab", 64 << 10
_FIRST_DISK = re.compile(r"/dev/(?:(?:sd|vd|hd|xvd)a|(?:nvme0n1|mmcblk0)p)(\d{1,3})")
_LEFT_OUT = "# Of the disk, left out by zwizard: "


def tree_of(path: Path, file: IO[bytes]) -> tuple[FileTree, Sequence[Volume]]:
    """The system on a disk image with what its fstab mounts, and the partitions, if it has any.

    Raises UnreadableError if no root can be read, or it was not cleanly unmounted.
    """
    size = path.stat().st_size
    whole = FileRange(file, 0, size)  # type: ignore[arg-type]
    if whole.read(_EXT[0], 2) == _EXT[1] and whole.read(BLOCK, 8) != b"EFI PART":
        view = Ext4Tree(path, whole)
        _expect_clean(view.superblock.needs_recovery)
        return view, ()
    disk = DiskImage(path, file, size)  # type: ignore[arg-type]
    if not disk.gpt.partitions:
        raise UnreadableError(f"it cannot be read: {disk.gpt.fault}", "It must have a GPT.")
    _expect_clean(disk.root_superblock.needs_recovery)
    return disk.system, disk.volumes


def _expect_clean(needs_recovery: bool) -> None:
    if needs_recovery:
        raise UnreadableError(
            "its root was not cleanly unmounted", "Run e2fsck on it, or shut it down first."
        )


def edit_fstab(text: str, volumes: Sequence[Volume]) -> tuple[str, list[str]]:
    """``text`` with the lines of the root and of ``volumes`` as comments; and those lines."""
    lines, left_out = text.splitlines(keepends=True), []
    for number, line in enumerate(lines):
        words = line.split()
        if len(words) > 1 and not words[0].startswith("#"):
            by_name = _FIRST_DISK.fullmatch(words[0])
            own = any(
                volume.named(words[0]) or (by_name and int(by_name[1]) == volume.partition.number)
                for volume in volumes
            )
            if own or words[1] == "/":
                left_out.append(" ".join(words))
                lines[number] = _LEFT_OUT + line
    return "".join(lines), left_out


def write_tar(view: FileTree, volumes: Sequence[Volume], out: IO[bytes]) -> list[str]:
    """Write the files, directories and links of ``view``; the lines left out of fstab."""
    names: dict[tuple[str, int], str] = {}
    left_out: list[str] = []
    for entry in view.entries():
        if entry.kind not in _TYPES:
            continue
        where, tree = view.at(entry.path) if isinstance(view, MountedTree) else ("", view)
        first = entry.path
        if isinstance(tree, Ext4Tree) and entry.kind is EntryType.FILE:
            first = names.setdefault((where, entry.inode), entry.path)
        if first != entry.path:
            out.write(_header(entry, f".{first}"))
        elif entry.path == _FSTAB and entry.kind is EntryType.FILE and entry.size < _LARGEST:
            text = view.read(_FSTAB, _LARGEST).decode("utf-8", "surrogateescape")
            text, left_out = edit_fstab(text, volumes)
            data = text.encode("utf-8", "surrogateescape")
            out.write(_header(replace(entry, size=len(data))) + data + bytes(-len(data) % BLOCK))
        else:
            out.write(_header(entry))
            if entry.kind is EntryType.FILE:
                _write_contents(view, entry, out)
    out.write(bytes(2 * BLOCK))
    return left_out


def _header(entry: Entry, first: str = "") -> bytes:
    """``first`` is another name of the file, which the archive has already."""
    info = tarfile.TarInfo(f".{entry.path}")
    info.type, info.mode, info.mtime = _TYPES[entry.kind], entry.mode, entry.mtime
    info.uid, info.gid, info.linkname = entry.uid, entry.gid, entry.target
    info.size = entry.size if entry.kind is EntryType.FILE else 0
    if first:
        info.type, info.linkname, info.size = tarfile.LNKTYPE, first, 0
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
            left_out = write_tar(*tree_of(path, file), sys.stdout.buffer)
            sys.stdout.flush()
    except (UnreadableError, OSError) as error:
        reason = getattr(error, "message", str(error))
        sys.stderr.write(f"no root file system could be read: {one_line(reason)}\n")
        return 1
    for line in left_out:
        sys.stderr.write(f"left out of /etc/fstab: {one_line(line)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
