"""Write a flist as the hub's zflist does: a tar of a SQLite database of Cap'n Proto messages.

Made from what is known of the hub and its flists, apart from zwizard's reader, so that each
proves the other.
"""

from __future__ import annotations

import gzip
import io
import json
import math
import sqlite3
import struct
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from hashlib import blake2b

from tests.hub.capnp import Message, Place

PIECE = 512 << 10  # bytes of a file in one block
LARGEST_LISTING = 4 << 20  # bytes: of a directory with more, two bytes are written
SEGMENT = 501  # words
_LOST = b"\xb0\x04"
_DIRECTORY_SIZE = 4096
_BLOCK_SIZE = 128  # of a file, in units of 4 KiB

# What the hub's own /etc/passwd and /etc/group know.
USERS = {0: "root", 1: "daemon", 2: "bin", 33: "www-data", 65534: "nobody"}
GROUPS = {0: "root", 1: "daemon", 2: "bin", 33: "www-data", 65534: "nogroup"}


class Kind(IntEnum):
    """Of an entry, as in its inode."""

    DIRECTORY = 0
    FILE = 1
    LINK = 2
    SPECIAL = 3


@dataclass
class Node:
    """An entry of a tree; paths are relative, without a slash at either end."""

    path: bytes
    kind: Kind
    mode: int = 0o755
    uid: int = 0
    gid: int = 0
    mtime: int = 0
    size: int = 0
    target: bytes = b""  # of a link; of a special file "major,minor" or "(nothing)"
    keys: list[bytes] = field(default_factory=list)  # of each piece of a file

    @property
    def parent(self) -> bytes:
        return self.path.rpartition(b"/")[0]

    @property
    def name(self) -> bytes:
        return self.path.rpartition(b"/")[2]


Tree = dict[bytes, Node]  # without the root


def keys_of(content: Iterable[bytes]) -> list[bytes]:
    """The keys of a file's pieces, in order."""
    return [blake2b(piece, digest_size=16).digest() for piece in content]


def block_id(key: bytes) -> bytes:
    """The name of a block in the hub's store, where the real one hashes what it stored."""
    return blake2b(b"stored" + key, digest_size=16).digest()


def block_count(size: int) -> int:
    """How many blocks zflist makes: it counts in single precision."""
    return math.ceil(_single(_single(size) / PIECE))


def make_flist(
    tree: Tree,
    metadata: dict[str, str],
    *,
    made: int = 0,
    segment: int = SEGMENT,
    root: str = "./",
) -> bytes:
    """The bytes of a flist; ``made`` is when, ``segment`` the words of a segment of a message.

    Small segments give many far pointers (40), or only double-far ones (1). ``root`` comes before
    the name of the database in the tar.
    """
    return pack(make_database(tree, metadata, made=made, segment=segment), root)


def pack(database: bytes, root: str = "./") -> bytes:
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1, mtime=0) as file,
        tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as tar,
    ):
        if root:
            directory = tarfile.TarInfo(root)
            directory.type, directory.mode = tarfile.DIRTYPE, 0o700
            tar.addfile(directory)
        member = tarfile.TarInfo(root + "flistdb.sqlite3")
        member.size = len(database)
        tar.addfile(member, io.BytesIO(database))
    return packed.getvalue()


def make_database(tree: Tree, metadata: dict[str, str], *, made: int, segment: int) -> bytes:
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE entries (key VARCHAR(64) PRIMARY KEY, value BLOB)")
    database.execute("CREATE TABLE metadata (key VARCHAR(64) PRIMARY KEY, value TEXT)")
    database.executemany("INSERT INTO metadata VALUES (?, ?)", metadata.items())
    for key, value in _entries(tree, made, segment):
        lost = "CAST(? AS TEXT)" if value is _LOST else "?"
        database.execute(f"INSERT INTO entries VALUES (?, {lost})", (key, value))
    database.commit()
    try:
        return database.serialize()
    finally:
        database.close()


def _entries(tree: Tree, made: int, segment: int) -> Iterator[tuple[str, bytes]]:
    top = Node(b"", Kind.DIRECTORY)
    children: dict[bytes, list[Node]] = {path: [] for path, node in tree.items() if not node.kind}
    children[b""] = []
    for node in tree.values():
        children[node.parent].append(node)
    for node in {(node.mode, node.uid, node.gid): node for node in (top, *tree.values())}.values():
        yield access_key(node), _access(node, segment)
    for path, nodes in children.items():
        node = tree.get(path, top)
        nodes.sort(key=lambda node: (node.kind != Kind.DIRECTORY, node.name))
        value = _listing(node, nodes, made, segment)
        yield directory_key(path), value if len(value) <= LARGEST_LISTING else _LOST


def directory_key(path: bytes) -> str:
    return blake2b(path, digest_size=16).hexdigest()


def access_key(node: Node) -> str:
    user, group = _owners(node)
    text = f"user:{user}\ngroup:{group}\nmode:0o{node.mode:o}\nuid:{node.uid}\ngid:{node.gid}"
    return blake2b(text.encode(), digest_size=8).hexdigest()


def _owners(node: Node) -> tuple[str, str]:
    return USERS.get(node.uid, str(node.uid)), GROUPS.get(node.gid, str(node.gid))


def _access(node: Node, segment: int) -> bytes:
    """The permissions of ``node``, an ACI: they are shared by all entries with the same."""
    message = Message(segment)
    data = struct.pack("<HxxIqq", node.mode, 0, node.uid ^ -1, node.gid ^ -1)
    access = message.struct(data, 3)
    for number, name in enumerate(_owners(node)):
        message.point(access, number, message.text(name.encode()))
    return message.finish(access)


def _listing(node: Node, nodes: list[Node], made: int, segment: int) -> bytes:
    """The message of a directory with what is in it."""
    message = Message(segment)
    contents, inodes = message.structs([_inode(child, made) for child in nodes], 3)
    for child, inode in zip(nodes, inodes, strict=True):
        message.point(inode, 1, _attributes(message, child))
        message.point(inode, 0, message.text(child.name))
        message.point(inode, 2, message.text(access_key(child).encode()))
    created = made if node.path else 0
    mtime = node.mtime & 0xFFFFFFFF
    directory = message.struct(struct.pack("<QII", _DIRECTORY_SIZE, mtime, created), 5)
    message.point(directory, 0, message.text(node.name))
    message.point(directory, 1, message.text(node.path))
    message.point(directory, 2, contents)
    message.point(directory, 3, message.text(directory_key(node.parent).encode()))
    message.point(directory, 4, message.text(access_key(node).encode()))
    return message.finish(directory)


def _inode(node: Node, made: int) -> bytes:
    size = _DIRECTORY_SIZE if node.kind == Kind.DIRECTORY else node.size
    return struct.pack("<QHxxII4x", size, node.kind, node.mtime & 0xFFFFFFFF, made)


def _attributes(message: Message, node: Node) -> Place:
    """What an inode has besides, by its kind."""
    match node.kind:
        case Kind.DIRECTORY:
            place = message.struct(b"", 1)
            message.point(place, 0, message.text(directory_key(node.path).encode()))
        case Kind.FILE:
            place = _file(message, node)
        case Kind.LINK:
            place = message.struct(b"", 1)
            message.point(place, 0, message.text(node.target))
        case Kind.SPECIAL:
            target = message.data(node.target)
            place = message.struct(bytes(8), 1)
            message.point(place, 0, target)
    return place


def _file(message: Message, node: Node) -> Place:
    data = struct.pack("<Q", _BLOCK_SIZE)
    if not node.keys:
        return message.struct(data, 1)
    listing, blocks = message.structs([b""] * len(node.keys), 2)
    for block, key in zip(blocks, node.keys, strict=True):
        message.point(block, 0, message.data(block_id(key)))
        message.point(block, 1, message.data(key))
    place = message.struct(data, 1)
    message.point(place, 0, listing)
    return place


def _single(number: float) -> float:
    """``number`` in single precision."""
    rounded: float = struct.unpack("<f", struct.pack("<f", number))[0]
    return rounded


def backend(host: str, port: int) -> str:
    """The metadata that names the store of the blocks."""
    return json.dumps({"namespace": "default", "host": host, "port": port})
