"""The journal: whatever happens to its last line, the events before and after it are read."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zwizard.jobs.journal import Reader, append, replay


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


def test_events_are_read_as_they_were_written_with_their_time(journal: Path) -> None:
    before = time.time()
    append(journal, "build-started", steps=[{"name": "bootstrap"}])
    append(journal, "step-failed", step="bootstrap", tail="E: grün\n\x1b[31mred")
    first, second = replay(journal)
    assert first["steps"] == [{"name": "bootstrap"}]
    assert second["tail"] == "E: grün\n\x1b[31mred"
    assert before - 1 <= first["at"] <= second["at"] <= time.time() + 1


def test_one_event_is_one_line_of_json(journal: Path) -> None:
    returned = append(journal, "note", text="a\nb\r\u2028c")
    (line,) = journal.read_bytes().split(b"\n")[:-1]
    assert json.loads(line) == returned
    assert replay(journal) == [returned]


def test_a_journal_that_is_not_there_has_no_events(journal: Path) -> None:
    assert replay(journal) == []


TORN = [
    '{"event": "step-fin',
    '{"event"',
    "{",
    '"text"',
    "[]",
    "null",
    '{"event": 3, "at": 1}',
    '{"event": "x", "at": "noon"}',
    "\0\0\0",
]


@pytest.mark.parametrize("torn", TORN)
def test_a_torn_last_line_is_passed_over_and_swallows_nothing(journal: Path, torn: str) -> None:
    append(journal, "first")
    with journal.open("a") as file:
        file.write(torn)
    assert [event["event"] for event in replay(journal)] == ["first"]
    append(journal, "second")
    assert [event["event"] for event in replay(journal)] == ["first", "second"]


@given(st.lists(st.text(max_size=20), min_size=1, max_size=4), st.integers(min_value=0))
@settings(max_examples=50)
def test_cut_anywhere_it_tells_the_events_that_were_whole(texts: list[str], where: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        journal = Path(directory) / "journal"
        for text in texts:
            append(journal, "progress", text=text)  # not synced: there are many
        data = journal.read_bytes()
        cut = data[: where % (len(data) + 1)]
        journal.write_bytes(cut)
        whole = cut.count(b"\n")
        assert [event["text"] for event in replay(journal)] == texts[:whole]
        append(journal, "progress", text="after")
        assert [event["text"] for event in replay(journal)][-1] == "after"
        assert [event["text"] for event in replay(journal)][:whole] == texts[:whole]


@given(st.binary(max_size=200))
@settings(max_examples=50)
def test_garbage_is_no_event_and_no_crash(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        journal = Path(directory) / "journal"
        journal.write_bytes(data)
        append(journal, "progress")
        assert replay(journal)[-1]["event"] == "progress"


def test_a_reader_tells_each_event_once_and_a_half_line_when_it_is_whole(journal: Path) -> None:
    reader = Reader(journal)
    assert list(reader.read()) == []
    append(journal, "first")
    assert [event["event"] for event in reader.read()] == ["first"]
    assert list(reader.read()) == []
    with journal.open("ab") as file:
        file.write(b'{"event": "sec')
    assert list(reader.read()) == []
    with journal.open("ab") as file:
        file.write(b'ond", "at": 1}\n{"event": "third", "at": 2.5}\n')
    assert [event["event"] for event in reader.read()] == ["second", "third"]


def test_a_reader_can_begin_where_a_run_begins(journal: Path) -> None:
    append(journal, "of the run before")
    reader = Reader(journal, journal.stat().st_size)
    append(journal, "of this run")
    assert [event["event"] for event in reader.read()] == ["of this run"]


def test_an_event_outlives_a_kill_right_after_it_was_written(journal: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from zwizard.jobs.journal import append\n"
        "append(Path(sys.argv[1]), 'step-finished'); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(journal)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert [event["event"] for event in replay(journal)] == ["step-finished"]


def test_a_full_disk_is_an_error_and_not_silence() -> None:
    if not os.access("/dev/full", os.W_OK):
        pytest.skip("there is no /dev/full")
    with pytest.raises(OSError, match="No space left"):
        append(Path("/dev/full"), "first")
