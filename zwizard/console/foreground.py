"""Run a job in the foreground: start it or attach to it, and print its events until it ends."""

from __future__ import annotations

import sys
import time
from typing import Any, Protocol

from zwizard.host.privileges import find_privilege
from zwizard.jobs import supervisor
from zwizard.jobs.events import Event, Last
from zwizard.jobs.follower import Follower
from zwizard.jobs.job import Job
from zwizard.util.documents import document
from zwizard.util.text import sanitise

_POLL = 0.1  # seconds between looks at the journal
_PATIENCE = 5.0  # seconds that the job has for clearing up


class Narrator(Protocol):
    """Describes a job in lines of text."""

    def lines(self, event: Event) -> list[str]:
        """What to print about an event."""

    def idle(self) -> list[str]:
        """What to print when nothing has happened."""


def run(job: Job, *options: str, narrator: Narrator, as_json: bool) -> int:
    """Run ``job`` until it ends; its exit code. Ctrl-C cancels it."""
    if not job.running():
        find_privilege().authorise()
    supervisor.start(job, *options)
    return follow(job, narrator, as_json=as_json)


def follow(job: Job, narrator: Narrator, *, as_json: bool) -> int:
    """Print the events of the current run of ``job`` until it ends; its exit code."""
    follower = Follower(job)
    try:
        return _until_end(follower, narrator, as_json=as_json)
    except KeyboardInterrupt:
        job.request_cancel()
        return _until_end(follower, narrator, as_json=as_json)


def _until_end(follower: Follower, narrator: Narrator, *, as_json: bool) -> int:
    while True:
        for event in follower.read():
            write_json(event.to_json()) if as_json else _write(narrator.lines(event))
            if isinstance(event, Last):
                # So that what the user does next does not meet it.
                follower.wait_until_released(_PATIENCE)
                return event.exit_code
        if not as_json:
            _write(narrator.idle())
        time.sleep(_POLL)


def _write(lines: list[str]) -> None:
    sys.stdout.writelines(f"{sanitise(line)}\n" for line in lines)
    sys.stdout.flush()


def write_json(data: dict[str, Any]) -> None:
    """Print a line of JSON."""
    sys.stdout.write(document(data, indent=None) + "\n")
    sys.stdout.flush()
