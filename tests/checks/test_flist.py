"""The checklist on flists: every rule that needs no contents is judged, the others say so."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support.flist_bytes import (
    ACL,
    D_KEY,
    ROOT_KEY,
    listing,
    message,
    permissions,
    small_flist,
)
from zwizard.checks import Group, Outcome, check, render_text, report_of, summary


def test_rules_that_need_contents_are_not_checked(tmp_path: Path) -> None:
    path = small_flist(tmp_path / "x.flist", **{ACL.decode(): permissions(0o755)})
    report = check(path, mode="container", entrypoint="/f")
    loader = report.finding("entrypoint-loader")
    assert loader.group is Group.NOT_CHECKED
    assert loader.evidence == "/f was not read: a flist has no contents"
    assert "A flist has no contents" in render_text(report)
    assert report_of(report.to_json()) == report


def test_a_flist_is_never_ready_but_may_have_no_errors(tmp_path: Path) -> None:
    path = small_flist(tmp_path / "x.flist")
    report = check(path, mode="container", entrypoint="/f")
    entrypoint = {finding.slug for finding in report.under(Group.ERROR)}
    assert entrypoint == {"entrypoint"}  # it is not executable
    assert summary(report).startswith("Not ready: 1 error")
    assert not report.ready


def test_what_is_said_of_the_archive_does_not_apply(tmp_path: Path) -> None:
    report = check(small_flist(tmp_path / "my image.flist"))
    for slug in ("archive-name", "archive-name-survives", "archive-owners", "archive-paths"):
        assert report.finding(slug).outcome is Outcome.NOT_APPLICABLE


def test_a_lost_directory_is_an_error(tmp_path: Path) -> None:
    report = check(small_flist(tmp_path / "x.flist", **{D_KEY: "\x01\x02"}))
    assert "/d (its listing is empty" in report.finding("archive-readable").evidence


def test_a_file_whose_last_block_is_missing_is_an_error(tmp_path: Path) -> None:
    rows = {ROOT_KEY: message(listing(size=600_000))}
    finding = check(small_flist(tmp_path / "x.flist", **rows)).finding("flist-file-size")
    assert "/f loses its last 75712 of 600000 bytes" in finding.evidence


def test_a_name_that_is_not_utf_8_is_an_error(tmp_path: Path) -> None:
    rows = {ROOT_KEY: message(listing(name=b"caf\xe9"))}
    path = small_flist(tmp_path / "x.flist", **rows)
    assert check(path).finding("flist-names").blocks


def test_the_kind_of_image_is_detected(tmp_path: Path) -> None:
    rows = {ROOT_KEY: message(listing(name=b"image.raw"))}
    report = check(small_flist(tmp_path / "x.flist", **rows))
    assert report.mode == "image"
    assert report.finding("image-gpt").group is Group.NOT_CHECKED
    assert os.fspath(tmp_path) in report.artefact
