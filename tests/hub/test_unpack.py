"""What the tests' hub makes of archives, whole and damaged."""

from __future__ import annotations

import bz2
import io
import lzma
import tarfile
from collections.abc import Callable

import pytest

from tests.hub.flist import PIECE, Kind, Tree, keys_of
from tests.hub.samples import SAMPLE, TIME, entry, packed
from tests.hub.unpack import counts, unpack

NOW = TIME + 1000


def tree(archive: bytes) -> Tree:
    return unpack(io.BytesIO(archive), NOW)


def test_everything_is_unpacked_and_counted() -> None:
    found = tree(SAMPLE)
    assert counts(found) == {
        "regular": 7,
        "symlink": 1,
        "directory": 5,
        "special": 2,
        "failure": 0,
        "fullsize": 2 * len("hello\n") + 2000 + 1 + 9 + 2 * PIECE + 1,
    }
    assert found[b"etc/hard"].keys == found[b"etc/hello"].keys == keys_of([b"hello\n"])
    assert found[b"var/three"].keys == keys_of([b"1" * PIECE, b"2" * PIECE, b"3"])
    assert found[b"dev/null"].target == b"1,3"
    assert (found[b"link"].mtime, found[b"etc/hello"].mtime) == (NOW, TIME)


def test_directories_that_are_not_in_the_archive_are_made() -> None:
    found = tree(packed((entry("a/b/c"), b"")))
    assert [(path, found[path].mode, found[path].mtime) for path in (b"a", b"a/b")] == [
        (b"a", 0o755, NOW),
        (b"a/b", 0o755, NOW),
    ]


def test_names_of_owners_that_the_hub_knows_win_over_numbers() -> None:
    known = entry("known", uid=5, gid=5, uname="www-data", gname="nogroup")
    unknown = entry("unknown", uid=5, gid=6, uname="alice", gname="alice")
    found = tree(packed((known, b""), (unknown, b"")))
    assert [(node.uid, node.gid) for node in found.values()] == [(33, 65534), (5, 6)]


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/"])
def test_names_that_lead_outside_are_left_out(name: str) -> None:
    assert tree(packed((entry(name), b""))) == {}


@pytest.mark.slow
def test_the_end_of_a_file_of_an_unlucky_size_is_lost() -> None:
    found = tree(packed((entry("x"), bytes((16 << 20) + 1))))
    assert (found[b"x"].size, len(found[b"x"].keys)) == ((16 << 20) + 1, 32)


def test_a_hard_link_to_nothing_is_left_out() -> None:
    assert tree(packed((entry("x", tarfile.LNKTYPE, linkname="none"), b""))) == {}


@pytest.mark.parametrize("compress", [lzma.compress, bz2.compress])
def test_other_compressions_are_unpacked_too(compress: Callable[[bytes], bytes]) -> None:
    found = tree(packed((entry("x"), b""), compress=compress))
    assert found[b"x"].kind == Kind.FILE


GARBAGE = {
    "nothing": b"",
    "text": b"a text file\n",
    "short": b"\x1f\x8b",
    "without members": packed(),
}


@pytest.mark.parametrize("archive", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_an_empty_tree(archive: bytes) -> None:
    assert tree(archive) == {}


def test_of_a_truncated_archive_the_beginning_is_there() -> None:
    content = bytes(range(256)) * 8 * 1024  # 2 MiB
    whole = packed((entry("first"), b"x"), (entry("big"), content), (entry("last"), b"x"))
    found = tree(whole[: len(whole) // 2])
    assert found.keys() == {b"first", b"big"}
    assert found[b"big"].size < len(content)
