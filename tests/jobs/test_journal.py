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
from hypothesis import given
from hypothesis import strategies as st

from zwizard.jobs.events import BuildStarted, Event, StepFailed
from zwizard.jobs.journal import Reader, append, replay


class Note(Event, name="note"):
    text: str = ""


class Quick(Note, name="quick"):
    """Not synced: there are many."""

    synced = False


def texts(path: Path) -> list[str]:
    return [event.text for event in replay(path) if isinstance(event, Note)]


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


def test_events_are_read_as_they_were_written_with_their_time(journal: Path) -> None:
    before = time.time()
    append(journal, BuildStarted(steps=[{"name": "bootstrap"}]))
    append(journal, StepFailed(step="bootstrap", tail="E: grün\n\x1b[31mred"))
    first, second = replay(journal)
    assert isinstance(first, BuildStarted)
    assert first.steps == [{"name": "bootstrap"}]
    assert isinstance(second, StepFailed)
    assert second.tail == "E: grün\n\x1b[31mred"
    assert before - 1 <= first.at <= second.at <= time.time() + 1


def test_one_event_is_one_line_of_json(journal: Path) -> None:
    returned = append(journal, Note(text="a\nb\r\u2028c"))
    (line,) = journal.read_bytes().split(b"\n")[:-1]
    assert json.loads(line) == returned.to_json()
    assert replay(journal) == [returned]


def test_a_journal_that_is_not_there_has_no_events(journal: Path) -> None:
    assert replay(journal) == []


def test_a_fifo_in_its_place_is_not_waited_for(journal: Path) -> None:
    os.mkfifo(journal)
    assert replay(journal) == []


TORN = [
    '{"event": "step-fin',
    '{"event"',
    "{",
    '"text"',
    "[]",
    "null",
    '{"event": 3, "at": 1}',
    '{"event": "x", "at": 1}',
    '{"event": "note", "at": "noon"}',
    '{"event": "note"}',
    '{"event": "note", "at": 1, "text": 3}',
    '{"event": "step-started", "at": 1}',
    '{"event": ["note"], "at": 1}',
    "\0\0\0",
]


@pytest.mark.parametrize("torn", TORN)
def test_a_torn_last_line_is_passed_over_and_swallows_nothing(journal: Path, torn: str) -> None:
    append(journal, Note(text="first"))
    with journal.open("a") as file:
        file.write(torn)
    assert texts(journal) == ["first"]
    append(journal, Note(text="second"))
    assert texts(journal) == ["first", "second"]


@given(st.lists(st.text(max_size=20), min_size=1, max_size=4), st.integers(min_value=0))
def test_cut_anywhere_it_tells_the_events_that_were_whole(words: list[str], where: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        journal = Path(directory) / "journal"
        for text in words:
            append(journal, Quick(text=text))
        data = journal.read_bytes()
        cut = data[: where % (len(data) + 1)]
        journal.write_bytes(cut)
        whole = cut.count(b"\n")
        assert texts(journal) == words[:whole]
        append(journal, Quick(text="after"))
        assert texts(journal)[-1] == "after"
        assert texts(journal)[:whole] == words[:whole]


@given(st.binary(max_size=200))
def test_garbage_is_no_event_and_no_crash(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        journal = Path(directory) / "journal"
        journal.write_bytes(data)
        append(journal, Quick())
        assert replay(journal)[-1].name == "quick"


def test_a_reader_tells_each_event_once_and_a_half_line_when_it_is_whole(journal: Path) -> None:
    reader = Reader(journal)
    assert list(reader.read()) == []
    append(journal, Note(text="first"))
    assert [event.to_json()["text"] for event in reader.read()] == ["first"]
    assert list(reader.read()) == []
    with journal.open("ab") as file:
        file.write(b'{"event": "no')
    assert list(reader.read()) == []
    with journal.open("ab") as file:
        file.write(b'te", "at": 1}\n{"event": "quick", "at": 2.5}\n')
    assert [event.name for event in reader.read()] == ["note", "quick"]


def test_a_reader_can_begin_where_a_run_begins(journal: Path) -> None:
    append(journal, Note(text="of the run before"))
    reader = Reader(journal, journal.stat().st_size)
    append(journal, Quick(text="of this run"))
    assert [event.name for event in reader.read()] == ["quick"]


def test_an_event_outlives_a_kill_right_after_it_was_written(journal: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from zwizard.jobs.journal import append\n"
        "from zwizard.jobs.events import CheckStarted\n"
        "append(Path(sys.argv[1]), CheckStarted()); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(journal)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert [event.name for event in replay(journal)] == ["check-started"]


def test_a_full_disk_is_an_error_and_not_silence() -> None:
    if not os.access("/dev/full", os.W_OK):
        pytest.skip("there is no /dev/full")
    with pytest.raises(OSError, match="No space left"):
        append(Path("/dev/full"), Note())


def test_an_event_is_on_the_disk_before_the_job_goes_on_but_progress_need_not_be(
    journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(journal.read_text()))
    append(journal, Note(text="one"))
    assert len(synced) == 1
    assert '"one"' in synced[0]
    append(journal, Quick(text="two"))
    assert len(synced) == 1
    append(journal, Note(text="three"))
    assert '"two"' in synced[1]
