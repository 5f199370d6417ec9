"""The rules about what a flist cannot hold, on both sides of each limit."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.trees import archive, member, vm_tree
from zwizard.checks import Mode, Outcome, Severity, check
from zwizard.checks.context import CheckContext
from zwizard.checks.rules import all_rules
from zwizard.checks.verdict import Verdict
from zwizard.image.flist.listing import listings
from zwizard.image.tree import Entry, EntryType
from zwizard.image.tree_index import IndexedTree

BLOCK = 512 << 10


class EntryTree(IndexedTree):
    """A tree of entries without contents."""

    def __init__(self, *entries: Entry) -> None:
        super().__init__()
        self.path = Path("entries")
        for entry in entries:
            self._put(entry)

    open_entry = IndexedTree.open_entry


EntryTree.__abstractmethods__ = frozenset()


def file(path: str, size: int = 0) -> Entry:
    return Entry(path, EntryType.FILE, size=size)


def judged(slug: str, *entries: Entry) -> Verdict:
    rule = next(rule for rule in all_rules() if rule.slug == slug)
    return rule.judge(CheckContext(EntryTree(*entries), Mode.CONTAINER, True, "x.tar.gz"))


def image(gibibytes: float) -> Entry:
    return file("/image.raw", int(gibibytes * (1 << 30)))


def many(count: int, size: int = 0) -> Iterator[Entry]:
    return (file(f"/big/file-{number:06}", size) for number in range(count))


# What zflist wrote, in bytes (an image.raw of so many GiB alone in its directory).
@pytest.mark.parametrize(("gibibytes", "written"), [(1, 131_488), (2, 262_664)])
def test_the_size_of_a_listing_is_what_the_hub_writes(gibibytes: int, written: int) -> None:
    assert listings(EntryTree(image(gibibytes)))["/"].size == pytest.approx(written, rel=0.0005)


def test_the_size_of_a_listing_of_empty_files_is_what_the_hub_writes() -> None:
    needed = listings(EntryTree(*many(1000)))["/big"].size
    assert needed * 30 == pytest.approx(3_841_904, rel=0.003)


@pytest.mark.parametrize(
    ("entries", "severity"),
    [
        ([image(23.9)], None),
        ([image(24)], Severity.SHOULD),
        ([image(31.97)], Severity.SHOULD),
        ([image(31.98)], Severity.MUST),
        ([file(f"/{name}", 16 << 30) for name in "ab"], Severity.MUST),
        ([file(f"/{name}/x", 16 << 30) for name in "ab"], None),
        (list(many(50, 655 * BLOCK)), None),
        (list(many(99, 655 * BLOCK)), Severity.SHOULD),
        (list(many(100, 655 * BLOCK)), Severity.MUST),
    ],
)
def test_a_listing_fits_four_mebibytes(entries: list[Entry], severity: Severity | None) -> None:
    verdict = judged("flist-directory-size", *entries)
    if severity is None:
        assert verdict.outcome is Outcome.PASS
    else:
        assert verdict.outcome is Outcome.FAIL
        assert (verdict.severity or Severity.MUST) is severity


@pytest.mark.parametrize(
    ("entries", "outcome"),
    [
        ([image(20.7)], "pass"),
        ([image(20.9)], "fail"),
        (list(many(60, 655 * BLOCK)), "pass"),
        (list(many(70, 655 * BLOCK)), "fail"),
    ],
)
def test_a_listing_has_few_segments(entries: list[Entry], outcome: str) -> None:
    assert judged("flist-directory-segments", *entries).outcome == outcome


@pytest.mark.slow
@pytest.mark.parametrize(("count", "outcome"), [(24_000, "pass"), (32_700, "fail")])
def test_many_empty_files_fit(count: int, outcome: str) -> None:
    assert judged("flist-directory-size", *many(count)).outcome == outcome


@pytest.mark.parametrize(
    ("size", "lost"),
    [
        (1, 0),
        ((16 << 20) - 1, 0),
        (16 << 20, 0),
        ((16 << 20) + 1, 1),
        ((16 << 20) + 2, 0),
        ((16 << 20) + BLOCK - 1, 0),
        ((1 << 30) + 64, 64),
        ((1 << 30) + 65, 0),
        ((3 << 30) + 100, 100),
        ((3 << 30) + 129, 0),
        ((100 << 30), 0),
    ],
)
def test_a_file_keeps_its_last_block(size: int, lost: int) -> None:
    verdict = judged("flist-file-size", file("/x", size))
    assert verdict.outcome == ("fail" if lost else "pass")
    assert not lost or f"loses its last {lost} of {size} bytes" in verdict.evidence


@pytest.mark.parametrize("name", ["/d/caf\udce9", "/caf\udce9/x"])
def test_a_name_that_is_not_utf_8_is_an_error(name: str) -> None:
    verdict = judged("flist-names", file(name))
    assert verdict.outcome is Outcome.FAIL
    assert r"caf\xe9" in verdict.evidence


def test_a_link_target_that_is_not_utf_8_is_an_error() -> None:
    link = Entry("/d/l", EntryType.LINK, target=os.fsdecode(b"caf\xe9"))
    assert judged("flist-names", link).outcome is Outcome.FAIL


def test_names_beyond_ascii_are_fine() -> None:
    assert judged("flist-names", file("/ünïcode/名")).outcome is Outcome.PASS


def test_an_image_with_such_a_file_is_not_ready(tmp_path: Path) -> None:
    root = vm_tree(tmp_path / "image")
    os.truncate(_touched(root / "etc/large"), (3 << 30) + 100)
    (root / os.fsdecode(b"etc/caf\xe9")).touch()
    report = check(root, mode="vm")
    blocking = {finding.slug for finding in report.findings if finding.blocks}
    assert blocking == {"flist-file-size", "flist-names"}


def test_a_raw_disk_image_is_judged_under_any_name(tmp_path: Path) -> None:
    os.truncate(_touched(tmp_path / "disk.raw"), 33 << 30)
    assert check(tmp_path / "disk.raw").finding("flist-directory-size").blocks


def test_a_name_in_an_archive_is_judged(tmp_path: Path) -> None:
    path = archive(tmp_path / "x.tar.gz", member(os.fsdecode(b"caf\xe9")))
    assert check(path).finding("flist-names").blocks


def _touched(path: Path) -> Path:
    path.touch()
    return path
