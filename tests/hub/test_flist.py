"""Flists as the tests' hub writes them: zwizard's reader, made apart from them, reads the same."""

from __future__ import annotations

import dataclasses
import io
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.hub import breaking
from tests.hub.faults import Content
from tests.hub.flist import (
    LARGEST_LISTING,
    PIECE,
    Kind,
    Node,
    Tree,
    access_key,
    block_count,
    directory_key,
    make_database,
    make_flist,
)
from tests.hub.samples import SAMPLE
from tests.hub.unpack import unpack
from tests.support.command import Run
from zwizard.image import FlistTree, open_tree
from zwizard.image.tree import Entry, EntryType

KINDS = {
    EntryType.FILE: Kind.FILE,
    EntryType.DIRECTORY: Kind.DIRECTORY,
    EntryType.LINK: Kind.LINK,
}


def sample() -> Tree:
    return unpack(io.BytesIO(SAMPLE), now=1_700_000_000)


def as_node(entry: Entry) -> Node:
    """What the reader found, without contents and the size of a link."""
    return Node(
        entry.path[1:].encode("utf-8", "surrogateescape"),
        KINDS.get(entry.kind, Kind.SPECIAL),
        entry.mode,
        entry.uid,
        entry.gid,
        entry.mtime,
        entry.size,
        entry.target.encode(),
    )


def written(node: Node) -> Node:
    """The same of what was written."""
    node = dataclasses.replace(node, keys=[])
    if node.kind != Kind.LINK:
        return dataclasses.replace(node, target=b"")
    return dataclasses.replace(node, size=0)


@pytest.mark.parametrize("segment", [1, 3, 40, 501])
@pytest.mark.parametrize("root", ["./", ""])
def test_the_reader_finds_every_entry(tmp_path: Path, segment: int, root: str) -> None:
    path, tree = tmp_path / "x.flist", sample()
    path.write_bytes(make_flist(tree, {"tool": "x"}, segment=segment, root=root))
    with open_tree(path) as found:
        assert isinstance(found, FlistTree)
        entries = {node.path: node for node in map(as_node, found.entries())}
    assert entries == {key: written(node) for key, node in tree.items()}


def test_an_archive_and_its_flist_are_equal(run: Run, tmp_path: Path) -> None:
    archive, flist = tmp_path / "x.tar.gz", tmp_path / "x.flist"
    archive.write_bytes(SAMPLE)
    flist.write_bytes(make_flist(sample(), {}, segment=40))
    assert run("verify", archive, flist)[0] == 0


@pytest.mark.parametrize("content", Content)
def test_each_difference_is_found(run: Run, tmp_path: Path, content: Content) -> None:
    archive, flist = tmp_path / "x.tar.gz", tmp_path / "x.flist"
    archive.write_bytes(SAMPLE)
    made = make_flist(breaking.spoiled(sample(), content), {})
    flist.write_bytes(breaking.damaged(made, content))
    unreadable = content in {Content.NO_FLIST, Content.HALF}
    assert run("verify", archive, flist)[0] == (2 if unreadable else 1)


def test_keys_are_those_of_real_flists() -> None:
    assert directory_key(b"") == "cae66941d9efbd404e4d88758ea67670"
    assert directory_key(b"etc") == "9308da158ed557db704826796bca9f68"
    assert access_key(Node(b"x", Kind.FILE, 0o755)) == "d7683de000c13689"


@pytest.mark.parametrize(("segment", "kind"), [(501, 0), (40, 2), (1, 6)])
def test_small_segments_need_far_and_double_far_pointers(segment: int, kind: int) -> None:
    listing = database(sample(), segment)[directory_key(b"")]
    segments = int.from_bytes(listing[:4], "little") + 1
    first_pointer = listing[(4 + 4 * segments + 7) // 8 * 8]
    assert first_pointer & 7 == kind


def database(tree: Tree, segment: int) -> dict[str, bytes]:
    """The entries in the database of a flist."""
    with closing(sqlite3.connect(":memory:")) as opened:
        opened.text_factory = bytes
        opened.deserialize(make_database(tree, {}, made=0, segment=segment))
        rows = opened.execute("SELECT key, value FROM entries")
        return {key.decode(): value for key, value in rows}


@pytest.mark.parametrize(("links", "lost"), [(900, False), (1100, True)])
def test_the_listing_of_a_large_directory_is_lost(links: int, lost: bool) -> None:
    tree = {b"big": Node(b"big", Kind.DIRECTORY)}
    for number in range(links):
        path = b"big/%d" % number
        tree[path] = Node(path, Kind.LINK, target=b"x" * 4000)
    value = database(tree, LARGEST_LISTING)[directory_key(b"big")]
    assert (len(value) == 2) is lost


@pytest.mark.parametrize(
    ("size", "count"),
    [(0, 0), (1, 1), (PIECE, 1), (PIECE + 1, 2), (1 << 24, 32), ((1 << 24) + 1, 32),
     ((1 << 24) + 3, 33), ((3 << 30) + 100, 6144), ((3 << 30) + 1000, 6145)],
)  # fmt: skip
def test_blocks_are_counted_in_single_precision(size: int, count: int) -> None:
    assert block_count(size) == count
