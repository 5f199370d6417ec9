"""Proofs at work: begun, stopped, and tidied up behind, whatever happens."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from zwizard.boottest import records
from zwizard.engine import builds
from zwizard.engine.layers import discard
from zwizard.host import tools
from zwizard.host.privileges import Privilege, privilege
from zwizard.jobs import journal
from zwizard.recipe.model import Recipe
from zwizard.sources import deployment
from zwizard.util import paths
from zwizard.util.errors import UsageError, ZwizardError, describe_os_error

_MODULE = "zwizard.boottest.session"  # what -m takes, also where __name__ is __main__
_TOOLS = ("qemu-system-x86_64", "mkfs.vfat", "mcopy", "ssh", "tar", "unshare", "mount")
_VM_TOOLS = ("virtiofsd",)
_IMAGE_TOOLS = ("OVMF",)
_GRACE = 60.0  # seconds after which what is not locked is nobody's
_WISHES = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)  # to stop
_LAST = frozenset({"proof-finished", "proof-failed", "proof-cancelled", "proof-interrupted"})


@dataclass(frozen=True)
class BootTestRequest:
    """What is to be proven. ``timeout`` in seconds, ``disk_size`` in bytes, or the usual.

    ``entrypoint`` is one line, and ``environment`` what a container gets: where they are not
    given, and a build made the artefact, as its recipe says. ``layers`` is where a kernel is kept
    to boot containers with.
    """

    artefact: Path
    timeout: float | None = None
    entrypoint: str = ""
    disk_size: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    layers: Path = Path("/nonexistent")


@dataclass(frozen=True)
class BootTestDirectory:
    """One proof: where it says what happens, and keeps what came of it."""

    directory: Path

    @property
    def journal(self) -> Path:
        """The journal."""
        return self.directory / "journal.jsonl"

    @property
    def wish(self) -> Path:
        """What was asked for."""
        return self.directory / "wish.json"

    @property
    def console(self) -> Path:
        """What the machine printed on its serial console."""
        return self.directory / "console.log"

    @property
    def report(self) -> Path:
        """The report as JSON; report.txt beside it is for people."""
        return self.directory / records.REPORT

    @property
    def log(self) -> Path:
        """What the proof's own processes printed: empty unless something broke."""
        return self.directory / "proof.log"

    @property
    def work(self) -> Path:
        """Where it keeps what it throws away; there as long as anything of it lives."""
        return _works() / self.directory.name


class BootTestProcess:
    """A proof that this process has begun. It ends with this process, if not before."""

    def __init__(self, run: BootTestDirectory, process: subprocess.Popen[bytes]) -> None:
        self.run = run
        self._process = process

    @property
    def running(self) -> bool:
        """Whether it is at work; afterwards nothing of it is left but what it kept."""
        if self._process.poll() is None:
            return True
        self.cancel()  # lets go of what held it
        if not _ended(self.run):
            _clear_up(self.run)
        return False

    def cancel(self) -> None:
        """Stop it. It is gone a moment later."""
        assert self._process.stdin is not None
        self._process.stdin.close()


def start(wish: BootTestRequest) -> BootTestProcess:
    """Begin a proof; ZwizardError if this machine lacks what it takes, before anything runs."""
    artefact = wish.artefact.resolve()
    if not artefact.exists():
        raise UsageError(
            f"{wish.artefact} is not there", "Name a directory, .tar.gz or image.raw."
        )
    check_tools(artefact)
    right = privilege()
    if right.mode == "none":
        raise ZwizardError(right.description, right.remedy)
    run = _new_run(artefact)
    _forget_unfinished(run, artefact)
    made = builds.container_at(artefact)
    recipe = made[0] if made else None
    told = {
        "artefact": str(artefact),
        "timeout": wish.timeout,
        "entrypoint": wish.entrypoint or (deployment.entrypoint(recipe) if recipe else None) or "",
        "disk_size": wish.disk_size,
        "environment": {**(_environment(recipe) if recipe else {}), **wish.environment},
        "layers": str(right.layers_below(paths.cache())),
    }
    run.wish.write_text(json.dumps(told), "utf-8")
    _works().mkdir(parents=True, exist_ok=True)  # by this user, not by sudo's
    with run.log.open("wb") as output:
        process = subprocess.Popen(
            [*right.launch(), sys.executable, "-m", _MODULE, str(run.directory), str(run.work)],
            stdin=subprocess.PIPE,  # its end is the end of the proof
            stdout=output,
            stderr=subprocess.STDOUT,
            # sudo knows whom it has asked by this session.
            start_new_session=right.mode != "sudo",
            cwd="/",
        )
    return BootTestProcess(run, process)


def _environment(recipe: Recipe) -> dict[str, str]:
    """What the recipe's deployment sets; a proof has no secrets, so those are made up."""
    given = deployment.environment(recipe)
    return {name: value or "made-up" for name, value in given.items()}


def check_tools(artefact: Path) -> None:
    """ZwizardError naming what this machine lacks for a proof, with what installs it."""
    disk = artefact.is_file() and artefact.suffix == ".raw"
    lacking = tools.missing((*_TOOLS, *(_IMAGE_TOOLS if disk else _VM_TOOLS)))
    if lacking:
        raise ZwizardError(
            f"missing on this machine: {', '.join(sorted(lacking))}",
            f"{tools.install_command(lacking)}   (or: zwizard doctor --install)",
        )


def _works() -> Path:
    return paths.cache() / "boot"


def _new_run(artefact: Path) -> BootTestDirectory:
    home = records.home(artefact)
    home.mkdir(parents=True, exist_ok=True)
    # virtiofsd takes what is behind a comma for another option.
    name = re.sub(r"[^\w-]", "-", artefact.name.partition(".")[0], flags=re.ASCII)[:30]
    directory = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=home))
    directory.chmod(0o755)
    return BootTestDirectory(directory)


def _forget_unfinished(fresh: BootTestDirectory, artefact: Path) -> None:
    """Remove what proofs of ``artefact`` have kept that were stopped, or could not be done."""
    for entry in list(fresh.directory.parent.iterdir()):
        run = BootTestDirectory(entry)
        with contextlib.suppress(OSError, ValueError, KeyError):
            ours = json.loads(run.wish.read_text("utf-8"))["artefact"] == str(artefact)
            old = time.time() - run.wish.stat().st_mtime > _GRACE  # others may just begin
            if ours and old and not run.report.exists() and not run.work.exists():
                discard(entry)


def _ended(run: BootTestDirectory) -> bool:
    return any(event["event"] in _LAST for event in journal.replay(run.journal))


# --- the supervisor: outside the namespaces, it ends the proof and clears up ---------------------


def supervise(run: BootTestDirectory, work: Path) -> int:
    """Carry the proof out in namespaces of its own until it ends or nobody wants it any more."""
    with contextlib.suppress(PermissionError):
        os.setsid()  # unless it leads a session already
    for number in _WISHES:
        signal.signal(number, _stop)
    right = privilege()
    _sweep(work.parent, right)
    work.mkdir()
    lock = os.open(work / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    fcntl.flock(lock, fcntl.LOCK_EX)
    status: int | None = None
    worker = subprocess.Popen(
        [
            *right.isolate(),
            sys.executable,
            "-m",
            _MODULE,
            "--inside",
            str(run.directory),
            str(work),
        ],
        stdin=subprocess.DEVNULL,
        pass_fds=(lock,),  # held as long as either of them lives
        preexec_fn=_die_with_parent,
    )
    try:
        status = _until_over(worker)
    except KeyboardInterrupt:
        pass
    finally:
        for number in _WISHES:
            signal.signal(number, signal.SIG_IGN)  # nothing keeps it from tidying up
        worker.kill()
        worker.wait()
        _remove(work, right)
        if not _ended(run):
            _say_how_it_ended(run, status)
        _give_back(run)
    return status or 0


def _stop(*_: object) -> None:
    raise KeyboardInterrupt


def _until_over(worker: subprocess.Popen[bytes]) -> int | None:
    """Wait for the worker's end, and return its status; None if whoever wanted it is gone."""
    ended = os.pidfd_open(worker.pid)
    wanted = sys.stdin.fileno()
    try:
        while True:
            ready, _, _ = select.select([ended, wanted], [], [])
            if ended in ready:
                return worker.wait()
            if not os.read(wanted, 4096):
                return None
    finally:
        os.close(ended)


def _say_how_it_ended(run: BootTestDirectory, status: int | None) -> None:
    if status is None:
        journal.append(run.journal, "proof-cancelled")
        return
    said = run.log.read_text("utf-8", "replace").strip().splitlines()
    # unshare passes a signal on to itself, or fails to (util-linux 2.38).
    killed = not said or said[-1].startswith("unshare:")
    why = "it was killed" if killed else said[-1]
    journal.append(
        run.journal,
        "proof-interrupted",
        error=f"the proof ended before its time: {why}",
        hint="Begin it again; the artefact is as it was.",
    )


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _remove(work: Path, right: Privilege) -> None:
    """Remove a working directory. What still writes to it is about to die of its namespace."""
    for _ in range(100):
        if not work.exists():
            return
        command = [*right.isolate(), "rm", "-rf", "--one-file-system", str(work)]
        subprocess.run(command, stderr=subprocess.DEVNULL, check=False)
        time.sleep(0.05)


def _sweep(works: Path, right: Privilege) -> None:
    """Remove what proofs have left behind whose supervisor was killed too."""
    for entry in works.iterdir() if works.is_dir() else ():
        if _abandoned(entry):
            _remove(entry, right)


def _abandoned(work: Path) -> bool:
    try:
        descriptor = os.open(work / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        # Made a moment ago, or by a supervisor that came no further.
        with contextlib.suppress(FileNotFoundError):
            return time.time() - work.stat().st_mtime > _GRACE
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def _clear_up(run: BootTestDirectory) -> None:
    """Do what the supervisor of ``run`` would have done, had it not been killed."""
    _remove(run.work, privilege())
    _say_how_it_ended(run, 1)


def _give_back(run: BootTestDirectory) -> None:
    """Under sudo, what root wrote for the user becomes the user's."""
    owner = run.directory.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        for path in run.directory.rglob("*"):
            with contextlib.suppress(FileNotFoundError):
                os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


# --- the worker: the first process of its PID namespace ------------------------------------------


def work_on(run: BootTestDirectory, work: Path) -> int:
    """The worker's whole life; what keeps it from its work goes to the journal."""
    from zwizard.boottest.runner import BootTest

    os.umask(0o022)
    told = json.loads(run.wish.read_text("utf-8"))
    artefact, layers = (Path(told.pop(name)) for name in ("artefact", "layers"))
    wish = BootTestRequest(artefact, layers=layers, **told)
    with _journalled(run):
        BootTest(run, wish, work).carry_out()
    return 0


@contextlib.contextmanager
def _journalled(run: BootTestDirectory) -> Iterator[None]:
    try:
        yield
    except (ZwizardError, OSError) as error:
        told = describe_os_error(error) if isinstance(error, OSError) else error
        journal.append(
            run.journal,
            "proof-failed",
            error=told.message,
            hint=told.hint,
            code=told.exit_code,
        )


def main(arguments: list[str]) -> int:
    """``RUN WORK`` supervises; ``--inside RUN WORK`` works."""
    directory, work = (Path(a) for a in arguments if not a.startswith("--"))
    run = BootTestDirectory(directory)
    return work_on(run, work) if "--inside" in arguments else supervise(run, work)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
