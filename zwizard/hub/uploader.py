"""The worker of an upload: reads the archive, carries out the exchange, writes the record."""

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

from zwizard.hub import records, token
from zwizard.hub.client import Client, Patience, StoppedError
from zwizard.hub.exchange import DifferentError, Exchange
from zwizard.hub.upload import Upload, UploadRequest
from zwizard.image import UnreadableError
from zwizard.image.flist.compare import read_archive
from zwizard.jobs import journal
from zwizard.jobs.events import (
    Event,
    UploadFailed,
    UploadFinished,
    UploadPhase,
    UploadProgress,
    UploadRemoved,
    UploadStarted,
)
from zwizard.util import paths
from zwizard.util.documents import document

_EVERY = 0.25  # seconds between notes of progress


def work(job: Upload, workspace: Path, *patience: str) -> int:  # noqa: ARG001
    """Carry out an upload; the token comes by standard input. ``patience``: that of a test."""
    secret = sys.stdin.read()
    request = UploadRequest.load(job.request)
    client = Client(
        request.hub,
        token.read(secret, request.hub),
        request.user,
        Patience(**json.loads(patience[0])) if patience else Patience(),
    )
    return upload(job, request, client)


def upload(job: Upload, request: UploadRequest, client: Client) -> int:
    """Carry out an upload; its exit status."""
    started = time.monotonic()
    left, sent, waited = left_by(journal.replay(job.journal))

    def note(event: Event) -> None:
        journal.append(job.journal, event)

    shown = 0.0

    def progress(done: int, total: int) -> None:
        nonlocal shown
        if job.cancel_request.exists():
            raise StoppedError
        if time.monotonic() > shown + _EVERY:
            shown = time.monotonic()
            note(UploadProgress(done=done, total=total))

    note(
        UploadStarted(
            artefact=str(request.archive), hub=request.hub, flist=f"{request.flist}.flist"
        )
    )
    note(UploadPhase(phase="reading"))
    try:
        archive = read_archive(request.archive, progress=progress)
        with archive.tree:
            if archive.digest.sha256 != request.sha256:
                raise UnreadableError(
                    f"{request.archive} was changed since it was checked", "Upload it again."
                )
            published = Exchange(
                client, request.archive, archive, request.flist, request.replace, note,
                job.cancel_request.exists, left, sent, waited, request.deep,
            ).run()  # fmt: skip
            unpacked = archive.counts().fullsize
    except StoppedError:
        job.cancel_request.touch()
        return job.cancelled().exit_code  # the supervisor writes the event
    except DifferentError as error:
        note(UploadFailed(error=error.message, hint=error.hint, differences=error.differences))
        return 1
    done = UploadFinished(
        url=published.url,
        md5=published.md5,
        hub=request.hub,
        user=published.user,
        flist=f"{request.flist}.flist",
        artefact=str(request.archive),
        archive_sha256=archive.digest.sha256,
        entries=published.comparison.entries,
        chunks=published.comparison.blocks,
        unpacked=unpacked,
        seconds=round(time.monotonic() - started, 1),
        sent=published.sent,
        stored=published.stored,
    )
    record = {**asdict(done), "at": round(time.time(), 1)}
    paths.write_atomically(job.record, document(record))
    note(done)
    records.remove_others(request, job)
    return 0


def left_by(events: list[Event]) -> tuple[list[str], str, float]:
    """Temporary names that earlier runs may have left, which of them was sent whole, since when.

    The time is in seconds.
    """
    left: list[str] = []
    sent, at = "", 0.0
    for event in events:
        match event:
            case UploadPhase(phase="sending", temporary=name):
                left.append(name)
            case UploadPhase(phase="unpacking", temporary=name):
                sent, at = name, event.at
            case UploadRemoved(temporary=name) if name in left:
                left.remove(name)
            case UploadFinished():
                left, sent = [], ""
    return left, sent if sent in left else "", max(0.0, time.time() - at)
