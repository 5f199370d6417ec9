"""A job of a new kind, in one temporary module: started, attached to, cancelled, killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.naps import kill, naps, pids, until
from zwizard.host.privileges import find_privilege
from zwizard.jobs import lock, supervisor
from zwizard.jobs.events import Cancelled, Event, Failed, Interrupted, Last
from zwizard.jobs.follower import Follower, Watch
from zwizard.jobs.job import Job
from zwizard.jobs.status import Status
from zwizard.util import paths
from zwizard.util.errors import ZwizardError

pytestmark = pytest.mark.skipif(
    find_privilege().mode not in {"root", "userns"}, reason="no namespaces without a password"
)

new = pytest.fixture(naps)


def to_the_end(follower: Follower) -> list[Event]:
    events: list[Event] = []

    def ended() -> bool:
        events.extend(follower.read())
        return bool(events) and isinstance(events[-1], Last)

    until(ended)
    follower.wait_until_released(60)
    return events


def names(events: list[Event]) -> list[str]:
    return [event.name for event in events]


def workspace(job: Job) -> Path:
    return job.workspace(paths.cache(), find_privilege())


def test_a_job_runs_in_its_own_namespace_and_is_followed_to_its_end(
    new: Callable[..., Job],
) -> None:
    job = new()
    watch = Watch(job, Status())
    assert watch.look().state == "stopped"
    supervisor.start(job, "deeply")
    follower = Follower(job)
    (started,) = follower.read()
    assert started.to_json() == {
        "event": "nap-started", "at": started.at, "options": ["deeply"], "pid": 1,
    }  # fmt: skip
    assert job.running()
    assert watch.look().state == "running"
    assert (workspace(job) / "pillow").exists()
    assert lock.is_held(workspace(job))
    (job.directory / "wake").touch()
    last = to_the_end(follower)[-1]
    assert isinstance(last, Last)
    assert (last.name, last.exit_code) == ("nap-finished", 0)
    assert not job.running()
    assert not workspace(job).exists()
    until((job.directory / "after").exists)


def test_a_second_start_attaches_to_the_run(new: Callable[..., Job]) -> None:
    job = new()
    supervisor.start(job)
    supervisor.start(job)
    kill(job)
    assert names(to_the_end(Follower(job))) == ["nap-started", "nap-interrupted"]


def test_a_start_right_after_the_end_is_a_new_run(new: Callable[..., Job]) -> None:
    job = new()
    (job.directory / "wake").touch()
    supervisor.start(job)
    until(job.ended)
    (job.directory / "wake").unlink()
    supervisor.start(job)
    assert names(Follower(job).read()) == ["nap-started"]


def test_two_starts_at_once_make_one_run(new: Callable[..., Job]) -> None:
    job = new()
    program = (
        "import sys\n"
        "from zwizard.jobs import supervisor\n"
        "from zwizard.jobs.job import load\n"
        "supervisor.start(load('nap:Nap', sys.argv[1]))\n"
    )
    callers = [
        subprocess.Popen([sys.executable, "-c", program, str(job.directory)]) for _ in range(3)
    ]
    assert [caller.wait() for caller in callers] == [0, 0, 0]
    assert names(Follower(job).read()) == ["nap-started"]


def test_a_cancelled_job_says_so_and_can_be_started_again(new: Callable[..., Job]) -> None:
    job = new()
    assert not job.request_cancel()
    supervisor.start(job)
    follower = Follower(job)
    assert job.request_cancel()
    last = to_the_end(follower)[-1]
    assert isinstance(last, Cancelled)
    assert last.exit_code == 130
    assert not job.cancel_request.exists()
    assert not workspace(job).exists()
    supervisor.start(job)
    assert names(Follower(job).read()) == ["nap-started"]


def test_cancelling_ends_all_that_a_job_has_started_whatever_it_ignores(
    new: Callable[..., Job],
) -> None:
    job = new()
    supervisor.start(job, "deaf")
    follower = Follower(job)
    until(lambda: len(pids(job)) == 5)  # supervisor, unshare, worker, and two that it started
    assert job.request_cancel()
    assert isinstance(to_the_end(follower)[-1], Cancelled)
    until(lambda: not pids(job))
    assert not workspace(job).exists()


@pytest.mark.slow
def test_cancelling_ends_a_worker_that_would_outlive_its_parent(new: Callable[..., Job]) -> None:
    """As unshare's child does until it has asked for its death signal."""
    job = new()
    code = (
        "import sys; from zwizard.host import privileges; from zwizard.jobs import supervisor;"
        """privileges._UNSHARE = privileges._MAPPED = ("sh", "-c", '"$@" & wait', "sh");"""
        "supervisor.main(sys.argv[1:])"
    )
    command = [sys.executable, "-c", code, job.kind(), str(job.directory), str(paths.cache())]
    with subprocess.Popen(command):
        until(lambda: job.journal.exists() and list(job.events()))
        job.cancel_request.touch()
    assert isinstance(list(job.events())[-1], Cancelled)
    until(lambda: not pids(job))


@pytest.mark.parametrize("kind", ["Nap", "Doze"])
def test_a_killed_worker_is_reported_by_the_supervisor(new: Callable[..., Job], kind: str) -> None:
    job = new(kind)
    supervisor.start(job)
    follower = Follower(job)
    kill(job, "zwizard.jobs.worker")
    last = to_the_end(follower)[-1]
    assert isinstance(last, Interrupted)
    assert last.hint == "Sleep again."
    assert Watch(job, Status()).look().state == "stopped"
    assert not workspace(job).exists()


@pytest.mark.parametrize("kind", ["Nap", "Doze"])
def test_a_killed_supervisor_ends_its_worker_and_the_follower_clears_up(
    new: Callable[..., Job], kind: str
) -> None:
    job = new(kind)
    supervisor.start(job)
    follower = Follower(job)
    kill(job, "zwizard.jobs.supervisor")
    assert isinstance(to_the_end(follower)[-1], Interrupted)
    until(lambda: not pids(job))
    assert not workspace(job).exists()
    assert names(job.events())[-1] == "nap-interrupted"
    supervisor.start(job)
    assert names(Follower(job).read()) == ["nap-started"]


def test_the_lock_is_held_by_supervisor_and_worker(new: Callable[..., Job]) -> None:
    job = new()
    supervisor.start(job)
    for module in ("zwizard.jobs.supervisor", "zwizard.jobs.worker"):
        for pid in pids(job, module):
            opened = {str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir()}
            assert str(job.lock) in opened, module
            assert str(workspace(job)) in opened, module


def test_an_error_of_the_worker_is_an_event(new: Callable[..., Job]) -> None:
    job = new()
    supervisor.start(job, "fail")
    last = to_the_end(Follower(job))[-1]
    assert isinstance(last, Failed)
    assert (last.error, last.hint, last.exit_code) == ("the bed is missing", "Buy one.", 2)
    status = Watch(job, Status()).look()
    assert (status.state, status.error) == ("failed", "the bed is missing")


def test_a_worker_that_breaks_is_reported_with_its_last_line(new: Callable[..., Job]) -> None:
    job = new()
    supervisor.start(job, "break")
    last = to_the_end(Follower(job))[-1]
    assert isinstance(last, Interrupted)
    assert "RuntimeError: fell out of bed" in last.error


def test_a_supervisor_that_does_not_come_up_is_an_error_with_what_it_printed(
    new: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = new()
    monkeypatch.setenv("PYTHONPATH", "/nonexistent")
    with pytest.raises(ZwizardError, match="No module named 'nap'"):
        supervisor.start(job)


CALLER = """
import sys, time
from zwizard.jobs import supervisor
from zwizard.jobs.job import load
supervisor.start(load(sys.argv[1], sys.argv[2]))
print("started", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("kind", ["Nap", "Doze"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP])
def test_an_attended_job_ends_with_its_caller_and_any_other_outlives_it(
    new: Callable[..., Job], kind: str, number: signal.Signals
) -> None:
    job = new(kind)
    with subprocess.Popen(
        [sys.executable, "-c", CALLER, f"nap:{kind}", str(job.directory)], stdout=subprocess.PIPE
    ) as caller:
        assert caller.stdout is not None
        assert caller.stdout.readline() == b"started\n"
        follower = Follower(job)
        caller.send_signal(number)
    if job.attended:
        assert isinstance(to_the_end(follower)[-1], Cancelled)
        assert not workspace(job).exists()
    else:
        time.sleep(0.5)
        assert job.running()


@pytest.mark.parametrize(
    ("kind", "number", "stops"),
    [
        ("Nap", signal.SIGHUP, False),
        ("Nap", signal.SIGTERM, True),
        ("Nap", signal.SIGINT, True),
        ("Doze", signal.SIGHUP, True),
        ("Doze", signal.SIGTERM, True),
    ],
)
def test_a_signal_cancels_but_a_closed_terminal_only_an_attended_job(
    new: Callable[..., Job], kind: str, number: signal.Signals, stops: bool
) -> None:
    job = new(kind)
    supervisor.start(job)
    follower = Follower(job)
    kill(job, "zwizard.jobs.supervisor", number)
    if stops:
        assert isinstance(to_the_end(follower)[-1], Cancelled)
    else:
        time.sleep(0.5)
        assert job.running()


def test_what_a_killed_job_left_is_removed_by_the_next_and_what_is_held_stays(
    new: Callable[..., Job],
) -> None:
    job = new()
    abandoned, held = (workspace(job).with_name(name) for name in ("abandoned", "held"))
    for directory in (abandoned, held, workspace(job)):
        (directory / "root").mkdir(parents=True)
    descriptor = lock.acquire(held)
    assert descriptor is not None
    supervisor.start(job)
    assert not abandoned.exists()
    assert not (workspace(job) / "root").exists()
    assert held.exists()
    os.close(descriptor)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")
def test_what_root_writes_for_a_user_becomes_the_users(new: Callable[..., Job]) -> None:
    job = new()
    os.chown(job.directory, 4711, 4712)
    (job.directory / "wake").touch()
    supervisor.start(job)
    to_the_end(Follower(job))
    dream = job.directory.parent / "dream"
    owners = {path: path.stat() for path in (job.journal, job.log, job.lock, dream)}
    assert {(s.st_uid, s.st_gid) for s in owners.values()} == {(4711, 4712)}
