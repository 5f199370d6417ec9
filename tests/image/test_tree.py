"""Links are followed inside the image, in a directory as in an archive."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.trees import packed, vm_tree
from zwizard.image import DirectoryTree, FileTree, TarballTree, UnreadableError, open_tree
from zwizard.image.tree import EntryType, LinkProblem


@pytest.fixture(params=["directory", "tarball"])
def tree(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FileTree]:
    root = vm_tree(tmp_path / "root")
    (root / "loop").symlink_to("pool")
    (root / "pool").symlink_to("loop")
    (root / "gone").symlink_to("etc/nothing")
    (root / "etc/up").symlink_to("../../../../etc/hosts")
    (root / "etc/absolute").symlink_to("/etc/hosts")
    (root / "host").symlink_to("/etc/protocols")
    (root / "through").symlink_to("etc/hosts/deeper")
    (root / "etc/same").hardlink_to(root / "etc/hosts")
    for number in range(50):
        (root / f"chain{number}").symlink_to(f"chain{number + 1}")
    path = root if request.param == "directory" else packed(root, tmp_path / "a.tar.gz")
    with open_tree(path) as opened:
        yield opened


def test_a_tree_is_chosen_by_content(tree: FileTree) -> None:
    assert isinstance(tree, DirectoryTree | TarballTree)
    assert tree.read("/etc/hosts", 100) == b"127.0.0.1 localhost\n"


def test_a_relative_link_is_followed_and_in_the_chain(tree: FileTree) -> None:
    found = tree.resolve("/boot/vmlinuz")
    assert found.file is not None
    assert found.file.path == "/boot/vmlinuz-6.1.0-50-cloud-amd64"
    assert [link.path for link in found.chain] == ["/boot/vmlinuz"]
    assert found.outside is None


def test_links_among_the_parents_are_in_the_chain_too(tree: FileTree) -> None:
    found = tree.resolve("/sbin/init")
    assert found.file is not None
    assert found.file.path == "/usr/lib/systemd/systemd"
    assert [link.path for link in found.chain] == ["/sbin", "/usr/sbin/init", "/lib"]
    assert found.outside is not None
    assert found.outside.path == "/usr/sbin/init"


def test_an_absolute_link_is_followed_in_the_image_and_reported_as_outside(
    tree: FileTree,
) -> None:
    assert tree.read("/etc/absolute", 9) == b"127.0.0.1"
    outside = tree.resolve("/etc/absolute").outside
    assert outside is not None
    assert outside.target == "/etc/hosts"


def test_a_link_above_the_root_stays_at_the_root_and_is_reported_as_outside(
    tree: FileTree,
) -> None:
    found = tree.resolve("/etc/up")
    assert found.file is not None
    assert found.file.path == "/etc/hosts"
    assert found.outside is not None


def test_files_of_the_host_are_never_read(tree: FileTree) -> None:
    found = tree.resolve("/host")
    assert found.entry is None
    assert found.problem is LinkProblem.MISSING
    assert found.missing == "/etc/protocols"
    with pytest.raises(
        UnreadableError, match="/host leads to /etc/protocols, which does not exist"
    ):
        tree.read("/host", 1)


@pytest.mark.parametrize("path", ["/loop", "/pool", "/chain0"])
def test_loops_and_endless_chains_end(tree: FileTree, path: str) -> None:
    found = tree.resolve(path)
    assert found.problem is LinkProblem.LOOP
    assert found.shown == f"{path} is a loop of links"


def test_a_file_is_not_a_directory(tree: FileTree) -> None:
    assert tree.resolve("/through").problem is LinkProblem.NOT_A_DIRECTORY
    assert tree.listing("/etc/hosts") == ()


def test_a_missing_path_is_reported(tree: FileTree) -> None:
    assert tree.resolve("/nowhere/else").shown == "/nowhere/else does not exist"
    assert tree.resolve("/nowhere").shown == "/nowhere does not exist"
    assert tree.lstat("/nowhere/else") is None


def test_lstat_follows_links_in_parents_but_not_the_last_one(tree: FileTree) -> None:
    link = tree.lstat("/sbin/init")
    assert link is not None
    assert (link.kind, link.path, link.target) == (
        EntryType.LINK,
        "/usr/sbin/init",
        "/lib/systemd/systemd",
    )
    root = tree.lstat("/")
    assert root is not None
    assert root.kind is EntryType.DIRECTORY


def test_entries_and_listings_are_sorted(tree: FileTree) -> None:
    paths = [entry.path for entry in tree.entries()]
    assert paths == sorted(paths)
    assert [entry.name for entry in tree.listing("/lib")] == ["modules", "python3", "systemd"]
    assert "/usr/lib/systemd/systemd" in [entry.path for entry in tree.walk("/lib")]


def test_the_names_of_one_file_share_an_inode(tree: FileTree) -> None:
    first, second = tree.lstat("/etc/hosts"), tree.lstat("/etc/same")
    assert first is not None
    assert second is not None
    assert first.inode == second.inode
    assert tree.read("/etc/same", 9) == b"127.0.0.1"


def test_opened_files_are_seekable(tree: FileTree) -> None:
    with tree.open("/etc/hosts") as file:
        assert file.seek(-10, 2) == 10
        assert file.read() == b"localhost\n"
        file.seek(4)
        assert file.read(5) == b"0.0.1"
        assert file.tell() == 9


def test_a_directory_and_a_tarball_of_it_have_the_same_entries(tmp_path: Path) -> None:
    root = vm_tree(tmp_path / "root")
    with open_tree(root) as one, open_tree(packed(root, tmp_path / "a.tar.gz")) as two:
        for a, b in zip(one.entries(), two.entries(), strict=True):
            assert (a.path, a.kind, a.mode, a.size, a.uid, a.gid, a.target) == (
                b.path, b.kind, b.mode, b.size, b.uid, b.gid, b.target,
            )  # fmt: skip
