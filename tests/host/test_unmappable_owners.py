"""Files of others in a directory that an ordinary user imports."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from zwizard.host import unmappable_owners as owners
from zwizard.host.privileges import Privilege
from zwizard.host.unmappable_owners import find_unmappable, unmappable_owners
from zwizard.sources import inspection

ME, MINE = (range(os.geteuid(), os.geteuid() + 1),), (range(os.getegid(), os.getegid() + 1),)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="owners are root's to give")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root/etc").mkdir(parents=True)
    (tmp_path / "root/etc/os-release").write_text("ID=alpine\n")
    (tmp_path / "root/etc/link").symlink_to("/etc/shadow")
    return tmp_path / "root"


def test_what_is_all_ones_own_is_taken(root: Path) -> None:
    assert find_unmappable(root, ME, MINE) == ""


@needs_root
def test_a_file_of_another_is_named_with_its_owner(root: Path) -> None:
    os.chown(root / "etc/link", 65533, 0, follow_symlinks=False)
    assert find_unmappable(root, ME, MINE) == f"{root}/etc/link belongs to the user 65533"
    assert find_unmappable(root, (*ME, range(65000, 65534)), MINE) == ""
    os.chown(root / "etc/link", 0, 65533, follow_symlinks=False)
    assert find_unmappable(root, ME, MINE) == f"{root}/etc/link belongs to the group 65533"
    assert find_unmappable(root, (range(1, 2),), MINE) == f"{root} belongs to root"


def test_it_is_refused_where_it_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As user 4711 sees it, to whom nothing in it belongs."""
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    monkeypatch.setattr(owners, "find_privilege", lambda: Privilege("userns", "You."))
    assert "would belong to nobody" in unmappable_owners(root)
    assert "import it as root" in inspection.inspect("rootfs", root).wrong
    monkeypatch.setattr(owners, "find_privilege", lambda: Privilege("sudo", "Root."))
    assert unmappable_owners(root) == ""


@needs_root
def test_who_gives_the_files_to_themselves_is_heard(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "zwizard.sources.rootfs.unmappable_owners",
        lambda path: "theirs" * (path.stat().st_uid == 1),
    )
    os.chown(root, 1, 1)
    assert inspection.inspect("rootfs", root).wrong == "theirs"
    os.chown(root, 0, 0)
    assert inspection.inspect("rootfs", root).wrong == ""
