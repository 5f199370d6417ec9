"""A directory as an artefact: no link is followed, no mount is entered."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from zwizard.image import DirectoryTree, UnreadableError, open_tree
from zwizard.image.tree import EntryType


def test_every_type_of_entry_is_recognised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "fifo")
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
    (tmp_path / "link").symlink_to("x")
    (tmp_path / "file").write_bytes(b"abc")
    kinds = {entry.name: entry.kind for entry in open_tree(tmp_path).entries()}
    assert kinds == {
        "fifo": EntryType.FIFO,
        "socket": EntryType.SOCKET,
        "link": EntryType.LINK,
        "file": EntryType.FILE,
    }


def test_a_name_that_is_not_utf8_is_kept(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9")).write_bytes(b"x")
    tree = open_tree(tmp_path)
    assert [os.fsencode(entry.path) for entry in tree.entries()] == [b"/caf\xe9"]
    assert tree.read(os.fsdecode(b"/caf\xe9"), 9) == b"x"


def test_a_parent_replaced_by_a_link_after_listing_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "file").write_bytes(b"the host's")
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/file").write_bytes(b"the image's")
    tree = open_tree(root)
    (root / "etc").rename(root / "old")
    (root / "etc").symlink_to(secret)
    with pytest.raises(UnreadableError, match="/etc/file cannot be read"):
        tree.read("/etc/file", 100)


def test_a_file_replaced_by_a_fifo_does_not_hang(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    tree = open_tree(tmp_path)
    (tmp_path / "file").unlink()
    os.mkfifo(tmp_path / "file")
    with pytest.raises(UnreadableError, match="no longer a regular file"):
        tree.read("/file", 1)


def test_a_file_removed_meanwhile_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    tree = open_tree(tmp_path)
    (tmp_path / "file").unlink()
    with pytest.raises(UnreadableError, match="/file cannot be read: No such file"):
        tree.read("/file", 1)


@pytest.fixture
def ordinary_user() -> Iterator[None]:
    """The test as somebody who is not root, whose own directories others may not enter."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.usefixtures("ordinary_user")
def test_unlistable_directories_are_reported() -> None:
    with tempfile.TemporaryDirectory() as place:
        private = Path(place) / "private"
        private.mkdir(mode=0)
        tree = open_tree(place)
        private.chmod(0o700)
    assert isinstance(tree, DirectoryTree)
    assert str(tree.unreadable) == "/private (Permission denied)"


def test_a_mounted_file_system_is_named_and_not_entered() -> None:
    tree = DirectoryTree(Path("/dev"))  # where shm, pts or mqueue are mounted
    mounts = [path for path in tree.mounted.first if os.path.ismount(f"/dev{path}")]
    assert mounts == tree.mounted.first
    assert all(tree.children(path) == () for path in mounts)


def test_a_missing_path_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="nothing does not exist"):
        open_tree(tmp_path / "nothing")


def test_a_device_is_refused() -> None:
    with pytest.raises(UnreadableError, match="/dev/null is neither a directory nor a regular"):
        open_tree(Path("/dev/null"))
