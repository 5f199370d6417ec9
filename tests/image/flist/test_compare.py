"""An archive and its flist, compared: equal ones, and each way to differ.

Archives of any tree with the flists that a hub makes of them are in tests/hub.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from tests.image.flist.test_tree import rfs_flist
from tests.support.flist_bytes import (
    ACL,
    D_KEY,
    MTIME,
    ROOT_KEY,
    directory,
    listing,
    message,
    permissions,
    small_flist,
)
from zwizard.image import FlistTree, UnreadableError
from zwizard.image.archive.block_digest import BLOCK, BlockDigest
from zwizard.image.flist.compare import Comparison, Counts, compare, read_archive

Member = tuple[tarfile.TarInfo, bytes]


def made(name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, **more: object) -> Member:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.mtime, info.size = kind, 0o644, MTIME, len(data)
    for key, value in more.items():
        setattr(info, key, value)
    return info, data


F, D = made("./f", b"x"), made("./d", kind=tarfile.DIRTYPE)


def packed(path: Path, *members: Member) -> Path:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    path.write_bytes(gzip.compress(out.getvalue(), 1))
    return path


def compared(tmp_path: Path, *members: Member, **rows: bytes | str) -> Comparison:
    read = read_archive(packed(tmp_path / "x.tar.gz", *members))
    with read.tree, FlistTree(small_flist(tmp_path / "x.flist", **rows)) as flist:
        return compare(read, flist)


def test_an_archive_is_equal_to_its_flist(tmp_path: Path) -> None:
    found = compared(tmp_path, made(".", kind=tarfile.DIRTYPE, mode=0o700), D, F)
    assert found == Comparison(entries=2, blocks=1, count=0, first=())
    assert found.equal


def test_what_an_archive_only_implies_is_the_hubs(tmp_path: Path) -> None:
    rows = {ACL.decode(): permissions(0o644, 5), D_KEY: message(listing(below="2" * 32))}
    rows["2" * 32] = message(directory())
    files = [made(name, b"x", uid=5) for name in ("f", "d/f")]
    last = made("d/d", kind=tarfile.DIRTYPE, uid=5)
    assert compared(tmp_path, *files, last, **rows).equal


@pytest.mark.parametrize(
    ("members", "rows", "differences"),
    [
        ([D], {}, [("/f", "entry", "missing", "file")]),
        ([D, F, made("./g")], {}, [("/g", "entry", "file", "missing")]),
        ([D, made("./f", b"y")], {}, [("/f", "content", "block 1 of 1 has the key", "block")]),
        ([D, made("./f", b"xy")], {}, [("/f", "size", "2", "1")]),
        ([D, made("./f", b"x", mode=0o4644)], {}, [("/f", "mode", "4644", "644")]),
        ([D, made("./f", b"x", uid=1000)], {}, [("/f", "owner", "1000:0", "0:0")]),
        ([D, made("./f", b"x", gid=7)], {}, [("/f", "owner", "0:7", "0:0")]),
        ([D, made("./f", b"x", mtime=MTIME + 1)], {},
         [("/f", "time", str(MTIME + 1), str(MTIME))]),
        ([made("./d", kind=tarfile.DIRTYPE, mode=0o700), F], {}, [("/d", "mode", "700", "644")]),
        ([D, made("./f", kind=tarfile.SYMTYPE, linkname="d")], {},
         [("/f", "type", "link", "file")]),
        ([D, F], {D_KEY: "\x01\x02"}, [("/d", "listing", "whole", "damaged (its listing is")]),
        ([D, F], {ACL.decode(): permissions(0o644, 5)},
         [("/d", "owner", "0:0", "5:0"), ("/f", "owner", "0:0", "5:0")]),
        ([D, made("./f", bytes(600_000))], {ROOT_KEY: message(listing(size=600_000))},
         [("/f", "content", "2 blocks", "1 blocks")]),
    ],
)  # fmt: skip
def test_each_difference_is_named(
    tmp_path: Path,
    members: list[Member],
    rows: dict[str, bytes | str],
    differences: list[tuple[str, str, str, str]],
) -> None:
    found = compared(tmp_path, *members, **rows)
    assert found.count == len(found.first) == len(differences)
    for one, (path, what, archive, flist) in zip(found.first, differences, strict=True):
        assert (one.path, one.what) == (path, what)
        assert one.archive.startswith(archive)
        assert one.flist.startswith(flist)


def test_a_damaged_archive_proves_nothing(tmp_path: Path) -> None:
    path = packed(tmp_path / "x.tar.gz", D, F)
    path.write_bytes(path.read_bytes()[:-6])
    with pytest.raises(UnreadableError, match="truncated"):
        read_archive(path)


def test_an_archive_is_hashed_and_counted_as_the_hub_does(tmp_path: Path) -> None:
    hard = made("./h", kind=tarfile.LNKTYPE, linkname="./f")
    link = made("./l", kind=tarfile.SYMTYPE, linkname="f")
    path = packed(tmp_path / "x.tar.gz", D, F, hard, link, made("./p", kind=tarfile.FIFOTYPE))
    read = read_archive(path)
    read.tree.close()
    assert read.counts() == Counts(regular=2, symlink=1, special=1, fullsize=2)
    assert read.digest.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def keys(data: bytes) -> bytes:
    pieces = (data[at : at + BLOCK] for at in range(0, len(data), BLOCK))
    return b"".join(hashlib.blake2b(piece, digest_size=16).digest() for piece in pieces)


@pytest.mark.parametrize(
    "pieces",
    [
        [],
        [(0, b"a")],
        [(BLOCK - 1, b"ab")],
        [(0, b"a" * BLOCK), (BLOCK, b"b" * (BLOCK + 1))],
        [(3 * BLOCK + 5, b"end")],
        [(5, b"a"), (BLOCK, b"b"), (BLOCK + 100, b"c" * 100)],
    ],
)
@pytest.mark.parametrize("size", [4 * BLOCK, 4 * BLOCK + 17])
def test_holes_are_hashed_as_zeros(size: int, pieces: list[tuple[int, bytes]]) -> None:
    whole = bytearray(size)
    for offset, data in pieces:
        whole[offset : offset + len(data)] = data
    digest = BlockDigest()
    assert list(digest.passing(1, size, iter(pieces))) == pieces
    assert digest.keys == {1: keys(bytes(whole))}


def test_a_flist_of_rfs_2_is_compared_by_its_own_hash(tmp_path: Path) -> None:
    d = made("d", kind=tarfile.DIRTYPE, mode=0o755, uid=5, gid=6, mtime=8)
    path = packed(tmp_path / "x.tar.gz", d, made("d/f", b"x", mtime=9))
    with FlistTree(rfs_flist(tmp_path / "x.fl", *CHANGES)) as flist:
        read = read_archive(path, flist.key_bytes)
        with read.tree:
            assert compare(read, flist).equal


CHANGES = (
    "DELETE FROM inode WHERE ino > 3",
    "UPDATE inode SET size = 1, mode = 33188 WHERE ino = 3",
    "DELETE FROM block WHERE rowid > 1",
)
