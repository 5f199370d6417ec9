"""Run a job in the foreground: start it or attach to it, and print its events until it ends."""

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, Protocol

from zwizard.jobs import supervisor
from zwizard.jobs.events import Event, Last
from zwizard.jobs.follower import Follower
from zwizard.jobs.job import Job
from zwizard.util.documents import document
from zwizard.util.text import sanitise

_POLL = 0.1  # seconds between looks at the journal
_PATIENCE = 5.0  # seconds that the job has for clearing up
_HURRY = 1.0  # the same, once the user has asked it to stop
_TWICE = 1.0  # seconds within which two signals are one request


class Narrator(Protocol):
    """Describes a job in lines of text."""

    def lines(self, event: Event) -> list[str]:
        """What to print about an event."""

    def idle(self) -> list[str]:
        """What to print when nothing has happened."""


def run(job: Job, *options: str, narrator: Narrator, as_json: bool, secret: bytes = b"") -> int:
    """Run ``job`` until it ends; its exit code.

    It is cancelled by Ctrl-C, SIGTERM and SIGHUP, and if its events can no longer be printed.
    """
    if not job.running():
        job.privilege().authorise()
    with _cancelled_with_this_process(job) as asked:
        supervisor.start(job, *options, secret=secret)
        return _until_end(Follower(job), narrator, asked, as_json=as_json)


def detach(job: Job, *options: str, secret: bytes = b"") -> None:
    """Start ``job`` unless it is running; it goes on when this process ends."""
    if not job.running():
        job.privilege().authorise()
    supervisor.start(job, *options, secret=secret)


@contextmanager
def _cancelled_with_this_process(job: Job) -> Iterator[threading.Event]:
    """Cancel ``job`` if the block is left by an exception.

    The first signal that asks this process to end sets the event; one that comes a second later
    raises KeyboardInterrupt. (`timeout` and a closed terminal send theirs twice.)
    """
    asked = threading.Event()
    first = 0.0

    def on_signal(number: int, frame: FrameType | None) -> None:
        nonlocal first
        if not asked.is_set():
            first = time.monotonic()
            asked.set()
            with suppress(OSError):  # at once: the job may be about to start
                job.cancel_request.touch()
        elif time.monotonic() > first + _TWICE:
            signal.default_int_handler(number, frame)

    # Those that are ignored (nohup) stay so.
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    ours = [n for n in numbers if signal.getsignal(n) is signal.default_int_handler]
    for number in ours:
        signal.signal(number, on_signal)
    try:
        yield asked
    except BaseException:
        job.cancel_request.touch()  # its lock may not be held yet
        raise
    finally:
        for number in ours:
            signal.signal(number, signal.default_int_handler)


def _until_end(
    follower: Follower, narrator: Narrator, asked: threading.Event, *, as_json: bool
) -> int:
    requested = False
    while True:
        if asked.is_set() and not requested:
            requested = follower.job.request_cancel()
        for event in follower.read():
            write_json(event.to_json()) if as_json else write(*narrator.lines(event))
            if isinstance(event, Last):
                # So that what the user does next does not meet it.
                follower.wait_until_released(_HURRY if asked.is_set() else _PATIENCE)
                return event.exit_code
        if not as_json:
            write(*narrator.idle())
        time.sleep(_POLL)


def write(*texts: str) -> None:
    """Print each of these texts, made safe and not wrapped."""
    sys.stdout.writelines(f"{sanitise(text)}\n" for text in texts)
    sys.stdout.flush()


def write_json(data: dict[str, Any]) -> None:
    """Print a line of JSON."""
    sys.stdout.write(document(data, indent=None) + "\n")
    sys.stdout.flush()
