"""Files for the user: only zwizard's own are replaced, links are not followed, nothing is left."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from zwizard.util import user_files
from zwizard.util.errors import UsageError
from zwizard.util.user_files import ForeignFileError, UserFiles


@pytest.fixture
def files() -> UserFiles:
    return user_files.here()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "out/web.toml"


def make(kind: str, path: Path) -> None:
    """Something of another's at ``path``."""
    path.parent.mkdir()
    match kind:
        case "file":
            path.write_text("precious")
        case "link" | "dangling link":
            path.symlink_to(path.parent / "target")
            if kind == "link":
                (path.parent / "target").write_text("precious")
        case "directory":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)


REPLACEABLE = ("file", "link", "dangling link")
FOREIGN = (*REPLACEABLE, "directory", "pipe")


@pytest.mark.parametrize("kind", FOREIGN)
def test_what_zwizard_did_not_write_is_named_and_not_touched(
    files: UserFiles, place: Path, kind: str
) -> None:
    make(kind, place)
    before = place.lstat()
    with pytest.raises(ForeignFileError, match=str(place)) as error:
        files.write(place, "new")
    assert error.value.exit_code == 2
    assert place.lstat() == before
    target = place.parent / "target"
    assert (target.read_text() if target.exists() else None) == (
        "precious" if kind == "link" else None
    )
    assert set(place.parent.iterdir()) <= {place, target}


@pytest.mark.parametrize("kind", REPLACEABLE)
def test_it_is_replaced_once_that_is_allowed_and_nothing_behind_a_link(
    files: UserFiles, place: Path, kind: str
) -> None:
    make(kind, place)
    files.allow(place)
    files.write(place, "new")
    assert not place.is_symlink()
    assert place.read_text() == "new"
    if kind == "link":
        assert (place.parent / "target").read_text() == "precious"


@pytest.mark.parametrize("kind", ["directory", "pipe"])
def test_some_things_are_never_replaced(files: UserFiles, place: Path, kind: str) -> None:
    make(kind, place)
    with pytest.raises(UsageError, match="cannot be replaced"):
        files.allow(place)


def test_only_what_was_there_may_be_replaced(files: UserFiles, place: Path) -> None:
    make("file", place)
    files.allow(place)
    place.write_text("another, written later")
    with pytest.raises(ForeignFileError):
        files.write(place, "new")


def test_a_file_of_its_own_is_replaced_until_the_user_changes_it(
    files: UserFiles, place: Path
) -> None:
    files.write(place, "first")
    files.write(place, "second")
    assert place.read_text() == "second"
    place.write_text("mine")
    assert files.foreign(place) == "was changed since zwizard wrote it"
    with pytest.raises(ForeignFileError):
        files.write(place, "third")


def test_without_the_table_no_file_is_its_own(files: UserFiles, place: Path) -> None:
    files.write(place, "first")
    for damaged in ("", "[]", '{"states": [{}]}'):
        files.record(place).write_text(damaged)
        assert files.foreign(place) == "was not written by zwizard"


def test_a_name_reached_through_a_linked_directory_is_the_same_name(
    files: UserFiles, place: Path, tmp_path: Path
) -> None:
    files.write(place, "first")
    (tmp_path / "way").symlink_to("out")
    files.write(tmp_path / "way/web.toml", "second")
    assert place.read_text() == "second"


@pytest.fixture(params=["unnamed", "named"])
def _kind_of_part(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """File systems that can hold a file without a name, and others."""
    if request.param == "named":
        monkeypatch.setattr(os, "O_TMPFILE", os.O_DIRECTORY | os.O_CREAT)


@pytest.mark.usefixtures("_kind_of_part")
class TestOnEveryFileSystem:
    def test_a_file_is_whole_and_nothing_is_beside_it(self, files: UserFiles, place: Path) -> None:
        files.write(place, "first")
        files.write(place, b"second", mode=0o600)
        assert place.read_text() == "second"
        assert place.stat().st_mode & 0o777 == 0o600
        assert list(place.parent.iterdir()) == [place]

    def test_a_file_that_appears_meanwhile_is_kept(self, files: UserFiles, place: Path) -> None:
        with pytest.raises(ForeignFileError), files._new(place, 0o666):
            place.write_text("precious")
        assert place.read_text() == "precious"
        assert list(place.parent.iterdir()) == [place]

    def test_a_write_that_fails_leaves_the_old_file(self, files: UserFiles, place: Path) -> None:
        files.write(place, "old")
        with pytest.raises(OSError, match="full"), files._new(place, 0o666):
            raise OSError("full")
        assert place.read_text() == "old"
        assert list(place.parent.iterdir()) == [place]
        files.write(place, "new")


def test_a_run_that_was_killed_as_it_placed_its_file_recognises_both(
    files: UserFiles, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write(place, "old")

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", killed)
        with pytest.raises(KeyboardInterrupt):
            files.write(place, "new")
    files.write(place, "next")
    assert place.read_text() == "next"


def test_a_copy_has_an_inode_and_the_bytes_of_the_original(
    files: UserFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = tmp_path / "original"
    original.write_bytes(bytes(range(256)) * 999)
    files.copy(original, tmp_path / "copy")
    files.copy(original, tmp_path / "another")

    whole = os.copy_file_range

    def cut(source: int, target: int, _: int) -> int:
        if os.lseek(source, 0, os.SEEK_CUR):
            raise OSError
        return whole(source, target, 999)

    monkeypatch.setattr(os, "copy_file_range", cut)
    files.copy(original, tmp_path / "slow")
    copies = [tmp_path / name for name in ("copy", "another", "slow")]
    assert {copy.read_bytes() for copy in copies} == {original.read_bytes()}
    assert [path.stat().st_nlink for path in (original, *copies)] == [1, 1, 1, 1]


def test_a_digest_holds_until_the_file_changes(files: UserFiles, place: Path) -> None:
    files.write(place, "text")
    assert files.state(place, "") == "changed"  # it was not read yet
    sha256 = files.digest(place)
    assert files.state(place, sha256) == "same"
    assert files.state(place, "00" * 32) == "changed"
    place.write_text("other")
    assert files.state(place, sha256) == "changed"
    place.unlink()
    assert files.state(place, sha256) == "missing"
