"""The process that carries a plan out: it holds the build, and clears up behind its worker."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from zwizard.engine.builds import Build
from zwizard.engine.layers import Store
from zwizard.host.privileges import Privilege, privilege
from zwizard.jobs import journal
from zwizard.util import paths
from zwizard.util.errors import ZwizardError

_MODULE = "zwizard.jobs.supervisor"  # what -m takes, also where __name__ is __main__
_WORKER = "zwizard.engine.worker"  # named, not imported: it brings everything along
# The events after which a runner only tidies up.
LAST = frozenset({"build-finished", "build-failed", "build-cancelled", "build-interrupted"})


def start(build: Build, *, fresh: bool = False) -> int | None:
    """Start the runner of ``build``, and return when it holds the build; it outlives the caller.

    ``fresh`` makes every layer anew. Returns where in the journal (bytes) what it says begins; a
    runner that is already at work is left at it, and None returned. Raises ZwizardError if it does
    not come up, with what it printed.
    """
    if _at_work(build):
        return None
    right = privilege()
    if right.mode == "none":
        raise ZwizardError(right.description, right.remedy)
    begun = _length(build.journal)
    build.cancel_request.unlink(missing_ok=True)
    (paths.cache() / "layers").mkdir(parents=True, exist_ok=True)  # by this user, not by sudo's
    command = (*right.launch(), sys.executable, "-m", _MODULE, str(build.directory))
    with build.runner_log.open("wb") as output:
        process = subprocess.Popen(
            [*command, str(paths.cache()), *(("--fresh",) if fresh else ())],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # sudo knows whom it has asked by this session; the supervisor leaves it by itself.
            start_new_session=right.mode != "sudo",
            cwd="/",
        )
    try:
        _await(build, begun, process)
    except KeyboardInterrupt:
        build.cancel_request.touch()  # it may not be seen to be at work yet
        _await(build, begun, process)
        raise
    finally:
        # It is nobody's child from here on, as far as this process cares.
        threading.Thread(target=process.wait, daemon=True).start()
    return begun


def _await(build: Build, begun: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until the runner has said something; raises ZwizardError if it ends without a word."""
    while _length(build.journal) == begun:
        if process.poll() is not None:
            said = build.runner_log.read_text("utf-8", "replace").strip()
            raise ZwizardError(
                f"the runner ended at once (exit status {process.returncode}): {said}",
                "With sudo: run `sudo -v` first.",
            )
        time.sleep(0.02)


def _at_work(build: Build) -> bool:
    """Whether a runner is at work; one that has said its last word is waited for till it is gone.

    So whoever tries again right after a failure gets a new run, not the end of the old one.
    """
    length = _length(build.journal)
    said = [event["event"] for event in journal.replay(build.journal)]
    leaving = bool(said) and said[-1] in LAST
    while build.running():
        if not leaving or _length(build.journal) > length:
            return True
        time.sleep(0.02)
    # One that came after it may have said all it had to say between two looks.
    return leaving and _length(build.journal) > length


def _length(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


# --- the supervisor: outside the namespaces, it holds the lock and clears up ---------------------


def supervise(build: Build, cache: Path, arguments: tuple[str, ...]) -> int:
    """Hold the build's lock, run the worker in namespaces of its own, and tidy up behind it."""
    with contextlib.suppress(PermissionError):
        os.setsid()  # unless it leads a session already
    right = privilege()
    descriptor = os.open(build.lock, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.stderr.write(f"{build.id} has a runner already\n")
        return 1
    store = Store(right.layers_below(cache))
    command = (*right.isolate(), sys.executable, "-m", _WORKER)
    # The lock goes on to the worker: it is held as long as either of them lives.
    worker = subprocess.Popen(
        [*command, str(build.directory), str(store.directory), *arguments],
        pass_fds=(descriptor,),
        preexec_fn=_die_with_parent,
    )
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # closing a terminal stops no build
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: build.cancel_request.touch())
    status = worker.wait()
    _sweep(store, build, right)
    build.cancel_request.unlink(missing_ok=True)
    if status != 0 and _unfinished(build):
        journal.append(
            build.journal,
            "build-interrupted",
            error=f"the runner ended before the build did: {_last_words(build, status)}",
            hint="Resume it: everything finished is kept.",
        )
    _give_back(build)
    os.close(descriptor)
    # Nobody has to wait for this: until it is done, layers count during this boot only.
    store.sync()
    return status


def _last_words(build: Build, status: int) -> str:
    from zwizard.engine.executor import describe

    said = build.runner_log.read_text("utf-8", "replace").strip().splitlines()
    if not said or said[-1].startswith("unshare:"):
        # unshare passes a signal on to itself, or fails to (util-linux 2.38).
        return "it was killed"
    return f"{said[-1]} ({describe(status)})"


def _die_with_parent() -> None:
    import ctypes

    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _sweep(store: Store, build: Build, right: Privilege) -> None:
    """Remove what an unfinished step left. Its files may belong to mapped users."""
    work = store.work(build.id)
    if work.exists():
        subprocess.run([*right.isolate(), "rm", "-rf", str(work)], check=False)


def _unfinished(build: Build) -> bool:
    last = [event["event"] for event in journal.replay(build.journal)][-1:]
    ends = {"build-finished", "build-failed", "build-cancelled"}
    return not (last and last[0] in ends)


def _give_back(build: Build) -> None:
    """Under sudo, what root wrote for the user becomes the user's: build and archive."""
    owner = build.directory.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        for path in (*build.directory.rglob("*"), build.directory, build.archive()):
            with contextlib.suppress(FileNotFoundError):
                os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def main(arguments: list[str]) -> int:
    """``BUILD CACHE [--fresh]``: supervise that build."""
    directory, cache, *options = arguments
    return supervise(Build(Path(directory)), Path(cache), tuple(options))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
