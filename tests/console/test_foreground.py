"""A job in the foreground ends with the command that shows it, however that is ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.builds import new_build, running
from tests.support.naps import naps, pids, until
from zwizard.console import build_progress, foreground
from zwizard.host.privileges import find_privilege
from zwizard.jobs.events import Event
from zwizard.jobs.job import Job

pytestmark = pytest.mark.slow

needs_namespaces = pytest.mark.skipif(
    find_privilege().mode not in {"root", "userns"}, reason="no namespaces without a password"
)
new = pytest.fixture(naps)

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Signals raise KeyboardInterrupt, as the program sets them."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number in SIGNALS:
        signal.signal(number, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class Does:
    """A narrator that does something when the job has started."""

    def __init__(self, what: Callable[[], object]) -> None:
        self._what = what

    def lines(self, event: Event) -> list[str]:
        if event.name == "nap-started":
            self._what()
        return []

    def idle(self) -> list[str]:
        return []


def send(*numbers: signal.Signals) -> Callable[[], None]:
    def sends() -> None:
        for number in numbers:
            os.kill(os.getpid(), number)

    return sends


@needs_namespaces
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_cancels_the_job_and_waits_until_nothing_is_left(
    new: Callable[..., Job], number: signal.Signals
) -> None:
    job = new()
    # `timeout` sends its signal twice.
    narrator = Does(send(number, number))
    assert foreground.run(job, narrator=narrator, as_json=False) == 130
    assert not pids(job, "zwizard.jobs.worker")
    assert signal.getsignal(number) is signal.default_int_handler


@needs_namespaces
def test_a_signal_that_is_ignored_stays_so(new: Callable[..., Job]) -> None:
    job = new()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # nohup

    def hang_up() -> None:
        os.kill(os.getpid(), signal.SIGHUP)
        (job.directory / "wake").touch()

    assert foreground.run(job, narrator=Does(hang_up), as_json=False) == 0


@needs_namespaces
def test_a_later_signal_ends_the_command_at_once(
    new: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreground, "_TWICE", -1.0)
    job = new()
    with pytest.raises(KeyboardInterrupt):
        foreground.run(job, narrator=Does(send(signal.SIGINT, signal.SIGINT)), as_json=False)
    until(lambda: not job.running())


@needs_namespaces
def test_a_job_whose_events_cannot_be_printed_is_cancelled(new: Callable[..., Job]) -> None:
    job = new()

    def fail() -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        foreground.run(job, narrator=Does(fail), as_json=False)
    until(lambda: not job.running())
    assert job.events()[-1].name == "nap-cancelled"


@needs_namespaces
def test_a_detached_job_goes_on(new: Callable[..., Job]) -> None:
    job = new()
    foreground.detach(job)
    assert job.running()


def test_a_detached_build_is_named_with_how_to_follow_and_to_stop_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build = new_build("web", tmp_path)
    with running(build):
        assert build_progress.detach(build, as_json=False) == 0
        assert build_progress.detach(build, as_json=True) == 0
    people, programs = capsys.readouterr().out.split("{")
    assert "zwizard resume web" in people
    assert "zwizard cancel web" in people
    assert '"event": "build-detached", "build": "web"' in programs


@pytest.mark.parametrize("number", SIGNALS[1:])
def test_a_signal_ends_a_command_without_a_job_like_ctrl_c(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "zwizard", "build", "-"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as command:
        until(lambda: "pipe" in Path(f"/proc/{command.pid}/wchan").read_text())
        command.send_signal(number)
        _, errors = command.communicate()
    assert (command.returncode, errors.strip()) == (130, "zwizard: interrupted")
