"""An upload as a job: it goes on, is cancelled and resumed, and nothing tells its token."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from tests.hub.faults import Call, Exchange, Fault
from tests.hub.hub import Hub
from tests.hub.samples import SAMPLE
from tests.support.naps import kill, pids, until
from zwizard.hub import records, session
from zwizard.hub.client import Patience
from zwizard.hub.upload import Upload, UploadRequest
from zwizard.hub.uploader import left_by
from zwizard.jobs import events, supervisor
from zwizard.jobs.follower import Follower
from zwizard.util.hashing import sha256_of

pytestmark = pytest.mark.slow

ALICE = "alice.3bot"
PATIENCE = json.dumps(asdict(Patience(unpacking=60, pauses=(0.01, 0.02, 0.05))))


@pytest.fixture
def request_(hub: Hub, tmp_path: Path) -> UploadRequest:
    archive = tmp_path / "my.tar.gz"
    archive.write_bytes(SAMPLE)
    return UploadRequest(archive, sha256_of(archive), hub.url, "my", replace=True)


@pytest.fixture
def start(hub: Hub, request_: UploadRequest) -> Iterator[Callable[[], Upload]]:
    started = []

    def start() -> Upload:
        job = session.prepare(request_)
        supervisor.start(job, PATIENCE, secret=hub.token.encode())
        started.append(job)
        return job

    yield start
    for job in started:
        kill(job)


def end(job: Upload) -> events.Event:
    follower = Follower(job)
    found: list[events.Event] = []

    def ended() -> bool:
        found.extend(follower.read())
        return any(isinstance(event, events.Last) for event in found)

    until(ended)
    follower.wait_until_released(60)
    return found[-1]


def test_an_upload_is_known_for_exactly_its_bytes(
    hub: Hub, request_: UploadRequest, start: Callable[[], Upload]
) -> None:
    done = end(start())
    assert isinstance(done, events.UploadFinished)
    record = records.last_upload_of(request_.sha256)
    assert record is not None
    assert (record.url, record.md5) == (
        f"{hub.url}/{ALICE}/my.flist", hub.store.md5(ALICE, "my"),
    )  # fmt: skip
    assert records.last_upload_of("0" * 64) is None
    assert records.last_upload_of("") is None


def test_an_archive_that_was_changed_since_it_was_checked_is_not_sent(
    hub: Hub, request_: UploadRequest, start: Callable[[], Upload]
) -> None:
    request_.archive.write_bytes(SAMPLE[:-20] + b"x" * 20)
    assert isinstance(end(start()), events.UploadFailed)
    assert not hub.uploads


def test_what_is_cancelled_while_the_hub_unpacks_is_removed_there(
    hub: Hub, start: Callable[[], Upload]
) -> None:
    hub.may_finish.clear()
    job = start()
    hub.unpacking.wait(60)
    job.request_cancel()
    hub.may_finish.set()
    assert isinstance(end(job), events.UploadCancelled)
    assert hub.store.names(ALICE) == []
    assert left_by(job.events())[0] == []


def test_a_killed_upload_resumes_and_does_not_send_again(
    hub: Hub, start: Callable[[], Upload]
) -> None:
    hub.may_finish.clear()
    job = start()
    hub.unpacking.wait(60)
    kill(job)
    until(lambda: not job.running())
    hub.may_finish.set()
    assert start() == job
    assert isinstance(end(job), events.UploadFinished)
    assert (len(hub.uploads), hub.store.names(ALICE)) == (1, ["my.flist"])


def test_the_token_is_in_no_file_and_in_no_process(
    hub: Hub, start: Callable[[], Upload], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ZWIZARD_HUB_TOKEN", hub.token)
    hub.may_finish.clear()
    hub.faults = [Fault(Exchange.ECHO, Call.RENAME, times=2)]
    job = start()
    hub.unpacking.wait(60)
    found = pids(job)
    assert found
    for pid in found:
        for name in ("cmdline", "environ"):
            assert hub.token.encode() not in Path(f"/proc/{pid}/{name}").read_bytes()
    hub.may_finish.set()
    failed = end(job)
    assert isinstance(failed, events.UploadFailed)
    assert "[token]" in failed.error
    for file in job.directory.rglob("*"):
        assert hub.token not in file.read_text("utf-8", "replace")


def test_two_uploads_of_the_same_are_one(
    hub: Hub, request_: UploadRequest, start: Callable[[], Upload]
) -> None:
    hub.may_finish.clear()
    job = start()
    hub.unpacking.wait(60)
    assert session.prepare(request_) == job
    assert session.prepare(replace(request_, flist="other")) != job
    hub.may_finish.set()
    assert isinstance(end(job), events.UploadFinished)


def test_what_an_earlier_run_left_is_read_from_its_events() -> None:
    now = time.time()
    phases = [
        events.UploadPhase(phase="sending", temporary="a"),
        events.UploadPhase(phase="sending", temporary="b"),
        events.UploadPhase(phase="unpacking", temporary="b", at=now - 100),
        events.UploadRemoved(temporary="a"),
    ]
    left, sent, waited = left_by(list(phases))
    assert (left, sent, round(waited)) == (["b"], "b", 100)
    assert left_by([*phases, events.UploadRemoved(temporary="b")])[:2] == ([], "")
