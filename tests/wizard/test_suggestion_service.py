"""The suggestion service: asking never waits, failures are reported, old lists are used."""

from __future__ import annotations

import pytest

from zwizard.util.errors import ZwizardError
from zwizard.wizard import package_index
from zwizard.wizard import suggestion_service as library
from zwizard.wizard.suggestion_service import SuggestionService
from zwizard.wizard.suggestions import PackageCatalogue

NOW = 1_800_000_000.0


class FakeArchive:
    """An archive that counts how often it is asked, and fails if told so."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.fails = ""

    def __call__(self, mirror: str, suite: str, components: tuple[str, ...]) -> PackageCatalogue:
        self.asked.append((mirror, suite))
        if self.fails:
            raise ZwizardError(self.fails)
        return PackageCatalogue(suite, NOW, ("htop\t3\tviewer",))


@pytest.fixture
def archive() -> FakeArchive:
    return FakeArchive()


def read(library: SuggestionService, given: dict[str, str]) -> bool:
    """Read what there is to be read; whether there was something."""
    work = library.pending(given)
    if work:
        work()
    return work is not None


def test_a_list_is_read_once_for_each_mirror_and_suite(archive: FakeArchive) -> None:
    known = SuggestionService(archive, clock=lambda: NOW)
    assert known.current({}).catalogue is None
    assert read(known, {})
    assert not read(known, {"source.packages": "vim"})
    assert read(known, {"source.suite": "trixie"})
    assert read(known, {"source.mirror": "http://mirror.example/debian"})
    assert [suite for _, suite in archive.asked] == ["bookworm", "trixie", "bookworm"]
    found = known.current({}).catalogue
    assert found is not None
    assert found.get("htop") is not None


def test_a_list_that_is_being_read_is_reported_and_not_read_twice(archive: FakeArchive) -> None:
    known = SuggestionService(archive, clock=lambda: NOW)
    work = known.pending({})
    assert work is not None
    assert known.current({}).state == "Reading the package list of bookworm …"
    assert known.pending({}) is None
    work()
    assert known.current({}).state == ""


def test_a_list_that_cannot_be_read_reports_why_and_is_retried_later(archive: FakeArchive) -> None:
    now = [NOW]
    known = SuggestionService(archive, clock=lambda: now[0])
    archive.fails = "no route to host"
    assert read(known, {})
    assert known.current({}).state == (
        "No package list (no route to host): names are not checked."
    )
    assert not read(known, {})
    now[0] += 61
    archive.fails = ""
    assert read(known, {})
    assert known.current({}).catalogue is not None


def test_an_old_list_is_used_until_a_new_one_is_read(
    archive: FakeArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = PackageCatalogue("bookworm", NOW - 9 * package_index.DAY, ("nginx\t1\tserver",))
    monkeypatch.setattr(package_index, "load", lambda mirror, suite, components: old)
    known = SuggestionService(archive, clock=lambda: NOW)
    archive.fails = "offline"
    read(known, {})
    assert known.current({}).catalogue is old
    later = SuggestionService(archive, clock=lambda: NOW)
    archive.fails = ""
    read(later, {})
    found = later.current({}).catalogue
    assert found is not None
    assert found.read == NOW


def test_a_fresh_list_from_the_cache_needs_no_archive(
    archive: FakeArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = PackageCatalogue("bookworm", NOW - 60, ())
    monkeypatch.setattr(package_index, "load", lambda mirror, suite, components: fresh)
    known = SuggestionService(archive, clock=lambda: NOW)
    read(known, {})
    assert known.current({}).catalogue is fresh
    assert archive.asked == []


@pytest.mark.parametrize("mirror", ["mirror.example", "ftp://x/", "http://u:p@x/debian"])
def test_an_invalid_mirror_is_not_contacted(archive: FakeArchive, mirror: str) -> None:
    known = SuggestionService(archive, clock=lambda: NOW)
    read(known, {"source.mirror": mirror})
    assert archive.asked == []
    assert known.current({"source.mirror": mirror}).zones  # the rest is known


def test_zones_and_locales_are_those_of_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    here = library.host_lists()
    assert {"UTC", "Europe/Paris"} <= set(here.zones)
    assert here.locales[:2] == ("C.UTF-8", "POSIX")
    lines = ["en_GB.UTF-8 UTF-8", "en_GB ISO-8859-1", "de_DE@euro ISO-8859-15", "# x", "aa UTF-8"]
    assert library._locales(lines) == ("C.UTF-8", "POSIX", "en_GB.UTF-8", "en_GB")
