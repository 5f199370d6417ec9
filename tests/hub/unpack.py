"""Unpack an archive as the hub does: ``tar -xpf`` as root, whose failure nobody looks at."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from typing import IO, Any

from tests.hub.flist import GROUPS, PIECE, USERS, Kind, Node, Tree, block_count, keys_of

_READERS: dict[bytes, Callable[[IO[bytes]], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZ": bz2.open,
    b"\xfd7": lzma.open,
}
_SPECIAL = {tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE}
_USERS = {name: number for number, name in USERS.items()}
_GROUPS = {name: number for number, name in GROUPS.items()}


def unpack(archive: IO[bytes], now: int) -> Tree:
    """What is on the hub's disk after unpacking: of a damaged archive all until the damage."""
    tree: Tree = {}
    with tempfile.TemporaryFile() as plain:
        for piece in _decompressed(archive):
            plain.write(piece)
        plain.seek(0)
        try:
            with tarfile.open(fileobj=plain, encoding="utf-8", errors="surrogateescape") as tar:
                for member in tar:
                    _add(tree, tar, member, now)
        except tarfile.TarError:
            pass
    return tree


def counts(tree: Tree) -> dict[str, int]:
    """How the hub counts: hard links as files."""
    kinds = Counter(node.kind for node in tree.values())
    return {
        "regular": kinds[Kind.FILE],
        "symlink": kinds[Kind.LINK],
        "directory": kinds[Kind.DIRECTORY],
        "special": kinds[Kind.SPECIAL],
        "failure": 0,
        "fullsize": sum(node.size for node in tree.values() if node.kind == Kind.FILE),
    }


def _decompressed(archive: IO[bytes]) -> Iterator[bytes]:
    magic = archive.read(2)
    archive.seek(-len(magic), 1)
    open_ = _READERS.get(magic)
    if open_ is None:
        return
    try:
        with open_(archive) as stream:
            while piece := stream.read1(1 << 20):
                yield piece
    except (EOFError, OSError, zlib.error, lzma.LZMAError):
        return


def _add(tree: Tree, tar: tarfile.TarFile, member: tarfile.TarInfo, now: int) -> None:
    path = _path(member.name)
    if not path or b".." in path.split(b"/"):
        return
    _add_parents(tree, path, now)
    node = Node(
        path,
        Kind.FILE,
        member.mode & 0o7777,
        _USERS.get(member.uname, member.uid),  # names win over numbers
        _GROUPS.get(member.gname, member.gid),
        int(member.mtime),
    )
    if member.isdir():
        node.kind = Kind.DIRECTORY
    elif member.issym():
        node.kind, node.mode, node.mtime = Kind.LINK, 0o777, now
        node.target = _encoded(member.linkname)
        node.size = len(node.target)
    elif member.islnk():
        source = tree.get(_path(member.linkname))
        if source is None:
            return
        node = Node(**{**vars(source), "path": path})
    elif member.type in _SPECIAL:
        node.kind = Kind.SPECIAL
        numbers = f"{member.devmajor},{member.devminor}".encode()
        node.target = b"(nothing)" if member.isfifo() else numbers
    else:
        _read(node, tar, member)
    tree[path] = node


def _read(node: Node, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
    """Take up the content, until the archive's end if that comes first."""

    def pieces() -> Iterator[bytes]:
        content = tar.extractfile(member)
        assert content is not None
        while piece := content.read(PIECE):
            node.size += len(piece)
            yield piece

    try:
        for piece in pieces():
            node.keys += keys_of([piece])
    except tarfile.ReadError:
        pass
    del node.keys[block_count(node.size) :]


def _add_parents(tree: Tree, path: bytes, now: int) -> None:
    parent, _, _ = path.rpartition(b"/")
    while parent and parent not in tree:
        tree[parent] = Node(parent, Kind.DIRECTORY, mtime=now)
        parent, _, _ = parent.rpartition(b"/")


def _path(name: str) -> bytes:
    return b"/".join(part for part in _encoded(name).split(b"/") if part not in {b"", b"."})


def _encoded(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")
