"""Whether programs start: the checklist's word on each row, and the real kernel's and loader's."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.truth.programs import BASES, LIBS, LOADER, MUSL, ROWS, Files, Node, Row
from zwizard.image.directory import DirectoryTree
from zwizard.image.executables.entrypoint import Starter, User

# Where the real programs are on Debian, by their places in the trees.
REAL = {
    "bin/busybox": "/usr/bin/busybox",
    "bin/sh": "/usr/bin/busybox",
    "usr/bin/env": "/usr/bin/env",
    LOADER[1:]: LOADER,
    f"{LIBS}/libc.so.6": f"/{LIBS}/libc.so.6",
    MUSL[1:]: MUSL,
}
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}


def make(root: Path, files: Files) -> Path:
    for name, node in sorted(files.items()):
        put(root / name, node)
    for name, node in files.items():  # last: they may close what is above
        if node.data is None and not node.target:
            (root / name).chmod(node.mode)
    return root


def put(path: Path, node: Node) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if node.target:
        path.symlink_to(node.target)
    elif node.data is None:
        path.mkdir(exist_ok=True)
    else:
        path.write_bytes(node.data)
        path.chmod(node.mode)
    if node.uid and os.geteuid() == 0:
        os.lchown(path, node.uid, node.uid)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_checklist_says_whether_a_program_starts(row: Row, tmp_path: Path) -> None:
    if any(node.uid for node in row.files.values()) and os.geteuid():
        pytest.skip("gives files to another user")
    root = make(tmp_path / "root", BASES[row.base] | row.files)
    user = User(row.uid, frozenset({row.uid}))
    found = Starter(DirectoryTree(root), user).check(row.path)
    assert found.starts is row.starts, found.evidence
    assert row.evidence in found.evidence


def test_the_names_of_rows_are_different() -> None:
    names = [row.name for row in ROWS]
    assert len(set(names)) == len(names)


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="needs chroot")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_real_kernel_and_loader_agree(row: Row, tmp_path: Path) -> None:
    base = {name: node for name, node in BASES[row.base].items() if name not in row.files}
    places = {name: Path(REAL[name]) for name, node in base.items() if not node.target}
    if gone := [str(place) for place in places.values() if not place.exists()]:
        pytest.skip(f"not on this machine: {', '.join(gone)}")
    root = make(tmp_path / "root", {name: base[name] for name in base if base[name].target})
    for name, place in places.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(place, root / name)
    # Where glibc reads the program's own path, $ORIGIN; busybox would start that again.
    own = {"proc/self/exe": Node(target=row.path)} if row.base != "busybox" else {}
    make(root, {"dev/null": Node(b"", 0o666)} | own | row.files)
    assert started(root, row) is row.starts


def started(root: Path, row: Row) -> bool:
    """Whether the program really starts and ends well in a chroot."""

    def enter() -> None:
        os.chroot(root)
        os.chdir("/")
        os.setgroups([])
        os.setgid(row.uid)
        os.setuid(row.uid)

    try:
        done = subprocess.run(
            [row.path], preexec_fn=enter, env=ENVIRONMENT, capture_output=True, timeout=20
        )
    except OSError:
        return False
    return done.returncode == 0
