"""A job of a new kind, in one temporary module."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from zwizard.jobs.job import Job, load

NAP = """
import os, signal, subprocess, time
from zwizard.jobs import journal
from zwizard.jobs.events import Cancelled, Event, Failed, Interrupted, Last
from zwizard.jobs.job import Job
from zwizard.util.errors import UsageError

class NapStarted(Event, name="nap-started"):
    options: list[str]
    pid: int

class NapFinished(Last, name="nap-finished"):
    exit_code = 0

class NapFailed(Failed, name="nap-failed"):
    pass

class NapCancelled(Cancelled, name="nap-cancelled"):
    pass

class NapInterrupted(Interrupted, name="nap-interrupted"):
    hint: str = "Sleep again."

class Nap(Job):
    worker = __name__
    failed, cancelled, interrupted = NapFailed, NapCancelled, NapInterrupted

    def workspace(self, cache, privilege):
        return cache / "naps" / self.id

    def outputs(self):
        return (self.directory.parent / "dream",)

    def after_end(self, workspace):
        (self.directory / "after").touch()

class Doze(Nap):
    attended = True

STUBBORN = "trap '' TERM; sh -c 'trap \"\" TERM; while :; do sleep 0.05; done' $0"

def work(job, workspace, *options):
    (workspace / "pillow").touch()
    if "deaf" in options:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        subprocess.Popen(["sh", "-c", STUBBORN, str(job.directory)], start_new_session=True)
    journal.append(job.journal, NapStarted(options=list(options), pid=os.getpid()))
    if "fail" in options:
        raise UsageError("the bed is missing", "Buy one.")
    if "break" in options:
        raise RuntimeError("fell out of bed")
    while True:
        if (job.directory / "wake").exists():
            (job.directory.parent / "dream").touch()
            journal.append(job.journal, NapFinished())
            return 0
        time.sleep(0.02)
"""


def naps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Job]]:
    """A function that makes a job of this kind; what still runs at the end is killed."""
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "nap.py").write_text(NAP)
    monkeypatch.syspath_prepend(str(modules))
    monkeypatch.setenv("PYTHONPATH", str(modules))
    made: list[Job] = []

    def make(kind: str = "Nap") -> Job:
        directory = tmp_path / f"nap-{len(made)}"
        directory.mkdir()
        made.append(load(f"nap:{kind}", str(directory)))
        return made[-1]

    yield make
    for job in made:
        kill(job)
    sys.modules.pop("nap", None)


def pids(job: Job, module: str = "") -> list[int]:
    """The processes of a job: its supervisor, unshare, and its worker."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        words = [os.fsdecode(word) for word in command]
        if str(job.directory) in words and (module in words if module else True):
            found.append(int(entry.name))
    return found


def kill(job: Job, module: str = "", number: int = signal.SIGKILL) -> None:
    for pid in pids(job, module):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)
