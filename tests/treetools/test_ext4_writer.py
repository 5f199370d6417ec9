"""An ext4 file system filled without mounting it: whole, complete, and always the same bytes."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from zwizard.treetools.ext4_writer import FillError, fill, main

MIB = 2**20
EPOCH = 1_686_355_200
ID = "0b1c0d3e-0000-4000-8000-000000000001"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="owners, devices and attributes")


def formatted(image: Path, size: int = 16) -> Path:
    """A fresh file system of ``size`` MiB, one MiB into a file."""
    image.write_bytes(b"")
    os.truncate(image, (size + 1) * MIB)
    subprocess.run(
        [
            *("mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-U", ID, "-O", "^orphan_file"),
            *("-E", f"offset={MIB},hash_seed={ID}", image, f"{size}M"),
        ],
        check=True,
        env={**os.environ, "E2FSPROGS_FAKE_TIME": str(EPOCH)},
    )
    return image


def is_whole(image: Path) -> bool:
    checked = subprocess.run(["e2fsck", "-fn", f"{image}?offset={MIB}"], capture_output=True)
    return checked.returncode == 0


def by_debugfs(image: Path, request: str) -> str:
    argv = ["debugfs", "-R", request, f"{image}?offset={MIB}"]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "etc/deep/er").mkdir(parents=True)
    (root / "etc/deep/er/file").write_text("content")
    (root / "empty").write_text("")
    (root / "große Datei \"quoted\" 'so'").write_bytes(os.urandom(3 * MIB))
    for odd in ("<12>", "-x", " space ", "back\\slash", "#hash"):
        (root / "etc" / odd).mkdir()
        (root / "etc" / odd / odd).write_text(odd)
        (root / "etc" / odd / f"{odd}again").symlink_to(odd)
    with (root / "holes").open("wb") as file:
        for stretch in (b"x" * 20_000, bytes(40_000), os.urandom(20_000), bytes(30_000)):
            file.write(stretch)
    (root / "zeros").write_bytes(bytes(100_000))
    (root / "holes").chmod(0o750)
    (root / "link").symlink_to("etc/deep/er/file")
    (root / "long").symlink_to("x" * 200)
    (root / "hard").hardlink_to(root / "empty")
    (root / "boot/efi/EFI").mkdir(parents=True)
    (root / "boot/efi/EFI/loader").write_text("for the ESP")
    (root / "etc/deep").chmod(0o2750)
    (root / "empty").chmod(0o711)
    os.mkfifo(root / "pipe")
    os.utime(root / "etc/deep/er/file", (EPOCH - 5, EPOCH - 5))
    return root


def test_everything_is_there_with_modes_and_links(tree: Path, tmp_path: Path) -> None:
    image = formatted(tmp_path / "image")
    fill(tree, image, MIB, EPOCH)
    assert is_whole(image)
    dumped = tmp_path / "dumped"
    dumped.mkdir()
    by_debugfs(image, f'rdump / "{dumped}"')
    for path in tree.rglob("*"):
        if path.is_fifo():
            continue
        found = dumped / path.relative_to(tree)
        assert found.is_symlink() == path.is_symlink()
        if path.is_symlink():
            assert found.readlink() == path.readlink()
        elif path.is_file():
            assert found.read_bytes() == path.read_bytes()
            assert found.stat().st_mode == path.stat().st_mode
    assert "02750" in by_debugfs(image, "stat /etc/deep")
    assert "FIFO" in by_debugfs(image, "stat /pipe")
    assert "Links: 2" in by_debugfs(image, "stat /hard")


def test_zeros_take_no_room(tree: Path, tmp_path: Path) -> None:
    image = formatted(tmp_path / "image")
    fill(tree, image, MIB, EPOCH)
    assert "Blockcount: 0" in by_debugfs(image, "stat /zeros")
    assert "Blockcount: 88" in by_debugfs(image, "stat /holes")  # 20,000 bytes, and 20,000
    assert not by_debugfs(image, "dump_extents /holes").count("Uninit")


def test_a_directory_has_room_for_many_names_of_one_file(tree: Path, tmp_path: Path) -> None:
    names = [f"{number:0200d}" for number in range(100)]
    (tree / "many").mkdir()
    for name in names:
        (tree / "many" / name).hardlink_to(tree / "empty")
    image = formatted(tmp_path / "image")
    fill(tree, image, MIB, EPOCH)
    assert is_whole(image)
    assert sorted(set(by_debugfs(image, "ls -p /many").split("/")) & set(names)) == names


def test_times_are_kept_up_to_the_cap(tree: Path, tmp_path: Path) -> None:
    image = formatted(tmp_path / "image")
    fill(tree, image, MIB, EPOCH)
    for name, time in (("/etc/deep/er/file", EPOCH - 5), ("/empty", EPOCH), ("/etc", EPOCH)):
        assert f"mtime: {time:#x}:00000000" in by_debugfs(image, f"stat {name}")


@pytest.mark.slow
def test_the_same_tree_gives_the_same_bytes(tree: Path, tmp_path: Path) -> None:
    """Also where the directories list it in another order, at another time."""
    again = tmp_path / "again"
    subprocess.run(["cp", "-a", tree, again], check=True)
    for path in sorted((again / "etc").rglob("*"), reverse=True):
        path.stat()
    made = []
    for root in (tree, again):
        image = formatted(tmp_path / "image")
        fill(root, image, MIB, EPOCH)
        made.append(image.read_bytes())
    assert made[0] == made[1]


def test_what_another_file_system_holds_stays_out(tree: Path, tmp_path: Path) -> None:
    image = formatted(tmp_path / "image")
    fill(tree, image, MIB, EPOCH, "/boot/efi")
    listed = by_debugfs(image, "ls -p /boot/efi")
    assert [line.split("/")[5] for line in listed.split() if line] == [".", ".."]


@needs_root
def test_owners_devices_and_attributes_are_kept(tree: Path, tmp_path: Path) -> None:
    os.chown(tree / "empty", 70000, 42)
    (tree / "empty").chmod(0o4711)
    (tree / "holes").chmod(0o4750)
    os.setxattr(tree / "link", "user.x", b"y")  # on the file that it leads to
    os.mknod(tree / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    image = formatted(tmp_path / "image")
    fill(tree, image, MIB, EPOCH)
    assert is_whole(image)
    said = by_debugfs(image, "stat /empty")
    assert "04711" in said
    assert "04750" in by_debugfs(image, "stat /holes")
    assert "User: 70000" in said
    assert "Group:    42" in said
    assert 'user.x (1) = "y"' in by_debugfs(image, "ea_list /etc/deep/er/file")
    assert "01:03" in by_debugfs(image, "stat /null")


def test_too_little_space_is_an_error(tree: Path, tmp_path: Path) -> None:
    image = formatted(tmp_path / "image", size=2)
    with pytest.raises(FillError, match="Could not allocate block"):
        fill(tree, image, MIB, EPOCH)


def test_a_name_that_debugfs_cannot_write_is_an_error(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tree / "two\nlines").write_text("")
    image = formatted(tmp_path / "image")
    assert main([str(tree), str(image), str(MIB), str(EPOCH)]) == 1
    said = capsys.readouterr().err
    assert said.startswith("the disk image cannot be made: a name that cannot be written")
    assert "two\\nlines" in said


@pytest.mark.slow
def test_debugfs_ending_early_shows_its_own_message(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "bin/debugfs"
    own.parent.mkdir()
    own.write_text("#!/bin/sh\necho banner >&2\necho 'out of memory' >&2\nexit 9\n")
    own.chmod(0o755)
    for number in range(3000):  # more than a pipe holds
        (tree / f"{number:0100}").touch()
    monkeypatch.setenv("PATH", f"{own.parent}:{os.environ['PATH']}")
    with pytest.raises(FillError, match="out of memory\ndebugfs ended with 9"):
        fill(tree, tmp_path / "image", MIB, EPOCH)
