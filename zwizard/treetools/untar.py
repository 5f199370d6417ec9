"""``python -m zwizard.treetools.untar ARCHIVE TREE [SHA256]``: unpack an untrusted tar archive.

Every member is checked before GNU tar gets it: none may be outside of the tree, need more space
than is free, or be a device. ``-`` is a tar on standard input.
"""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, TYPE_CHECKING

from zwizard.image.archive.byte_stream import ArchiveError, ByteStream, plain
from zwizard.image.archive.decompress import decompressed
from zwizard.image.archive.tar_reader import BLOCK, Member, members
from zwizard.image.tarball import inside, leads_out, too_long
from zwizard.image.tree import EntryType
from zwizard.util.hashing import sha256_of
from zwizard.util.text import one_line, size

if TYPE_CHECKING:
    from collections.abc import Iterator

_KEPT = frozenset({EntryType.FILE, EntryType.DIRECTORY, EntryType.LINK})
_ROUND = 4096  # what the smallest file takes on a disk, and a directory
_SPARE = 64 << 20  # bytes that stay free
_NAMED = 200  # of the members left out, as many are named

# Without attributes that mean something to overlayfs or to this machine.
_TAR = (
    *("tar", "--extract", "--preserve-permissions", "--same-owner", "--numeric-owner"),
    *("--xattrs", "--xattrs-include=*", "--xattrs-exclude=trusted.*"),
    *("--xattrs-exclude=user.overlay.*", "--xattrs-exclude=security.selinux"),
    *("--warning=no-timestamp", "--file=-", "--directory"),
)


class RefusedMemberError(Exception):
    """Why an archive is not unpacked."""


class MemberFilter:
    """Decides member by member. ``room`` is in bytes; ``users`` and ``groups`` count ids from 0.

    ``left_out`` counts the members that are neither files nor directories nor links.
    """

    def __init__(self, room: int, users: int, groups: int) -> None:
        self.left_out = 0
        self._room = room
        self._owners = (users, groups)
        self._taken = 0
        self._links: set[str] = set()
        self._missing: set[str] = set()

    def lets_in(self, member: Member) -> bool:
        """Whether to unpack ``member``; RefusedMemberError if the archive must not be unpacked."""
        path = self._place(member.name)
        target = self._place(member.target) if member.hard else ""
        if member.kind not in _KEPT or target in self._missing:
            self._leave_out(member, path)
            return False
        self._expect_room(member)
        self._expect_owner(member)
        barred = member.kind is EntryType.LINK and leads_out(member.target)
        (self._links.add if barred else self._links.discard)(path)
        self._missing.discard(path)
        return True

    def _place(self, name: str) -> str:
        """The path in the tree that ``name`` means; a leading slash means the tree's."""
        path, climbs = inside(name)
        if too_long(path):
            raise RefusedMemberError(f"{one_line(path[:40])}… is longer than any system takes")
        if climbs:
            raise RefusedMemberError(f"{one_line(name)} leads out of the archive")
        above = path.rpartition("/")[0]
        while above:
            if above in self._links:
                raise RefusedMemberError(f"{one_line(name)} is below a link, {one_line(above)}")
            above = above.rpartition("/")[0]
        return path

    def _leave_out(self, member: Member, path: str) -> None:
        self._missing.add(path)
        self.left_out += 1
        if self.left_out <= _NAMED:
            kind = "a hard link to one left out" if member.hard else f"a {member.kind.value}"
            sys.stdout.write(f"left out: {one_line(member.name)}, {kind}\n")

    def _expect_room(self, member: Member) -> None:
        self._taken += -(-member.size // _ROUND) * _ROUND if member.size else _ROUND
        if self._taken > self._room:
            raise RefusedMemberError(
                f"it unpacks to more than {size(self._room)}, the free space"
                f" (at {one_line(member.name)})"
            )

    def _expect_owner(self, member: Member) -> None:
        for owner, ids in zip((member.uid, member.gid), self._owners, strict=True):
            if not 0 <= owner < ids:
                raise RefusedMemberError(
                    f"{one_line(member.name)} belongs to id {owner}, and your user namespace has"
                    f" {ids}: build it as root"
                )


class _Recorder(ByteStream):
    """A source that keeps what was taken from it: the header of a member, as it is stored."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        super().__init__(pieces)
        self._kept: list[bytes] = []

    def take(self, size: int) -> bytes:
        data = super().take(size)
        self._kept.append(data)
        return data

    def header(self) -> bytes:
        """All that was taken since the last call."""
        data = b"".join(self._kept)
        self._kept.clear()
        return data


def sift(source: ByteStream, out: IO[bytes], member_filter: MemberFilter) -> None:
    """Write the archive ``source`` to ``out`` without what ``member_filter`` leaves out.

    Raises RefusedMemberError, and ArchiveError if it is damaged.
    """
    recorder = _Recorder(source.pieces())
    for member in members(recorder):
        header = recorder.header()
        if member_filter.lets_in(member):
            out.write(header)
            out.writelines(recorder.pieces(-(-member.stored // BLOCK) * BLOCK))
    out.write(bytes(2 * BLOCK))


def unpack(archive: str, tree: Path, sha256: str = "") -> None:
    """Unpack ``archive`` into the empty directory ``tree``.

    Raises RefusedMemberError, ArchiveError and OSError; then the tree is incomplete.
    """
    if archive == "-":
        _pour(plain(sys.stdin.buffer), tree)
        return
    with Path(archive).open("rb") as file, ThreadPoolExecutor(1) as beside:
        summed = beside.submit(sha256_of, Path(archive)) if sha256 else None
        _pour(decompressed(file), tree)
        if summed and summed.result() != sha256.lower():
            raise RefusedMemberError(f"it does not have the SHA-256 {sha256}")


def _pour(source: ByteStream, tree: Path) -> None:
    room = os.statvfs(tree)
    member_filter = MemberFilter(room.f_bavail * room.f_frsize - _SPARE, _ids("uid"), _ids("gid"))
    tar = subprocess.Popen([*_TAR, str(tree)], stdin=subprocess.PIPE)
    assert tar.stdin is not None
    try:
        with tar.stdin as out:
            sift(source, out, member_filter)
    except BrokenPipeError:
        pass  # tar has printed why
    except BaseException:
        tar.kill()
        tar.wait()
        raise
    if member_filter.left_out > _NAMED:
        sys.stdout.write(f"left out: {member_filter.left_out - _NAMED} more\n")
    if tar.wait() != 0:
        raise RefusedMemberError(f"tar could not unpack all of it (exit status {tar.returncode})")


def _ids(kind: str) -> int:
    """How many user or group ids this namespace has, from 0 on."""
    lines = Path(f"/proc/self/{kind}_map").read_text("ascii").splitlines()
    return max(int(line.split()[0]) + int(line.split()[2]) for line in lines)


def main(arguments: list[str]) -> int:
    """Unpack, as the arguments say; the exit status."""
    archive, tree, *sha256 = arguments
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    if archive == "-" and not sys.stdin.buffer.peek(1):  # type: ignore[union-attr]
        return 1  # the program before the pipe has printed why
    try:
        unpack(archive, Path(tree), *sha256)
    except (RefusedMemberError, ArchiveError, OSError) as error:
        name = "the root file system" if archive == "-" else one_line(archive)
        sys.stderr.write(f"{name} cannot be used: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
