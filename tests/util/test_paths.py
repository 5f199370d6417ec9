"""Files are replaced as a whole, and are on the disk before they replace anything."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from zwizard.util.paths import write_atomically


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What happens, in its order: each sync, each name that a file gets."""
    found: list[str] = []

    def note(call: str) -> Callable[..., object]:
        real: Callable[..., object] = getattr(os, call)

        def noted(*arguments: object, **named: object) -> object:
            done = real(*arguments, **named)
            found.append(f"{call} {arguments[-1]}" if call != "fsync" else call)
            return done

        return noted

    for call in ("fsync", "link", "rename"):
        monkeypatch.setattr(os, call, note(call))
    return found


def test_a_file_is_on_the_disk_before_it_takes_the_place_of_another(
    calls: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "new/file"
    write_atomically(file, "first")
    write_atomically(file, "second")
    assert file.read_text() == "second"
    first, named, second, _, replaced = calls
    assert (first, named, second, replaced) == ("fsync", "link file", "fsync", "rename file")
    assert [path.name for path in file.parent.iterdir()] == ["file"]


def test_what_may_be_lost_in_a_power_cut_is_not_waited_for(
    calls: list[str], tmp_path: Path
) -> None:
    write_atomically(tmp_path / "file", "text", lasting=False)
    assert [call for call in calls if call == "fsync"] == []


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(file, "new \udcff")
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]
