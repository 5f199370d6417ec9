"""Directories that cannot be written to: what is wrong is named, with the remedy for that one."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from zwizard.image.archive.temp_store import TempStore
from zwizard.jobs import events, journal
from zwizard.util import paths, places
from zwizard.util.errors import naming
from zwizard.util.places import explained
from zwizard.util.user_files import UserFiles


def _full() -> OSError:
    return OSError(errno.ENOSPC, "No space left on device")


def test_the_nearest_parent_that_exists_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert places.existing(tmp_path / "a/b/c") == tmp_path
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", {tmp_path: usage}.get)
    assert places.free_space(tmp_path / "a/b") == usage.free


def test_a_directory_that_can_be_made_is_no_obstacle(tmp_path: Path) -> None:
    assert places.obstacle(tmp_path / "a/b") == ""
    (tmp_path / "link").symlink_to(tmp_path)
    assert places.obstacle(tmp_path / "link/a") == ""


@pytest.mark.parametrize("below", ["", "a/b"])
def test_a_file_or_a_link_to_nothing_in_its_place_is_named(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").touch()
    assert places.obstacle(tmp_path / "file" / below) == f"{tmp_path}/file is not a directory"
    (tmp_path / "link").symlink_to("/nonexistent/x")
    expected = f"{tmp_path}/link is a link to /nonexistent/x, which does not exist"
    assert places.obstacle(tmp_path / "link" / below) == expected
    with pytest.raises(OSError) as caught:
        (tmp_path / "link").mkdir()
    assert explained(caught.value).message == expected


def facts(**changed: int) -> SimpleNamespace:
    return SimpleNamespace(**{"f_flag": 0, "f_files": 0, "f_favail": 0} | changed)


def test_a_read_only_file_system_and_no_inodes_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert places.lack_of_space(tmp_path, 1) == ""
    monkeypatch.setattr(os, "statvfs", lambda _: facts(f_files=1))
    assert "inodes" in places.lack_of_space(tmp_path, 1)
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert places.obstacle(tmp_path) == f"you cannot write to {tmp_path}"
    monkeypatch.setattr(os, "statvfs", lambda _: facts(f_flag=os.ST_RDONLY))
    assert places.obstacle(tmp_path / "a") == f"{tmp_path}/a is on a read-only file system"


def test_each_directory_has_its_own_remedy(tmp_path: Path) -> None:
    assert "XDG_CACHE_HOME" in places.remedy(paths.cache() / "layers/root")
    assert "XDG_STATE_HOME" in places.remedy(paths.state().parent)
    assert "XDG_CONFIG_HOME" in places.remedy(paths.preferences())
    assert "TMPDIR" in places.remedy(places.temporary())
    assert places.remedy(places.temporary() / "images") == places.ELSEWHERE


def test_a_full_disk_is_described_with_directory_free_space_need_and_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(places, "free_space", lambda _: 2048)
    with pytest.raises(OSError) as caught, naming(paths.state() / "builds/x"):
        raise OSError(errno.EDQUOT, "Disk quota exceeded")
    error = explained(caught.value, needs=2**20)
    where = paths.state() / "builds/x"
    assert error.message == (
        f"{where}: Disk quota exceeded (2.0 KiB free, and this needs 1.0 MiB)"
    )
    assert "XDG_STATE_HOME" in error.hint


def test_a_full_disk_that_nobody_names_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    free = {paths.state(): 0}
    monkeypatch.setattr(places, "free_space", lambda place: free.get(place, 2**40))
    assert explained(_full()).message == f"{paths.state()}: No space left on device"
    free.clear()
    assert explained(_full()).message == "No space left on device"


def test_any_other_error_keeps_its_words() -> None:
    error = explained(FileNotFoundError(errno.ENOENT, "No such file", "/a/b"))
    assert error.message == "/a/b: No such file"
    assert explained(OSError("odd")).message == "odd"


def test_what_is_written_to_a_full_disk_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "journal").symlink_to("/dev/full")
    with pytest.raises(OSError) as caught:
        journal.append(tmp_path / "journal", events.CheckStarted())
    assert caught.value.filename == str(tmp_path / "journal")
    full = Path("/dev/full").open("r+b", buffering=0)  # noqa: SIM115 - closed by the store
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda: full)
    store = TempStore()
    with pytest.raises(OSError) as caught:
        store.keep(1, [(0, b"x")])
    assert caught.value.filename == str(places.temporary())
    store.close()


def test_nothing_of_a_copy_stays_that_a_full_disk_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: int) -> int:
        raise _full()

    (tmp_path / "packed").write_bytes(b"packed")
    (tmp_path / "output").mkdir()
    monkeypatch.setattr(os, "copy_file_range", fails)
    archive = tmp_path / "output/web.tar.gz"
    with pytest.raises(OSError) as caught:
        UserFiles(tmp_path / "table").copy(tmp_path / "packed", archive)
    assert caught.value.filename == str(archive)
    assert list(archive.parent.iterdir()) == []
