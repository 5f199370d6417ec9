"""A verdict belongs to bytes: it is used and shown only for those that were checked."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.builds import deliver, end, new_build
from zwizard import checks
from zwizard.checks import Mode, Report
from zwizard.engine import status, verdicts
from zwizard.engine.builds import Build
from zwizard.util import state_files


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """A build whose archive was delivered and checked."""
    made = new_build("web", tmp_path)
    end(made)
    return made


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Each archive that is checked, in order; every one is ready."""
    found: list[Path] = []

    def check(path: Path, **_: object) -> Report:
        found.append(path)
        return Report(str(path), Mode.VM, ())

    monkeypatch.setattr(checks, "check", check)
    return found


def state(build: Build) -> str:
    return status.of(build).state


def test_a_verdict_is_used_again_only_for_the_same_bytes_and_settings(
    build: Build, checked: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = verdicts.of_archive(build)
    assert verdicts.of_archive(build) == first
    assert len(checked) == 1
    deliver(build, b"without its program")  # the same step, the same fingerprint
    assert verdicts.of_archive(build).sha256 != first.sha256
    assert len(checked) == 2
    monkeypatch.setattr(verdicts, "__version__", "another")
    verdicts.of_archive(build)
    assert len(checked) == 3
    waived = replace(build.recipe(), checklist=replace(build.recipe().checklist, waive=("etc",)))
    state_files.write(build.recipe_file, waived.to_toml())
    verdicts.of_archive(build)
    assert len(checked) == 4


def test_a_damaged_verdict_is_made_again(build: Build, checked: list[Path]) -> None:
    verdicts.of_archive(build)
    for damaged in ("", "[]", "{}", '{"report": {}, "sha256": 1}'):
        build.report_file.write_text(damaged)
        assert verdicts.of_archive(build).report.ready
    assert len(checked) == 5


def test_an_archive_that_is_gone_is_not_ready(build: Build) -> None:
    assert state(build) == "ready"
    build.archive().unlink()
    assert state(build) == "missing"


@pytest.mark.parametrize("how", ["size", "time", "inode", "link"])
def test_an_archive_that_was_changed_is_not_ready(build: Build, how: str) -> None:
    archive = build.archive()
    before = archive.stat()
    match how:
        case "size":
            archive.write_bytes(b"another size")
        case "time":
            archive.write_bytes(b"ARCHIVE")
        case "inode":
            archive.rename(archive.with_name("old"))
            archive.write_bytes(b"ARCHIVE")
        case "link":
            archive.rename(archive.with_name("old"))
            archive.symlink_to("old")
    if how != "time":
        os.utime(archive, ns=(before.st_mtime_ns, before.st_mtime_ns))
    assert state(build) == "changed"


def test_bytes_that_changed_behind_every_mark_are_found_when_the_checklist_is_opened(
    build: Build, checked: list[Path]
) -> None:
    archive = build.archive()
    verdicts.of_archive(build)
    before = archive.stat()
    archive.write_bytes(b"ARCHIVE")
    os.utime(archive, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(verdicts.LostArchiveError, match="changed since"):
        verdicts.verified(build)
    assert state(build) == "changed"
    archive.unlink()
    with pytest.raises(verdicts.LostArchiveError, match="is missing"):
        verdicts.verified(build)


def test_a_file_that_was_only_touched_is_ready_once_it_was_read(
    build: Build, checked: list[Path]
) -> None:
    verdicts.of_archive(build)
    os.utime(build.archive())
    assert state(build) == "changed"
    assert verdicts.verified(build).ready
    assert state(build) == "ready"
    assert build.user_files.foreign(build.archive()) == ""
    assert len(checked) == 1


def test_checking_again_gives_a_verdict_on_the_bytes_that_are_there(
    build: Build, checked: list[Path]
) -> None:
    before = status.of(build)
    build.archive().write_bytes(b"the user's own")
    assert verdicts.about(build.archive()) == build
    assert verdicts.check_again(build).ready
    assert state(build) == "ready"
    after = status.of(build)
    assert (after.bytes, after.started, after.at) == (14, before.started, before.at)
    assert verdicts.verified(build).ready
    size = build.journal_size()
    verdicts.check_again(build)
    assert build.journal_size() == size  # nothing new
    assert build.user_files.foreign(build.archive()) == "was changed since zwizard wrote it"
