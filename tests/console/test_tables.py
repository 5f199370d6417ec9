"""What is said of a build in a list: uploaded is said of exactly the bytes that were."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.builds import end, new_build
from zwizard.console import tables
from zwizard.engine.builds import Build
from zwizard.engine.status import of
from zwizard.hub import records
from zwizard.hub.upload import Upload
from zwizard.util.documents import document

URL = "https://hub.example/alice.3bot/web.flist"


@pytest.fixture
def build(tmp_path: Path) -> Build:
    build = new_build("web", tmp_path)
    end(build)
    job = Upload(records.home(build.archive()) / "web-1")
    job.directory.mkdir(parents=True)
    record = records.UploadRecord(
        URL, "0" * 32, "https://hub.example", "alice.3bot", "web.flist", of(build).sha256, 1, 1.0
    )
    job.record.write_text(document(record.to_json()))
    return build


def test_a_build_is_uploaded_with_where_and_when(build: Build) -> None:
    assert tables.everything(as_json=False).startswith("◆ uploaded ")
    [entry] = json.loads(tables.everything(as_json=True))["builds"]
    assert (entry["uploaded"]["url"], entry["uploaded"]["at"]) == (URL, 1.0)
    assert json.loads(tables.one(build, as_json=True))["uploaded"]["md5"] == "0" * 32
    lines = tables.one(build, as_json=False).splitlines()
    assert [URL in line for line in lines if line.startswith("uploaded ")] == [True]


def test_other_bytes_are_not_uploaded(build: Build) -> None:
    build.archive().write_bytes(b"changed")
    assert tables.everything(as_json=False).startswith("! changed")
    assert json.loads(tables.one(build, as_json=True))["uploaded"] is None
    build.archive().unlink()
    end(build)
    assert tables.everything(as_json=False).startswith("◆ uploaded ")  # the same bytes again


def test_a_damaged_record_says_nothing(build: Build) -> None:
    for job in records.home(build.archive()).iterdir():
        Upload(job).record.write_text("{")
    assert tables.everything(as_json=False).startswith("✓ ready")
