"""The status of an upload: its state, its phase, and how far that is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from zwizard.jobs import events, status

State = Literal["running", "stopped", "failed", "uploaded"]


@dataclass(frozen=True)
class Status(status.Status):
    """The status of an upload; texts are raw.

    ``since`` is when the phase started (seconds since 1970); ``done`` and ``total`` are bytes.
    """

    state: State = "stopped"
    phase: str = ""
    why: str = ""
    since: float = 0.0
    done: int = 0
    total: int = 0
    url: str = ""
    md5: str = ""

    def with_event(self, event: events.Event) -> Status:
        """The status once ``event`` has happened."""
        match event:
            case events.UploadStarted(at=at):
                return Status("running", at, at)
            case events.UploadPhase(phase=phase, why=why, at=at):
                return replace(self, phase=phase, why=why, since=at, done=0, total=0)
            case events.UploadProgress(done=done, total=total):
                return replace(self, done=done, total=total)
            case events.UploadFinished():
                return self.taking(event, state="uploaded")
        return super().with_event(event)

    def rate(self, now: float) -> float:
        """Bytes a second in this phase, 0 if there is none yet."""
        seconds = now - self.since
        return self.done / seconds if self.done and seconds > 0 else 0.0

    def left(self, now: float) -> float | None:
        """Seconds until the phase has come to its end, None if that cannot be told."""
        rate = self.rate(now)
        return (self.total - self.done) / rate if rate else None
