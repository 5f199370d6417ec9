"""Trees that are deeper, and names that are longer, than what programs expect."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.oci import Layout
from zwizard.checks import check
from zwizard.engine.layers import discard, disk_usage
from zwizard.image.archive.byte_stream import plain
from zwizard.image.oci import OciError, read_oci
from zwizard.recipe.toml import parse
from zwizard.treetools import edit, ext4_writer
from zwizard.treetools.untar import MemberFilter, RefusedMemberError, sift
from zwizard.util.errors import UsageError

DEEP = 1500  # more than Python's calls


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    """A directory with another in it, and so on."""
    (tmp_path / "tree").mkdir()
    at = os.open(tmp_path / "tree", os.O_RDONLY)
    for _ in range(DEEP):
        os.mkdir("d", dir_fd=at)
        down = os.open("d", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = down
    os.close(at)
    yield tmp_path / "tree"
    subprocess.run(["rm", "-rf", tmp_path / "tree"], check=True)  # pytest gives up in it


@pytest.mark.slow
def test_a_deep_tree_is_measured_and_removed(deep: Path) -> None:
    assert disk_usage(deep) == (DEEP + 1) * deep.stat().st_blocks * 512
    discard(deep)
    assert not deep.exists()


def test_an_action_removes_a_deep_tree(deep: Path) -> None:
    edit.remove(deep, ("/d",))
    assert list(deep.iterdir()) == []


@pytest.mark.slow
def test_a_deep_tree_becomes_commands_of_debugfs(deep: Path) -> None:
    writer = ext4_writer._Writer(os.fsencode(deep), 0, b"", b"")
    assert list(writer.commands()).count(b'mkdir "d"') == DEEP


def packed(*names: str) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in names:
            tar.addfile(tarfile.TarInfo(name))
    return data.getvalue()


LONG = (
    "./etc/" + "n" * 256,
    "./etc/" + "ü" * 128,
    "./" + "abcdefghi/" * 410 + "f",
    "a/" * 100_000,
)


@pytest.mark.parametrize("name", LONG, ids=["name", "bytes", "path", "deep"])
def test_what_no_system_takes_is_an_error_and_is_not_unpacked(tmp_path: Path, name: str) -> None:
    path = tmp_path / "image.tar.gz"
    path.write_bytes(gzip.compress(packed(name), 1))
    finding = check(path, mode="container").finding("archive-paths")
    assert "longer name or target than any system takes" in finding.evidence
    with pytest.raises(RefusedMemberError, match="longer than any system takes"):
        sift(plain(io.BytesIO(packed(name))), io.BytesIO(), MemberFilter(1 << 40, 10, 10))


@pytest.mark.parametrize("name", ["./etc/" + "n" * 255, "./" + "d/" * 2000 + "f"])
def test_what_a_system_takes_is_good(tmp_path: Path, name: str) -> None:
    path = tmp_path / "image.tar.gz"
    path.write_bytes(gzip.compress(packed(name), 1))
    assert not check(path, mode="container").finding("archive-paths").wrong
    sift(plain(io.BytesIO(packed(name))), io.BytesIO(), MemberFilter(1 << 40, 10, 10))


def test_a_recipe_that_is_nested_deeply_is_not_toml() -> None:
    with pytest.raises(UsageError, match="is not TOML"):
        parse("x = " + "[" * 100_000, "x.toml")


def test_indexes_that_lead_to_themselves_and_to_many_others_end(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "image").image([("etc/hostname", b"x")])
    for _ in range(20):
        place = layout.nested()
    with pytest.raises(OciError, match="description cannot be read"):
        read_oci(place)
    name = "sha256:" + "0" * 64
    index = f'{{"manifests": [{{"digest": "{name}"}}]}}'
    (place / "blobs/sha256" / ("0" * 64)).write_text(index)
    (place / "index.json").write_text(index)
    with pytest.raises(OciError, match="does not have the checksum that names it"):
        read_oci(place)
