"""Files of others in a directory that an ordinary user imports."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from zwizard.engine.sandbox import Privilege
from zwizard.host import unmappable_owners as owners
from zwizard.host.unmappable_owners import is_unmappable, unmappable_owners
from zwizard.sources import inspect

ME, MINE = (range(os.geteuid(), os.geteuid() + 1),), (range(os.getegid(), os.getegid() + 1),)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="owners are root's to give")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root/etc").mkdir(parents=True)
    (tmp_path / "root/etc/os-release").write_text("ID=alpine\n")
    (tmp_path / "root/etc/link").symlink_to("/etc/shadow")
    return tmp_path / "root"


def test_what_is_all_ones_own_is_taken(root: Path) -> None:
    assert is_unmappable(root, ME, MINE) == ""


@needs_root
def test_a_file_of_another_is_named_with_its_owner(root: Path) -> None:
    os.chown(root / "etc/link", 65533, 0, follow_symlinks=False)
    assert is_unmappable(root, ME, MINE) == f"{root}/etc/link belongs to the user 65533"
    assert is_unmappable(root, (*ME, range(65000, 65534)), MINE) == ""
    os.chown(root / "etc/link", 0, 65533, follow_symlinks=False)
    assert is_unmappable(root, ME, MINE) == f"{root}/etc/link belongs to the group 65533"
    assert is_unmappable(root, (range(1, 2),), MINE) == f"{root} belongs to root"


def test_it_is_refused_where_it_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As user 4711 sees it, to whom nothing in it belongs."""
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    monkeypatch.setattr(owners, "privilege", lambda: Privilege("userns", "You."))
    assert "would belong to nobody in what you build: import it as root" in unmappable_owners(root)
    assert "import it as root" in inspect.look("rootfs", root).wrong
    monkeypatch.setattr(owners, "privilege", lambda: Privilege("sudo", "Root."))
    assert unmappable_owners(root) == ""


@pytest.mark.parametrize("line", ["me:165536:65536", "4711:165536:65536"])
def test_the_numbers_that_one_was_given_are_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    file = tmp_path / "subuid"
    file.write_text(f"# theirs\nother:1:9\nbroken\n{line}\nme:1:1\n")
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    monkeypatch.setattr(pwd, "getpwuid", lambda _: type("User", (), {"pw_name": "me"}))
    assert list(owners._given(file)) == [range(165536, 231072)]
    assert list(owners._given(tmp_path / "none")) == []


@needs_root
def test_who_gives_the_files_to_themselves_is_heard(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        inspect, "unmappable_owners", lambda path: "theirs" * (path.stat().st_uid == 1)
    )
    os.chown(root, 1, 1)
    assert inspect.look("rootfs", root).wrong == "theirs"
    os.chown(root, 0, 0)
    assert inspect.look("rootfs", root).wrong == ""
