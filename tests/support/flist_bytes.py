"""One small flist, laid out by hand word by word: a file /f of one byte and an empty /d.

Flists of any tree, in the many segments that the hub writes, are made by tests/hub.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import sqlite3
import struct
import tarfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

ACL = b"0123456789abcdef"
ROOT_KEY = "cae66941d9efbd404e4d88758ea67670"
D_KEY = "1" * 32
MTIME = 1_700_000_000
STRUCT, LIST, FAR, DOUBLE = 0, 1, 2, 6
BYTES, COMPOSITE = 2, 7


def pointer(place: int, target: int, kind: int, upper: int) -> int:
    """The pointer at word ``place`` to what is at word ``target``."""
    return (target - place - 1 << 2 & 0xFFFFFFFF) | kind | upper << 32


def far(segment: int, place: int, kind: int = FAR) -> int:
    return place << 3 | kind | segment << 32


def shape(data: int, pointers: int) -> int:
    """The upper half of a struct's pointer: words of data, and pointers."""
    return data | pointers << 16


def text(place: int, target: int, content: bytes) -> int:
    return pointer(place, target, LIST, BYTES | len(content) << 3)


def words(content: bytes) -> list[int]:
    padded = content + bytes(-len(content) % 8)
    return list(struct.unpack(f"<{len(padded) // 8}Q", padded))


def message(*segments: list[int]) -> bytes:
    table = struct.pack(f"<{len(segments) + 1}I", len(segments) - 1, *map(len, segments))
    table += bytes(-len(table) % 8)
    return table + b"".join(struct.pack(f"<{len(each)}Q", *each) for each in segments)


def directory(*more: int, contents: int = 0) -> list[int]:
    """A directory, with words after it (from word 8 on)."""
    return [pointer(0, 1, STRUCT, shape(2, 5)), 4096, MTIME, 0, 0, contents, 0, 0, *more]


KEY = hashlib.blake2b(b"x", digest_size=16).digest()


def listing(name: bytes = b"f", key: bytes = KEY, size: int = 1, below: str = D_KEY) -> list[int]:
    """The root: /f at word 9, /d at word 15; what they refer to from word 21 on."""
    acl, subdirectory = ACL + b"\0", below.encode() + b"\0"
    end = 38 + len(words(name + b"\0"))
    return directory(
        2 << 2 | shape(3, 3) << 32,
        size, 1 | MTIME << 32, 0,
        text(12, 38, name + b"\0"), pointer(13, 21, STRUCT, shape(1, 1)), text(14, 23, acl),
        4096, MTIME << 32, 0,
        text(18, 32, b"d\0"), pointer(19, 31, STRUCT, shape(0, 1)), text(20, end, acl),
        128, pointer(22, 26, LIST, COMPOSITE | 2 << 3),  # word 21: the file
        *words(acl),  # word 23
        1 << 2 | shape(0, 2) << 32, 0, text(28, 29, key), *words(key),  # word 26: its blocks
        text(31, 33, subdirectory), *words(b"d\0"), *words(subdirectory),
        *words(name + b"\0"),  # word 38
        *words(acl),
        contents=pointer(5, 8, LIST, COMPOSITE | 12 << 3),
    )  # fmt: skip


def permissions(mode: int = 0o644, uid: int = 0, gid: int = 0) -> bytes:
    owners = struct.unpack("<2Q", struct.pack("<2q", ~uid, ~gid))
    return message([pointer(0, 1, STRUCT, shape(3, 3)), mode, *owners, 0, 0, 0])


def small(**changes: bytes | str) -> dict[str, bytes | str]:
    """The rows of the table ``entries``."""
    rows: dict[str, bytes | str] = {
        ROOT_KEY: message(listing()), D_KEY: message(directory()), ACL.decode(): permissions(),
    }  # fmt: skip
    return rows | changes


SCHEMA = (
    "CREATE TABLE entries (key VARCHAR(64) PRIMARY KEY, value BLOB)",
    "CREATE TABLE metadata (key VARCHAR(64) PRIMARY KEY, value TEXT)",
)


def database(rows: Mapping[str, bytes | str], *statements: str) -> bytes:
    """The SQLite file with these entries, after ``statements``."""
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in statements or SCHEMA:
            connection.execute(statement)
        if rows:
            connection.executemany("INSERT INTO entries VALUES (?, ?)", rows.items())
        if not statements:
            connection.execute("INSERT INTO metadata VALUES ('tool', 'by hand')")
        connection.commit()
        return connection.serialize()


def packed_flist(path: Path, made: bytes) -> Path:
    """A .flist with the database ``made``, as the hub packs it: without an end marker."""
    info = tarfile.TarInfo("./flistdb.sqlite3")
    info.size = len(made)
    directory = tarfile.TarInfo("./")
    directory.type = tarfile.DIRTYPE
    out = io.BytesIO()
    for member, data in ((directory, b""), (info, made)):
        out.write(member.tobuf() + data + bytes(-len(data) % 512))
    path.write_bytes(gzip.compress(out.getvalue(), 1))
    return path


def small_flist(path: Path, **changes: bytes | str) -> Path:
    return packed_flist(path, database(small(**changes)))
