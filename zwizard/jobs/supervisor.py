"""Start jobs, and supervise each: hold its lock, run its worker, clear up behind it."""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from zwizard.host.privileges import Privilege
from zwizard.jobs import journal, lock
from zwizard.jobs.events import Event
from zwizard.jobs.job import Job, load
from zwizard.util import paths, places, state_files
from zwizard.util.errors import ZwizardError

_MODULE = "zwizard.jobs.supervisor"  # what -m takes, also where __name__ is __main__
_WORKER = "zwizard.jobs.worker"
_POLL = 0.02  # seconds
_NOTES = 1 << 20  # bytes that a run needs at least for its journal
_LOOK = 0.2  # seconds between looks for a cancel request
_SECRETS = frozenset({"ZWIZARD_HUB_TOKEN", "ZFLIST_HUB_TOKEN"})  # of the environment
_BUSY = 75  # exit status of a supervisor that finds the job running


def start(job: Job, *options: str, secret: bytes = b"") -> None:
    """Start ``job`` unless it is running, and return when its journal tells of the run.

    The worker reads ``secret`` (below 64 KiB) from its standard input, so that it is in no file,
    argument or environment. A run that has just ended is waited for, so that the job is started
    again. Raises ZwizardError
    if it does not come up, with what it printed, or if its directory is damaged.
    """
    for file in (job.journal, job.log, job.lock, job.cancel_request):
        if os.path.lexists(file):
            state_files.require_file(file, "Move it away, and start again.")
    while True:
        while job.running():
            if not job.ended():
                return
            time.sleep(_POLL)
        if _launch(job, options, secret):
            return


def _launch(job: Job, options: tuple[str, ...], secret: bytes) -> bool:
    """Start a supervisor; False if another one was quicker."""
    privilege = job.privilege()
    privilege.require()
    before = job.journal_size()
    job.cancel_request.unlink(missing_ok=True)
    # By this user, not by sudo's.
    job.workspace(paths.cache(), privilege).parent.mkdir(parents=True, exist_ok=True)
    command = (sys.executable, "-m", _MODULE, job.kind(), str(job.directory), str(paths.cache()))
    with open(job.log, "wb", opener=paths.private) as output:
        process = subprocess.Popen(
            [*privilege.launch(), *command, *options],
            stdin=subprocess.PIPE if job.attended or secret else subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # sudo recognises by the session whom it has asked; the supervisor leaves it itself.
            start_new_session=privilege.mode != "sudo",
            cwd="/",
            env={name: value for name, value in os.environ.items() if name not in _SECRETS},
        )
    if secret:
        _hand_over(secret, process)
    # The thread ends with this process, and closes what an attended job reads from.
    threading.Thread(target=_reap, args=(job, process), daemon=True).start()
    return _await(job, before, process)


def _hand_over(secret: bytes, process: subprocess.Popen[bytes]) -> None:
    assert process.stdin
    with contextlib.suppress(BrokenPipeError), process.stdin:  # it has ended at once
        process.stdin.write(secret)


def _reap(job: Job, process: subprocess.Popen[bytes]) -> None:
    process.wait()
    if job.attended and process.stdin:
        process.stdin.close()
        recover(job)  # an attended job is nobody else's


def _await(job: Job, before: int, process: subprocess.Popen[bytes]) -> bool:
    """Wait for the first event of the run."""
    while job.journal_size() == before:
        status = process.poll()
        if status == _BUSY:
            return False
        if status is not None:
            full = places.lack_of_space(job.directory, _NOTES)
            output = full or job.log.read_text("utf-8", "replace").strip()
            raise ZwizardError(
                f"the process of {job.id} ended at once (exit status {status}): {output}",
                places.remedy(job.directory) if full else "With sudo: run `sudo -v` first.",
            )
        time.sleep(_POLL)
    return True


def recover(job: Job) -> None:
    """Do what the supervisor would have done, if it was killed: clear up, write the last event."""
    with contextlib.suppress(OSError):  # with sudo all this is root's
        if job.ended() or (held := lock.acquire(job.lock)) is None:
            return
        try:
            if not job.ended():  # nobody else was quicker
                privilege = job.privilege()
                _clear(job.workspace(paths.cache(), privilege), privilege)
                journal.append(job.journal, job.interrupted())
        finally:
            os.close(held)


# --- the supervisor ------------------------------------------------------------------------------


def supervise(job: Job, cache: Path, options: tuple[str, ...]) -> int:
    """Run the worker in namespaces of its own until its end; its exit status."""
    with contextlib.suppress(PermissionError):
        os.setsid()  # unless it leads a session already
    held = job.hold()
    if held is None:
        return _BUSY
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _: _on_signal(job, number))
    privilege = job.privilege()
    workspace = job.workspace(cache, privilege)
    claimed = lock.claim(workspace, lambda abandoned: _clear(abandoned, privilege))
    command = (sys.executable, "-m", _WORKER, job.kind(), str(job.directory), str(workspace))
    worker = subprocess.Popen(
        [*privilege.isolate(), *command, *options],
        stdin=subprocess.DEVNULL if job.attended else None,  # a secret comes there
        pass_fds=(held, claimed),  # locked as long as supervisor or worker lives
        preexec_fn=_die_with_parent,
        process_group=0,
    )
    status = _wait(job, worker)
    os.close(claimed)
    if not job.ended():
        cancelled = job.cancel_request.exists()
        journal.append(job.journal, job.cancelled() if cancelled else _interrupted(job))
    _clear(workspace, privilege)  # a large tree takes seconds; nobody has to wait for it
    job.cancel_request.unlink(missing_ok=True)
    _give_back(job)
    os.close(held)
    job.after_end(workspace)
    return status


def _on_signal(job: Job, number: int) -> None:
    if job.attended or number != signal.SIGHUP:  # closing a terminal stops no other job
        job.cancel_request.touch()


def _wait(job: Job, worker: subprocess.Popen[bytes]) -> int:
    """Wait for the worker's end; kill it if it is cancelled, or attended and its caller ends."""
    ended = os.pidfd_open(worker.pid)
    caller = sys.stdin.fileno()
    watched = [ended, caller] if job.attended else [ended]
    ready: list[int] = []
    while ended not in ready:
        if job.cancel_request.exists():  # perhaps before the worker came up
            select.select([ended], [], [], job.grace)
            # Its group: unshare may not have tied the worker's end to its own yet.
            os.killpg(worker.pid, signal.SIGKILL)
            break
        ready = select.select(watched, [], [], _LOOK)[0]
        if caller in ready and not os.read(caller, 4096):
            job.cancel_request.touch()
    return worker.wait()


def _interrupted(job: Job) -> Event:
    """The event that tells why the worker ended early, by the last line that it printed."""
    lines = job.log.read_text("utf-8", "replace").strip().splitlines()
    # unshare passes a signal on to itself, or fails to (util-linux 2.38).
    if not lines or lines[-1].startswith("unshare:"):
        return job.interrupted()
    return job.interrupted(error=f"{job.id} ended early: {lines[-1]}")


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _clear(workspace: Path, privilege: Privilege) -> None:
    """Remove a workspace. What still writes to it is about to die with its namespace."""
    for _ in range(100):
        if not workspace.exists():
            return
        privilege.remove(workspace)
        time.sleep(_POLL)


def _give_back(job: Job) -> None:
    """Under sudo, make what root wrote for the user the user's."""
    owner = job.directory.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        for path in (*job.directory.rglob("*"), *job.outputs()):
            with contextlib.suppress(FileNotFoundError):
                os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def main(arguments: list[str]) -> int:
    """``MODULE:CLASS DIRECTORY CACHE [OPTION...]``: supervise that job."""
    kind, directory, cache, *options = arguments
    return supervise(load(kind, directory), Path(cache), tuple(options))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
