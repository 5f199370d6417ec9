"""Follow a job from outside: its events until it ends, or its status now."""

import threading
import time
from typing import Generic, TypeVar

from zwizard.jobs import supervisor
from zwizard.jobs.events import Event, Last
from zwizard.jobs.job import Job
from zwizard.jobs.journal import Reader
from zwizard.jobs.status import Status

_S = TypeVar("_S", bound=Status)


class Follower:
    """Reads the current run of ``job``; its last event is always a ``Last``."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._reader = Reader(job.journal, job.run_start())
        self._ended = False

    def read(self) -> list[Event]:
        """The events since the last call."""
        running = self.job.running()
        events = list(self._reader.read())
        if not running and not self._ended and not _has_last(events):
            supervisor.recover(self.job)
            events += list(self._reader.read()) or [self.job.interrupted()]
        self._ended = self._ended or _has_last(events)
        return events

    def wait_until_released(self, seconds: float) -> None:
        """Wait until the job's processes have ended, at most for ``seconds``."""
        deadline = time.monotonic() + seconds
        while self.job.running() and time.monotonic() < deadline:
            time.sleep(0.01)


def _has_last(events: list[Event]) -> bool:
    return any(isinstance(event, Last) for event in events)


class Watch(Generic[_S]):
    """The status of ``job`` as it changes: each look reads only what is new in the journal.

    Looks may happen in several threads: one that is abandoned still finishes.
    """

    def __init__(self, job: Job, status: _S) -> None:
        self.job = job
        self._reader = Reader(job.journal)
        self._status = status
        self._one = threading.Lock()

    def look(self) -> _S:
        """The job's status now."""
        with self._one:
            running = self.job.running()
            for event in self._reader.read():
                self._status = self._status.after(event)
            return self._status.settled(self.job, running=running)
