"""Boot tests that ended: which bytes were booted, and whether they passed."""

import contextlib
import errno
import hashlib
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from zwizard.boottest.request import BootTest, BootTestRequest
from zwizard.engine import builds
from zwizard.engine.layers import discard
from zwizard.util import paths, state_files
from zwizard.util.hashing import sha256_of
from zwizard.util.state_files import DamagedError
from zwizard.util.text import ago

_GRACE = 60.0  # seconds in which a boot test may be starting


@dataclass(frozen=True)
class BootTestRecord:
    """A boot test that ended, in ``directory`` with its console and its report.

    ``sha256`` and ``bytes`` are those of the artefact; ``at`` is in seconds since 1970,
    ``seconds`` how long it took.
    """

    directory: Path
    artefact: str
    sha256: str
    bytes: int
    passed: bool
    at: float
    seconds: float


def home(artefact: Path) -> Path:
    """Where the boot tests of this artefact are: in the build that makes it, if one does."""
    build = builds.making(artefact)
    return (build.directory if build else paths.state()) / "boot-tests"


def all_records() -> list[BootTestRecord]:
    """Every boot test that ended, the latest first."""
    roots = [paths.state(), *(build.directory for build in builds.everything())]
    found = (_read(entry) for root in roots for entry in (root / "boot-tests").glob("*"))
    return sorted((record for record in found if record), key=lambda r: r.at, reverse=True)


def _read(directory: Path) -> BootTestRecord | None:
    try:
        report = state_files.read_json(BootTest(directory).report, "Start the boot test again.")
        names = ("artefact", "sha256", "bytes", "passed", "at", "seconds")
        return BootTestRecord(directory, **{name: report[name] for name in names})
    except (OSError, DamagedError, KeyError, TypeError):
        return None  # it is running, was stopped, or its report is damaged: it is not tested


def last_test_of(sha256: str) -> BootTestRecord | None:
    """The latest boot test of the artefact with this SHA-256, or None."""
    return next((record for record in all_records() if sha256 and record.sha256 == sha256), None)


def last_test_of_file(path: Path) -> BootTestRecord | None:
    """The same for the file or directory ``path``, read only if a boot test may be of it."""
    name, length = str(path.resolve()), total(path)
    try:
        maybe = any(
            record.bytes == length and (length or record.artefact == name)
            for record in all_records()
        )
        return last_test_of(digest(path)) if maybe else None
    except OSError:
        return None  # what this user may not read was not tested by this user


def tested_digests() -> frozenset[str]:
    """The SHA-256 of all artefacts whose latest boot test passed."""
    latest: dict[str, BootTestRecord] = {}
    for record in all_records():
        latest.setdefault(record.sha256, record)
    return frozenset(sha256 for sha256, record in latest.items() if record.passed)


def describe(record: BootTestRecord, now: float) -> str:
    """A boot test in a line: its verdict, when it was (``now``: since 1970), its report."""
    verdict = "passed" if record.passed else "failed"
    return f"{verdict} {ago(record.at, now)}: {record.directory / 'report.txt'}"


def remove_others(kept: BootTest, artefact: Path) -> None:
    """Remove the boot tests of ``artefact`` that ended or were stopped, but for ``kept``."""
    for entry in list(kept.directory.parent.iterdir()):
        job = BootTest(entry)
        with contextlib.suppress(OSError, DamagedError, KeyError, TypeError):
            same = BootTestRequest.load(job.request).artefact == artefact
            started = time.time() - job.request.stat().st_mtime > _GRACE
            over = job.report.exists() or (started and not job.running())
            if same and over and job != kept:
                discard(entry)


def digest(path: Path) -> str:
    """The SHA-256 of a file, or of the names, modes, owners and contents in a directory."""
    if path.is_file():
        return sha256_of(path)
    command = ("tar", "--create", "--sort=name", "--mtime=@0", "--numeric-owner", "--directory")
    output, silent = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen([*command, path, "."], stdout=output, stderr=silent) as tar:
        summed = hashlib.file_digest(tar.stdout, "sha256")  # type: ignore[arg-type]
    if tar.returncode > 1:  # 1: a file changed meanwhile
        raise OSError(errno.EACCES, "not all of it can be read", str(path))
    return summed.hexdigest()


def total(path: Path) -> int:
    """The size of a file in bytes; 0 for a directory."""
    return path.stat().st_size if path.is_file() else 0
