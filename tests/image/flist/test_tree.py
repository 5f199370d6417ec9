"""Flists as trees: what they hold, what is damaged of them, and hostile databases."""

from __future__ import annotations

import gzip
import hashlib
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.flist_bytes import (
    ACL,
    D_KEY,
    KEY,
    MTIME,
    ROOT_KEY,
    SCHEMA,
    database,
    directory,
    listing,
    message,
    packed_flist,
    permissions,
    small,
    small_flist,
)
from tests.support.limits import bounds
from tests.support.trees import archive, member
from zwizard.image import FlistTree, TarballTree, UnreadableError, open_tree
from zwizard.image.flist.tree import NotInFlistError, require_contents
from zwizard.image.tree import Entry, EntryType, FileTree


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.flist"


def opened(path: Path) -> FlistTree:
    tree = open_tree(path)
    assert isinstance(tree, FlistTree)
    return tree


def facts(entry: Entry) -> tuple[object, ...]:
    return entry.path, entry.kind, entry.mode, entry.size, entry.uid, entry.gid, entry.mtime


def test_a_flist_has_the_entries_that_the_hub_wrote(path: Path) -> None:
    rows = {ACL.decode(): permissions(0o4755, 1000, 70000)}
    tree = opened(small_flist(path, **rows))
    assert [facts(entry) for entry in tree.entries()] == [
        ("/d", EntryType.DIRECTORY, 0o4755, 0, 1000, 70000, MTIME),
        ("/f", EntryType.FILE, 0o4755, 1, 1000, 70000, MTIME),
    ]
    assert tree.blocks == {"/f": KEY}
    assert tree.metadata == {"tool": "by hand"}
    assert (tree.fault, tree.lost.count, tree.unchanged()) == ("", 0, True)


def test_an_old_flist_has_no_metadata(path: Path) -> None:
    tree = opened(packed_flist(path, database(small(), SCHEMA[0])))
    assert (tree.metadata, len(list(tree.entries()))) == ({}, 2)


def test_contents_are_not_in_a_flist_but_an_empty_file_is_known(path: Path) -> None:
    with pytest.raises(NotInFlistError, match="no contents"):
        opened(small_flist(path)).open("/f")
    rows = {ROOT_KEY: message(listing(size=0))}
    assert opened(small_flist(path, **rows)).read("/f", 10) == b""


def test_an_archive_with_a_flist_somewhere_in_it_is_an_archive(tmp_path: Path) -> None:
    inside = [member(f"etc/{name}") for name in ("a", "b", "c", "flistdb.sqlite3")]
    with open_tree(archive(tmp_path / "x.tar.gz", *inside)) as tree:
        assert isinstance(tree, TarballTree)


def test_what_needs_contents_refuses_a_flist(path: Path) -> None:
    with pytest.raises(UnreadableError, match="is a flist"):
        require_contents(small_flist(path))
    require_contents(path.parent)


@pytest.mark.parametrize(
    ("rows", "lost"),
    [
        ({D_KEY: "\x01\x02"}, "/d (its listing is empty: it did not fit 4 MiB)"),
        ({D_KEY: b"x" * 100}, "/d (the table of its segments is damaged)"),
        ({"above": b""}, ""),
        ({ROOT_KEY: message(listing(below="2" * 32))}, "/d (its listing is missing)"),
        ({ROOT_KEY: message(listing(below=ROOT_KEY))}, "/d (it is in the flist twice)"),
        ({ROOT_KEY: message(directory())}, ""),
        ({ROOT_KEY: b""}, "/ (its listing is empty"),
        ({ROOT_KEY: message(listing(name=b".."))}, "/ (/.. is no path)"),
        ({ROOT_KEY: message(listing(name=b"a/b"))}, "/ (/a/b is no path)"),
        ({ROOT_KEY: message(listing(name=b""))}, "/ (/ is no path)"),
        ({ROOT_KEY: message(listing(name=b"d"))}, "/d (it is in the flist twice)"),
        ({ROOT_KEY: message(listing(name=b"n" * 300))}, "/ (a pointer leads to something else"),
        ({ACL.decode(): b""}, "/ (the table of its segments is damaged)"),
        ({D_KEY: message(listing(below=D_KEY))}, "/d/d (it is in the flist twice)"),
    ],
)
def test_a_damaged_directory_is_named_and_the_others_are_read(
    path: Path, rows: dict[str, bytes | str], lost: str
) -> None:
    tree = opened(small_flist(path, **rows))
    assert str(tree.lost).startswith(lost)
    assert bool(tree.lost) is bool(lost)


HOSTILE = {
    "a trigger": (*SCHEMA, "CREATE TRIGGER t AFTER INSERT ON entries BEGIN SELECT 1; END"),
    "a view": ("CREATE TABLE e (key, value)", "CREATE VIEW entries AS SELECT * FROM e"),
    "a virtual table": (*SCHEMA, "CREATE VIRTUAL TABLE v USING fts5(x)"),
    "a computed column": (
        "CREATE TABLE entries (key, other, value AS (hex(zeroblob(length(key) * 1000))))",
    ),
    "no tables of a flist": ("CREATE TABLE others (key, value)",),
    "other columns": ("CREATE TABLE entries (id, data)",),
    "very many tables": tuple(f"CREATE TABLE t{n} (x)" for n in range(101)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_database_that_is_no_flist_is_refused(path: Path, name: str) -> None:
    with pytest.raises(UnreadableError, match="no flist"):
        open_tree(packed_flist(path, database({}, *HOSTILE[name])))


@pytest.mark.slow
def test_a_database_without_an_index_does_not_take_long(path: Path) -> None:
    rows = small() | {f"k{number}": b"" for number in range(20_000)}
    rows[ROOT_KEY] = message(listing())
    made = database(rows, SCHEMA[0].replace(" PRIMARY KEY", ""))
    with bounds(seconds=10):
        opened(packed_flist(path, made))


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (lambda data: data[:60], "damaged"),
        (lambda data: data[:-4], "damaged"),  # the checksum
        (lambda data: gzip.compress(gzip.decompress(data)[:2000]), "damaged"),
    ],
)
def test_a_cut_flist_is_an_error_of_ours(path: Path, damage: object, what: str) -> None:
    assert callable(damage)
    path.write_bytes(damage(small_flist(path).read_bytes()))
    with pytest.raises(UnreadableError, match=what):
        FlistTree(path)


@pytest.mark.parametrize("at", [16, 20, 28, 100, 103, 105, 108])
def test_a_damaged_page_is_an_error_of_ours(path: Path, at: int) -> None:
    made = bytearray(database(small()))
    made[at : at + 2] = b"\xff\xff"
    try:
        tree = FlistTree(packed_flist(path, bytes(made)))
    except UnreadableError:
        return
    assert isinstance(tree, FileTree)


def test_an_error_of_sqlite_that_is_no_text_is_an_error_of_ours(path: Path) -> None:
    made = database(small()).replace(
        b"CREATE TABLE entries", b"CREATE TABLE \xd3\xd3\xd3 \xd3\xd3\xd3"
    )
    with pytest.raises(UnreadableError, match="damaged"):
        open_tree(packed_flist(path, made))


RFS = """
CREATE TABLE inode (ino INTEGER PRIMARY KEY AUTOINCREMENT, parent INTEGER, name VARCHAR(255),
    size INTEGER, uid INTEGER, gid INTEGER, mode INTEGER, rdev INTEGER, ctime INTEGER,
    mtime INTEGER);
CREATE INDEX parents ON inode (parent);
CREATE TABLE extra (ino INTEGER PRIMARY KEY, data VARCHAR(4096));
CREATE TABLE block (ino INTEGER, id VARCHAR(32), key VARCHAR(32));
CREATE INDEX block_ino ON block (ino);
CREATE TABLE tag (key VARCHAR(10) PRIMARY KEY, value VARCHAR(255));
CREATE TABLE route (start integer, end integer, url VARCHAR(2048));
INSERT INTO inode VALUES (1, 0, '/', 0, 0, 0, 16877, 0, 0, 7),
    (2, 1, 'd', 0, 5, 6, 16877, 0, 0, 8),
    (3, 2, 'f', 600000, 0, 0, 35309, 0, 0, 9), (4, 2, 'l', 1, 0, 0, 41471, 0, 0, 9),
    (5, 1, 'pipe', 0, 0, 0, 4516, 0, 0, 9);
INSERT INTO extra VALUES (4, 'f');
"""
SHA = hashlib.sha256(b"x").digest()


def rfs_flist(path: Path, *more: str) -> Path:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(RFS)
        connection.executemany("INSERT INTO block VALUES (3, ?, ?)", [(b"", SHA), (b"", SHA)])
        for statement in more:
            connection.execute(statement)
        connection.commit()
        path.write_bytes(connection.serialize())
    return path


def test_a_flist_of_rfs_2_is_read_too(tmp_path: Path) -> None:
    tree = opened(rfs_flist(tmp_path / "x.fl"))
    assert [facts(entry) for entry in tree.entries()] == [
        ("/d", EntryType.DIRECTORY, 0o755, 0, 5, 6, 8),
        ("/d/f", EntryType.FILE, 0o4755, 600_000, 0, 0, 9),
        ("/d/l", EntryType.LINK, 0o777, 0, 0, 0, 9),
        ("/pipe", EntryType.FIFO, 0o644, 0, 0, 0, 9),
    ]
    assert tree.resolve("/d/l").file
    assert (tree.blocks, tree.key_bytes) == ({"/d/f": SHA * 2}, 32)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE inode SET parent = 2 WHERE ino = 2",
        "UPDATE inode SET name = 'x/y' WHERE ino = 3",
        "UPDATE inode SET mode = 'much' WHERE ino = 3",
        "UPDATE inode SET mode = 0 WHERE ino = 3",
        "UPDATE inode SET name = NULL WHERE ino = 3",
        "UPDATE inode SET size = -1 WHERE ino = 3",
        "UPDATE inode SET uid = 1.5 WHERE ino = 3",
        "DELETE FROM extra",
    ],
)
def test_a_damaged_row_of_rfs_2_is_left_out(tmp_path: Path, change: str) -> None:
    tree = opened(rfs_flist(tmp_path / "x.fl", change))
    left = len(list(tree.entries()))
    assert left < 4
    assert tree.lost or left == 1  # of a directory that is its own parent nothing points to


def test_an_archive_named_flist_is_an_archive(tmp_path: Path) -> None:
    made = archive(tmp_path / "x.flist", member("a", tarfile.SYMTYPE, "b"))
    with open_tree(made) as tree:
        assert isinstance(tree, TarballTree)
