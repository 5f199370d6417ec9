"""The status of a job by its journal and its lock: what builds and boot tests have in common."""

from dataclasses import dataclass, fields, replace
from typing import Any, Self

from zwizard.jobs.events import Cancelled, Event, Failed, Interrupted
from zwizard.jobs.job import Job


@dataclass(frozen=True)
class Status:
    """The state of a job, when it changed (``at``) and when it started (seconds since 1970).

    ``error`` and ``hint``: why it failed or stopped by itself.
    """

    state: str = "stopped"
    at: float = 0.0
    started: float = 0.0
    error: str = ""
    hint: str = ""

    def after(self, event: Event) -> Self:
        """The status once ``event`` has happened."""
        try:
            return replace(self.with_event(event), at=event.at or self.at)
        except (KeyError, TypeError):
            return self  # another version wrote it

    def with_event(self, event: Event) -> Self:
        """The same but for ``at``; a kind of job adds its own events."""
        match event:
            case Failed():
                return self.taking(event, state="failed")
            case Cancelled() | Interrupted():
                return self.taking(event, state="stopped")
        return self

    def taking(self, event: Event, **facts: Any) -> Self:
        """With ``facts``, and what ``event`` has under the same names as a status."""
        own = {field.name for field in fields(self)} - {"at"}
        return replace(self, **{k: v for k, v in vars(event).items() if k in own}, **facts)

    def settled(self, job: Job, *, running: bool) -> Self:
        """The status corrected by the lock: the journal of a killed job has no last event."""
        before = running and job.journal_size() == job.run_start()  # its first event
        if before or (running and not self.started):
            return replace(self, state="running")
        if not running and self.state == "running":
            return self.after(job.interrupted())
        return self
