"""``python -m zwizard.engine.ext4 TREE IMAGE OFFSET EPOCH [WITHOUT]``: fill an ext4 file system.

The same tree gives the same bytes: files go in by the order of their names, one inode after the
other, and no time is later than EPOCH. mke2fs -d takes them as the host's file system lists them,
with the times at which it read them.
"""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO

_FIRST = 12  # the inode after lost+found, which mke2fs has made
_LONGEST = 8000  # bytes of a line that debugfs takes
_HOSTS = (b"trusted.overlay.", b"user.overlay.", b"security.selinux")  # of this machine's


class FillError(Exception):
    """Why the tree cannot be put into the file system."""


def fill(tree: Path, image: Path, offset: int, epoch: int, without: str = "") -> None:
    """Copy ``tree`` into the fresh file system ``offset`` bytes into ``image``.

    ``without`` is a directory of the tree (``/boot/efi``) that stays empty. Times are cut to
    seconds and capped at ``epoch``. Raises FillError if it does not fit, or if a name in the tree
    cannot be written.
    """
    with tempfile.TemporaryDirectory() as place:
        writer = _Writer(os.fsencode(tree), epoch, os.fsencode(without), os.fsencode(place))
        script = Path(place, "script")
        with script.open("wb") as commands:
            writer.write(commands)
        _run(script, image, offset, epoch, writer.announced)


def _run(script: Path, image: Path, offset: int, epoch: int, announced: list[int]) -> None:
    """Let debugfs carry out ``script``; ``announced`` are the inodes that it should tell of."""
    done = subprocess.run(
        ["debugfs", "-w", "-f", str(script), f"{image}?offset={offset}"],
        env={**os.environ, "E2FSPROGS_FAKE_TIME": str(epoch), "DEBUGFS_PAGER": "cat"},
        capture_output=True,
        check=False,
    )
    # It goes on after an error, and ends well: what it says is all there is to go by.
    banner, *errors = done.stderr.decode("utf-8", "replace").splitlines()
    if done.returncode != 0 or errors:
        raise FillError("\n".join([*errors[:5], f"debugfs ended with {done.returncode}", banner]))
    told = (line for line in done.stdout.splitlines() if line.startswith(b"Allocated inode: "))
    if [int(line.split()[-1]) for line in told] != announced:
        raise FillError("debugfs numbered the files differently than expected")


class _Writer:
    """Turns a tree into debugfs's commands."""

    def __init__(self, tree: bytes, epoch: int, without: bytes, place: bytes) -> None:
        self._tree = tree
        self._epoch = epoch
        self._without = without
        self._place = place
        self._next = _FIRST
        self._linked: dict[tuple[int, int], int] = {}  # device and inode here: inode there
        self._links: Counter[int] = Counter()
        self._values = 0
        self.announced: list[int] = []  # the inodes that debugfs names as it makes them

    def write(self, out: IO[bytes]) -> None:
        """Write the commands."""
        for command in self._commands():
            if len(command) > _LONGEST or b"\n" in command:
                raise FillError(f"a name that cannot be written: {command[:200]!r}")
            out.write(command + b"\n")

    def _commands(self) -> Iterator[bytes]:
        top = os.lstat(self._tree)
        yield from self._directory(b"")
        yield from self._attributes(b"", 2, top)
        for inode, more in self._links.items():
            yield b"sif <%d> links_count %d" % (inode, 1 + more)

    def _directory(self, path: bytes) -> Iterator[bytes]:
        """What is in a directory; its own time comes last, as every entry changes it."""
        for name in sorted(entry.name for entry in os.scandir(self._tree + path)):
            below = path + b"/" + name
            if below == b"/lost+found":
                continue
            facts = os.lstat(self._tree + below)
            if stat.S_ISSOCK(facts.st_mode):
                continue
            known = self._linked.get((facts.st_dev, facts.st_ino))
            if known is not None:
                self._links[known] += 1
                yield from _link(known, _quoted(below))
                continue
            inode, self._next = self._next, self._next + 1
            if facts.st_nlink > 1 and not stat.S_ISDIR(facts.st_mode):
                self._linked[facts.st_dev, facts.st_ino] = inode
            if not (stat.S_ISDIR(facts.st_mode) or stat.S_ISLNK(facts.st_mode)):
                self.announced.append(inode)
            yield from self._making(below, facts)
            if stat.S_ISDIR(facts.st_mode) and below != self._without:
                yield from self._directory(below)
            yield from self._attributes(below, inode, facts)

    def _making(self, path: bytes, facts: os.stat_result) -> Iterator[bytes]:
        here = self._tree + path
        match stat.S_IFMT(facts.st_mode):
            case stat.S_IFDIR:
                yield b"mkdir " + _quoted(path)
            case stat.S_IFLNK:
                target = os.fsencode(Path(os.fsdecode(here)).readlink())
                yield b"symlink %s %s" % (_quoted(path), _quoted(target))
            case stat.S_IFREG:
                yield b"write %s %s" % (_quoted(here), _quoted(path))
            case kind:
                directory, _, name = path.rpartition(b"/")
                yield b"cd " + _quoted(directory or b"/")  # mknod takes no path
                yield b"mknod %s %s" % (_quoted(name), _device(kind, facts.st_rdev))
                yield b"cd /"

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
            if name.startswith(_HOSTS):
                continue
            self._values += 1
            value = self._place + b"/value-%d" % self._values
            Path(os.fsdecode(value)).write_bytes(os.getxattr(here, name, follow_symlinks=False))
            yield b"ea_set -f %s <%d> %s" % (_quoted(value), inode, name)


def _link(inode: int, path: bytes) -> Iterator[bytes]:
    # Of all commands, only "link" makes no room in a full directory: a link that was there for a
    # moment leaves some.
    yield b"symlink %s -" % path
    yield b"rm " + path
    yield b"link <%d> %s" % (inode, path)


def _device(kind: int, number: int) -> bytes:
    """What debugfs's mknod wants to know."""
    if kind == stat.S_IFIFO:
        return b"p"
    letter = b"c" if kind == stat.S_IFCHR else b"b"
    return b"%s %d %d" % (letter, os.major(number), os.minor(number))


def _quoted(name: bytes) -> bytes:
    return b'"' + name.replace(b'"', b'""') + b'"'


def main(arguments: list[str]) -> int:
    """Fill, as the arguments say; 0 if that went well."""
    tree, image, offset, epoch, *without = arguments
    try:
        fill(Path(tree), Path(image), int(offset), int(epoch), *without)
    except (FillError, OSError) as error:
        sys.stderr.write(f"the disk image cannot be made: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
