"""``python -m zwizard.treetools.ext4_writer TREE IMAGE OFFSET EPOCH [WITHOUT]``: fill ext4.

The same tree gives the same bytes: files are added in the order of their names, inode after inode,
and no time is later than EPOCH. (mke2fs -d takes the order of the host's file system, and the
times at which it read the files.)
"""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path

_ROOT = 2  # the inode of an ext4's root
_FIRST = 12  # the inode after that of lost+found
_BLOCK = 4096
_LARGE = 4 * _BLOCK  # bytes; debugfs copies slowly, so for larger files it only allocates blocks
_PIECE = 256 * _BLOCK
_ALLOCATED = b"Allocated inode: "
_QUESTION = re.compile(rb"debugfs: dump_extents -l <(\d+)>")
_EXTENT = re.compile(  # level, entries, blocks in the file, blocks on the disk, how many
    rb" *\d+/ *\d+ +\d+/ *\d+ +(\d+) - +\d+ +(\d+) - +\d+ +(\d+)(?: Uninit)? *"
)
_LONGEST = 8000  # bytes of a line that debugfs reads
_OF_HOST = (b"trusted.overlay.", b"user.overlay.", b"security.selinux")  # not the tree's own


class FillError(Exception):
    """Why the file system cannot be filled."""


def fill(tree: Path, image: Path, offset: int, epoch: int, without: str = "") -> None:
    """Copy ``tree`` into the new file system ``offset`` bytes into ``image``.

    ``without``: a directory of the tree (``/boot/efi``) that stays empty. Times are whole seconds,
    at most ``epoch``. Raises FillError if the tree does not fit or has a name that debugfs cannot
    write.
    """
    with tempfile.TemporaryDirectory() as directory:
        place, system = Path(directory), f"{image}?offset={offset}"
        writer = _Writer(os.fsencode(tree), epoch, os.fsencode(without), os.fsencode(place))
        output = _debugfs(system, epoch, writer.commands(), place)
        inodes = [int(line.split()[-1]) for line in output if line.startswith(_ALLOCATED)]
        if inodes != writer.expected:
            raise FillError("debugfs numbered the files differently than expected")
        extents = _extents(output)
        _debugfs(system, epoch, _initialised(extents), place)
        _copy(writer.large, extents, image, offset)


def _debugfs(system: str, epoch: int, commands: Iterator[bytes], place: Path) -> list[bytes]:
    """Run debugfs on ``commands``; the lines that it prints.

    ``-n``: it need not verify the checksums that it has just written itself.
    """
    with (place / "output").open("w+b") as output, (place / "errors").open("w+b") as errors:
        debugfs = subprocess.Popen(
            ["debugfs", "-n", "-w", "-f", "-", system],
            env={**os.environ, "E2FSPROGS_FAKE_TIME": str(epoch), "DEBUGFS_PAGER": "__none__"},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=errors,
        )
        with suppress(BrokenPipeError), debugfs:  # if it ends too soon, its messages say why
            assert debugfs.stdin is not None
            for command in commands:
                if len(command) > _LONGEST or b"\n" in command:
                    raise FillError(f"a name that cannot be written: {command[:200]!r}")
                debugfs.stdin.write(command + b"\n")
        for file in (output, errors):
            file.seek(0)
        # It continues after an error and exits with 0: only its messages tell.
        banner, *complaints = errors.read().decode("utf-8", "replace").splitlines() or [""]
        if debugfs.returncode != 0 or complaints:
            ended = f"debugfs ended with {debugfs.returncode}"
            raise FillError("\n".join([*complaints[:5], ended, banner]))
        return output.read().split(b"\n")


@dataclass(frozen=True)
class _Extent:
    """Adjacent blocks: the number of the first in its file and on the disk, and how many."""

    first: int
    on_disk: int
    blocks: int


def _extents(output: list[bytes]) -> dict[int, list[_Extent]]:
    """The extents that debugfs has listed, by inode."""
    found: dict[int, list[_Extent]] = {}
    extents: list[_Extent] = []
    for line in output:
        if question := _QUESTION.fullmatch(line):
            extents = found[int(question[1])] = []
        elif extent := _EXTENT.fullmatch(line):
            extents.append(_Extent(*map(int, extent.groups())))
    return found


def _initialised(extents_of: dict[int, list[_Extent]]) -> Iterator[bytes]:
    """Commands that mark allocated blocks as initialised."""
    for inode, extents in extents_of.items():
        yield b"extent_open <%d>" % inode
        for extent in extents:
            yield b"goto_block %d" % extent.first
            yield b"replace_node %d %d %d" % (extent.first, extent.blocks, extent.on_disk)
        yield b"extent_close"


def _copy(
    files: dict[int, bytes], extents_of: dict[int, list[_Extent]], image: Path, offset: int
) -> None:
    """Copy the contents of ``files`` (by inode) into their extents."""
    with image.open("r+b", buffering=0) as disk:
        for inode, name in files.items():
            with Path(os.fsdecode(name)).open("rb", buffering=0) as file:
                size = os.fstat(file.fileno()).st_size
                for extent in extents_of[inode]:
                    at = extent.first * _BLOCK
                    end = min(at + extent.blocks * _BLOCK, size)
                    disk.seek(offset + extent.on_disk * _BLOCK)
                    while at < end:
                        sent = os.sendfile(disk.fileno(), file.fileno(), at, end - at)
                        if not sent:
                            raise FillError(f"a file became shorter while it was read: {name!r}")
                        at += sent


def _runs(file: bytes) -> Iterator[tuple[int, int]]:
    """The first and the last block of every run of blocks that are not all zeros."""
    for filled, run in groupby(enumerate(_filled(file)), key=itemgetter(1)):
        if filled:
            numbers = [number for number, _ in run]
            yield numbers[0], numbers[-1]


def _filled(file: bytes) -> Iterator[bool]:
    """For every block, whether it is not all zeros."""
    with Path(os.fsdecode(file)).open("rb") as data:
        while piece := data.read(_PIECE):
            for number, byte in enumerate(piece[::_BLOCK]):
                start = number * _BLOCK
                yield byte != 0 or any(piece[start : start + _BLOCK])


_Commands = Iterator["bytes | _Commands"]  # commands, and those of a directory in their place


class _Writer:
    """Turns a tree into commands of debugfs."""

    def __init__(self, tree: bytes, epoch: int, without: bytes, place: bytes) -> None:
        self._tree = tree
        self._epoch = epoch
        self._without = without
        self._place = place
        self._next = _FIRST
        self._linked: dict[tuple[int, int], int] = {}  # device and inode in the tree: in the image
        self._links: Counter[int] = Counter()
        self._values = 0
        self._empty: dict[int, bytes] = {}  # by mode: an empty file with it
        self.expected: list[int] = []  # the inodes that debugfs will print, in its order
        self.large: dict[int, bytes] = {}  # by inode: the files whose contents are still missing

    def commands(self) -> Iterator[bytes]:
        """The commands, in their order."""
        top = os.lstat(self._tree)
        pending = [self._directory(b"", _ROOT)]  # a tree may be deeper than Python's calls
        while pending:
            match next(pending[-1], None):
                case None:
                    pending.pop()
                case bytes(command):
                    yield command
                case directory:
                    pending.append(directory)
        yield from self._attributes(b"", _ROOT, top)
        for inode, more in self._links.items():
            yield b"sif <%d> links_count %d" % (inode, 1 + more)

    def _directory(self, path: bytes, inode: int) -> _Commands:
        """The contents of a directory; its own time comes last, as every entry changes it.

        From within it, as debugfs looks a path up from the root, directory by directory.
        """
        yield b"cd <%d>" % inode
        for name in sorted(entry.name for entry in os.scandir(self._tree + path)):
            below = path + b"/" + name
            if below == b"/lost+found":
                continue
            facts = os.lstat(self._tree + below)
            if stat.S_ISSOCK(facts.st_mode):
                continue
            linked = self._linked.get((facts.st_dev, facts.st_ino))
            if linked is not None:
                self._links[linked] += 1
                yield from _link(linked, _quoted(name))
                continue
            new, self._next = self._next, self._next + 1
            if facts.st_nlink > 1 and not stat.S_ISDIR(facts.st_mode):
                self._linked[facts.st_dev, facts.st_ino] = new
            if not (stat.S_ISDIR(facts.st_mode) or stat.S_ISLNK(facts.st_mode)):
                self.expected.append(new)
            yield from self._making(self._tree + below, _quoted(name), new, facts)
            if stat.S_ISDIR(facts.st_mode) and below != self._without:
                yield self._directory(below, new)
                yield b"cd <%d>" % inode
            yield from self._attributes(below, new, facts)

    def _making(
        self, here: bytes, name: bytes, inode: int, facts: os.stat_result
    ) -> Iterator[bytes]:
        match stat.S_IFMT(facts.st_mode):
            case stat.S_IFDIR:
                yield b"mkdir " + name
            case stat.S_IFLNK:
                target = os.fsencode(Path(os.fsdecode(here)).readlink())
                yield b"symlink %s %s" % (name, _quoted(target))
            case stat.S_IFREG if facts.st_size < _LARGE:
                yield b"write %s %s" % (_quoted(here), name)
            case stat.S_IFREG:
                self.large[inode] = here
                yield b"write %s %s" % (_quoted(self._alike(facts)), name)
                yield b"sif <%d> size %d" % (inode, facts.st_size)
                for first, last in _runs(here):
                    yield b"fallocate <%d> %d %d" % (inode, first, last)
                yield b"dump_extents -l <%d>" % inode
            case kind:
                yield b"mknod %s %s" % (name, _device(kind, facts.st_rdev))

    def _alike(self, facts: os.stat_result) -> bytes:
        mode = stat.S_IMODE(facts.st_mode)
        if mode not in self._empty:
            self._empty[mode] = self._place + b"/empty-%o" % mode
            empty = Path(os.fsdecode(self._empty[mode]))
            empty.touch()
            empty.chmod(mode)
        return self._empty[mode]

    def _attributes(self, path: bytes, inode: int, facts: os.stat_result) -> Iterator[bytes]:
        settings = [(b"mtime", b"@%d" % min(int(facts.st_mtime), self._epoch))]
        if not (stat.S_ISREG(facts.st_mode) or stat.S_ISLNK(facts.st_mode)):
            settings.append((b"mode", b"0%o" % facts.st_mode))
        if facts.st_uid:
            settings.append((b"uid", b"%d" % facts.st_uid))
        if facts.st_gid:
            settings.append((b"gid", b"%d" % facts.st_gid))
        for field, value in settings:
            yield b"sif <%d> %s %s" % (inode, field, value)
        if not stat.S_ISLNK(facts.st_mode):
            yield from self._extended(path, inode)

    def _extended(self, path: bytes, inode: int) -> Iterator[bytes]:
        here = self._tree + path
        for name in sorted(map(os.fsencode, os.listxattr(here, follow_symlinks=False))):
            if name.startswith(_OF_HOST):
                continue
            self._values += 1
            value = self._place + b"/value-%d" % self._values
            Path(os.fsdecode(value)).write_bytes(os.getxattr(here, name, follow_symlinks=False))
            yield b"ea_set -f %s <%d> %s" % (_quoted(value), inode, name)


def _link(inode: int, name: bytes) -> Iterator[bytes]:
    # Of all commands, only "link" does not enlarge a full directory; a symbolic link, removed
    # again, does.
    yield b"symlink %s -" % name
    yield b"rm " + name
    yield b"link <%d> %s" % (inode, name)


def _device(kind: int, number: int) -> bytes:
    if kind == stat.S_IFIFO:
        return b"p"
    letter = b"c" if kind == stat.S_IFCHR else b"b"
    return b"%s %d %d" % (letter, os.major(number), os.minor(number))


def _quoted(name: bytes) -> bytes:
    return b'"' + name.replace(b'"', b'""') + b'"'


def main(arguments: list[str]) -> int:
    """Fill, as the arguments say; the exit status."""
    tree, image, offset, epoch, *without = arguments
    try:
        fill(Path(tree), Path(image), int(offset), int(epoch), *without)
    except (FillError, OSError) as error:
        sys.stderr.write(f"the disk image cannot be made: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
