"""A job: long work with a directory for its request, journal and log, and a lock while it runs."""

from __future__ import annotations

import importlib
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from zwizard.host.privileges import Privilege, find_privilege
from zwizard.jobs import journal, lock
from zwizard.jobs.events import Cancelled, Event, Failed, Interrupted, Last


class JobFile:
    """The path of a file in a job's directory, as an attribute of the job."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, job: Job, kind: type[Job]) -> Path:
        return job.directory / self._name


@dataclass(frozen=True)
class Job(ABC):
    """One job in ``directory``. A new kind of job is a subclass in one file.

    The module ``worker`` has ``work(job, workspace, *options)``, which runs in namespaces of its
    own and returns an exit status. It appends events to the journal; that of a job that is done is
    a ``Last``. Errors, cancelling and early death become ``failed``, ``cancelled`` and
    ``interrupted`` events without its help.

    A cancelled job is killed, at any moment: what a worker keeps must be whole or not there. One
    with a ``grace`` (seconds) may see its ``cancel_request`` before, and clear up. A job that is
    ``attended`` is cancelled when the process that started it ends; any other outlives it.
    """

    directory: Path

    worker: ClassVar[str]
    failed: ClassVar[type[Failed]]
    cancelled: ClassVar[type[Cancelled]]
    interrupted: ClassVar[type[Interrupted]]
    attended: ClassVar[bool] = False
    grace: ClassVar[float] = 0.0

    journal = JobFile("journal.jsonl")
    log = JobFile("job.log")  # what the job's own processes printed: empty unless something broke
    # Held (flock) as long as the supervisor or the worker lives. It contains the size of the
    # journal (bytes) when the current run started.
    lock = JobFile("lock")
    cancel_request = JobFile("cancel")  # asks the job to stop by its existence

    @abstractmethod
    def workspace(self, cache: Path, privilege: Privilege) -> Path:
        """The directory to work in; the supervisor makes and removes it, and any beside it."""

    def privilege(self) -> Privilege:
        """What its processes run with."""
        return find_privilege()

    def outputs(self) -> Iterable[Path]:
        """Files outside of ``directory`` that the job makes for the user."""
        return ()

    def after_end(self, workspace: Path) -> None:  # noqa: B027 - most do nothing
        """What remains to be done once the job has ended and its lock is free."""

    @classmethod
    def kind(cls) -> str:
        """The class as ``MODULE:NAME``, for another process to :func:`load`."""
        return f"{cls.__module__}:{cls.__qualname__}"

    @property
    def id(self) -> str:
        """Its name among the jobs of its kind."""
        return self.directory.name

    def running(self) -> bool:
        """Whether the supervisor or the worker lives."""
        return lock.is_held(self.lock)

    def request_cancel(self) -> bool:
        """Ask the job to stop; False if it is not running."""
        if not self.running():
            return False
        self.cancel_request.touch()
        return True

    def hold(self) -> int | None:
        """Lock the job for a new run: the descriptor, or None if it is running."""
        descriptor = lock.acquire(self.lock)
        if descriptor is not None:
            os.truncate(descriptor, 0)
            os.write(descriptor, str(self.journal_size()).encode())
        return descriptor

    def journal_size(self) -> int:
        """Bytes in the journal, 0 if there is none."""
        return self.journal.stat().st_size if self.journal.exists() else 0

    def run_start(self) -> int:
        """Where in the journal the current or last run starts (bytes)."""
        try:
            return int(self.lock.read_text("ascii") or 0)
        except (FileNotFoundError, ValueError):
            return 0

    def events(self) -> list[Event]:
        """What has happened in the current or last run."""
        return journal.replay(self.journal, self.run_start())

    def ended(self) -> bool:
        """Whether the current or last run has written its last event."""
        events = self.events()
        return bool(events) and isinstance(events[-1], Last)


def load(kind: str, directory: str) -> Job:
    """The job in ``directory``, of the class ``MODULE:NAME``."""
    module, _, name = kind.partition(":")
    job: Job = getattr(importlib.import_module(module), name)(Path(directory))
    return job
