"""Members beneath links: ours against tar itself."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.trees import archive
from tests.truth.archives import REFUSED, UNPACKED, Members
from zwizard.image import DirectoryTree, FileTree, TarballTree


def unpack(packed: Path, place: Path) -> bool:
    place.mkdir()
    done = subprocess.run(
        ["tar", "-xpf", packed, "-C", place], capture_output=True, text=True, check=False
    )
    return done.returncode == 0


def places(tree: FileTree) -> Iterator[tuple[str, str, str]]:
    for entry in tree.entries():
        yield entry.path, entry.kind.value, entry.target


@pytest.mark.parametrize("name", UNPACKED)
def test_members_are_where_tar_unpacks_them(tmp_path: Path, name: str) -> None:
    members: Members = UNPACKED[name]
    packed = archive(tmp_path / "a.tar.gz", *members)
    assert unpack(packed, tmp_path / "out")
    with TarballTree(packed) as tree, DirectoryTree(tmp_path / "out") as unpacked:
        assert not tree.unsafe
        assert list(places(tree)) == list(places(unpacked))


@pytest.mark.parametrize("name", REFUSED)
def test_what_tar_cannot_unpack_is_reported(tmp_path: Path, name: str) -> None:
    members: Members = REFUSED[name]
    packed = archive(tmp_path / "a.tar.gz", *members)
    assert not unpack(packed, tmp_path / "out")
    with TarballTree(packed) as tree:
        assert "lies beneath" in str(tree.unsafe)
