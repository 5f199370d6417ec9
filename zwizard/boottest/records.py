"""Proofs that are kept: what was booted, what came of it, and which bytes that is true of."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from zwizard.engine import builds
from zwizard.engine.layers import discard
from zwizard.util import paths
from zwizard.util.hashing import sha256_of
from zwizard.util.text import ago

REPORT = "report.json"


@dataclass(frozen=True)
class BootTestRecord:
    """One proof that came to its end, in ``directory`` with its console and its report.

    ``sha256`` is the sum of the artefact's bytes, ``bytes`` their number; ``at`` is in seconds
    since 1970, ``seconds`` how long it took. ``proven``: everything held.
    """

    directory: Path
    artefact: str
    sha256: str
    bytes: int
    passed: bool
    at: float
    seconds: float


def home(artefact: Path) -> Path:
    """Where the proofs of this artefact go: beside the build that makes it, if one does."""
    build = builds.making(artefact)
    return (build.directory if build else paths.state()) / "proofs"


def all_records() -> list[BootTestRecord]:
    """Every proof that came to its end, the latest first."""
    homes = [paths.state() / "proofs", *(b.directory / "proofs" for b in builds.everything())]
    found = (_read(entry) for place in homes if place.is_dir() for entry in place.iterdir())
    return sorted((record for record in found if record), key=lambda r: r.at, reverse=True)


def _read(directory: Path) -> BootTestRecord | None:
    try:
        told = json.loads((directory / REPORT).read_text("utf-8"))
        return BootTestRecord(
            directory,
            str(told["artefact"]),
            str(told["sha256"]),
            int(told["bytes"]),
            told["proven"] is True,
            float(told["at"]),
            float(told["seconds"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None  # it is still going on, or was broken off


def last_test_of(sha256: str) -> BootTestRecord | None:
    """The latest proof of the artefact with this sum, proven or not; None if there is none."""
    return next((record for record in all_records() if sha256 and record.sha256 == sha256), None)


def last_test_of_file(path: Path) -> BootTestRecord | None:
    """The same for the artefact at ``path``, which is read only if a proof may be of it."""
    wanted, length = str(path.resolve()), total(path)
    try:
        maybe = any(
            record.bytes == length and (length or record.artefact == wanted)
            for record in all_records()
        )
        return last_test_of(digest(path)) if maybe else None
    except OSError:
        return None  # what may not be read was not proven by this user


def tested_digests() -> frozenset[str]:
    """The sums of all artefacts whose latest proof held."""
    latest: dict[str, BootTestRecord] = {}
    for record in all_records():
        latest.setdefault(record.sha256, record)
    return frozenset(sum_ for sum_, record in latest.items() if record.passed)


def told(record: BootTestRecord, now: float) -> str:
    """A proof in a line: what it came to, when (``now``: seconds since 1970), its report."""
    verdict = "proven" if record.passed else "NOT proven"
    return f"{verdict} {ago(record.at, now)}: {record.directory / 'report.txt'}"


def remove_superseded(kept: Path, artefact: str) -> None:
    """Remove the older proofs of ``artefact`` beside the one in the directory ``kept``."""
    for entry in kept.parent.iterdir():
        record = _read(entry) if entry != kept else None
        if record and record.artefact == artefact:
            discard(entry)


def digest(path: Path) -> str:
    """The SHA-256 of a file; of a directory, that of its names, modes, owners and contents."""
    if path.is_file():
        return sha256_of(path)
    summed = hashlib.sha256()
    for line in _lines(path, b""):
        summed.update(line)
    return summed.hexdigest()


def total(path: Path) -> int:
    """The bytes of a file; 0 for a directory, whose size says nothing about it."""
    return path.stat().st_size if path.is_file() else 0


def _lines(root: Path, inside: bytes) -> list[bytes]:
    """A line for each entry below ``inside``: it differs where the entries differ."""
    lines = []
    with os.scandir(os.path.join(os.fsencode(root), inside)) as found:  # noqa: PTH118 - bytes
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        info = entry.stat(follow_symlinks=False)
        name = inside + b"/" + entry.name if inside else entry.name
        content = b""
        if stat.S_ISREG(info.st_mode):
            with open(entry.path, "rb") as file:  # noqa: PTH123 - bytes
                content = hashlib.file_digest(file, "sha256").digest()
        elif stat.S_ISLNK(info.st_mode):
            content = os.readlink(entry.path)  # noqa: PTH115 - bytes
        lines.append(b"%b\0%o %d %d %d\0%b\n" % (
            name, info.st_mode, info.st_uid, info.st_gid, info.st_rdev, content,
        ))  # fmt: skip
        if stat.S_ISDIR(info.st_mode):
            lines += _lines(root, name)
    return lines
