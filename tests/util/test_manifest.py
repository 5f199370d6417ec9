"""Manifests of trees: each kind of damage is found and named."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from zwizard.util import manifest


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree with one of each kind, and its manifest beside it."""
    tree = tmp_path / "tree"
    (tree / "usr/bin").mkdir(parents=True)
    (tree / "usr/bin/program").write_bytes(b"\x7fELF" + bytes(3 << 20) + b"end")
    (tree / "usr/bin.d").mkdir()
    (tree / "usr/bin.d/file").write_text("text")
    (tree / "usr/link").symlink_to("bin/program")
    (tree / "usr/odd\udcff\n\x1b[31m").write_text("a name that is no text")
    os.mkfifo(tree / "usr/pipe")
    os.setxattr(tree / "usr/bin.d", "user.overlay.opaque", b"y")
    manifest.write(tree, tmp_path / "manifest")
    return tree


def difference(tree: Path, *, whole: bool = True) -> str:
    return manifest.difference(tree, tree.with_name("manifest"), whole=whole)


def keeping_time(change: Callable[[Path], object]) -> Callable[[Path], None]:
    """The change, after which files and directories have the times that they had."""

    def damage(tree: Path) -> None:
        times = {path: path.lstat() for path in [tree, *tree.rglob("*")]}
        change(tree)
        for path, status in times.items():
            if os.path.lexists(path):
                moments = (status.st_atime_ns, status.st_mtime_ns)
                os.utime(path, ns=moments, follow_symlinks=False)

    return damage


def flip(path: str, place: int) -> Callable[[Path], None]:
    def damage(tree: Path) -> None:
        with (tree / path).open("r+b") as file:
            file.seek(place)
            file.write(b"X")

    return damage


def relink(tree: Path) -> None:
    (tree / "usr/link").unlink()
    (tree / "usr/link").symlink_to("bin/another")


def empty(tree: Path) -> None:
    shutil.rmtree(tree / "usr/bin.d")
    (tree / "usr/bin.d").mkdir()
    os.setxattr(tree / "usr/bin.d", "user.overlay.opaque", b"y")


def replace_by_directory(tree: Path) -> None:
    (tree / "usr/bin.d/file").unlink()
    (tree / "usr/bin.d/file").mkdir()


DAMAGES: list[tuple[Callable[[Path], object], str]] = [
    (lambda tree: (tree / "usr/bin.d/file").unlink(), "./usr/bin.d/file is missing"),
    (lambda tree: (tree / "usr/pipe").unlink(), "./usr/pipe is missing"),
    (lambda tree: (tree / "usr/a").touch(), "./usr/a was added"),
    (lambda tree: (tree / "usr/z").touch(), "./usr/z was added"),
    (flip("usr/bin.d/file", 1), "./usr/bin.d/file has other contents"),
    (flip("usr/bin/program", 2 << 20), "./usr/bin/program has other contents"),
    (flip("usr/bin/program", 4 << 20), "./usr/bin/program has another size"),
    (lambda tree: (tree / "usr/bin.d/file").chmod(0o600), "./usr/bin.d/file has another mode"),
    (replace_by_directory, "./usr/bin.d/file has another mode"),
    (
        lambda tree: os.removexattr(tree / "usr/bin.d", "user.overlay.opaque"),
        "./usr/bin.d has another attributes",
    ),
    (relink, "./usr/link has another target"),
    (empty, "./usr/bin.d/file is missing"),
    (lambda tree: shutil.rmtree(tree / "usr"), "./usr is missing"),
]


def test_a_tree_that_nobody_touched_is_the_same(tree: Path) -> None:
    assert difference(tree) == difference(tree, whole=False) == ""


@pytest.mark.parametrize(("damage", "evidence"), DAMAGES)
def test_each_kind_of_damage_is_named(
    tree: Path, damage: Callable[[Path], object], evidence: str
) -> None:
    keeping_time(damage)(tree)
    assert difference(tree) == evidence


@pytest.mark.parametrize(
    ("damage", "evidence"), [item for item in DAMAGES if "other contents" not in item[1]]
)
def test_all_but_contents_is_seen_at_a_quick_look(
    tree: Path, damage: Callable[[Path], object], evidence: str
) -> None:
    keeping_time(damage)(tree)
    assert difference(tree, whole=False) == evidence


def test_a_quick_look_reads_a_share_of_the_contents(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeping_time(flip("usr/bin/program", 2 << 20))(tree)
    assert difference(tree, whole=False) == "./usr/bin/program has other contents"  # a small tree
    monkeypatch.setattr(manifest, "_SAMPLE", 0)
    assert difference(tree, whole=False) == ""


def test_what_changed_in_a_directory_is_named_rather_than_its_time(tree: Path) -> None:
    (tree / "usr/bin.d/file").unlink()
    assert difference(tree) == "./usr/bin.d/file is missing"
    os.mkfifo(tree / "usr/bin.d/another")
    (tree / "usr/bin.d/another").unlink()
    os.utime(tree / "usr/link", (1, 1), follow_symlinks=False)
    assert difference(tree) == "./usr/bin.d/file is missing"
    (tree / "usr/bin.d/file").write_text("text")
    manifest.write(tree, tree.with_name("manifest"))
    os.utime(tree / "usr", (1, 1))
    assert difference(tree) == "./usr has another time"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes a whiteout of a plain directory")
def test_whiteouts_and_owners_count(tree: Path, tmp_path: Path) -> None:
    os.mknod(tree / "usr/gone", 0o020000, 0)
    manifest.write(tree, tmp_path / "manifest")
    assert difference(tree) == ""
    os.chown(tree / "usr/bin/program", 1, 0)
    assert difference(tree) == "./usr/bin/program has another owner"
    os.chown(tree / "usr/bin/program", 0, 0)
    keeping_time(lambda tree: (tree / "usr/gone").unlink())(tree)
    assert difference(tree) == "./usr/gone is missing"


def test_a_changed_time_counts(tree: Path) -> None:
    os.utime(tree / "usr/bin/program", (1, 1))
    assert difference(tree) == "./usr/bin/program has another time"


@pytest.mark.parametrize("cut", [0, 1, 40, -1, -33, -40])
def test_a_cut_manifest_is_damaged(tree: Path, cut: int) -> None:
    file = tree.with_name("manifest")
    file.write_bytes(file.read_bytes()[:cut])
    assert difference(tree) == "its manifest is damaged"


def test_an_altered_or_missing_manifest_is_damaged(tree: Path) -> None:
    file = tree.with_name("manifest")
    file.write_bytes(file.read_bytes().replace(b"program", b"progran"))
    assert difference(tree) == "its manifest is damaged"
    file.unlink()
    assert difference(tree) == "its manifest is damaged"


def test_what_a_name_has_for_a_terminal_is_not_in_the_evidence(tree: Path) -> None:
    (tree / "usr/odd\udcff\n\x1b[31m").unlink()
    os.utime(tree / "usr", ns=(0, tree.stat().st_mtime_ns))
    assert difference(tree).isprintable()


@pytest.mark.slow
def test_a_tree_of_any_depth_has_a_manifest(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    here = os.open(tree, os.O_RDONLY)
    for _ in range(1100):
        os.mkdir("directory", dir_fd=here)
        below = os.open("directory", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    try:
        manifest.write(tree, tmp_path / "manifest")
        assert manifest.difference(tree, tmp_path / "manifest", whole=True) == ""
    finally:
        subprocess.run(["rm", "-rf", tree], check=True)
