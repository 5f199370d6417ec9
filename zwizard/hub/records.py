"""Uploads that are done: which bytes are where on a hub."""

import contextlib
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from zwizard.engine import builds
from zwizard.engine.layers import discard
from zwizard.hub.upload import Upload, UploadRequest
from zwizard.util import paths, state_files
from zwizard.util.state_files import DamagedError
from zwizard.util.text import ago


@dataclass(frozen=True)
class UploadRecord:
    """The flist at ``url`` with this ``md5``, which held the archive at ``at`` (since 1970).

    ``unpacked`` are bytes.
    """

    url: str
    md5: str
    hub: str
    user: str
    flist: str
    archive_sha256: str
    unpacked: int
    at: float

    def to_json(self) -> dict[str, object]:
        """As ``list --json`` gives it."""
        return asdict(self)


def home(archive: Path) -> Path:
    """Where the uploads of this archive are: in the build that makes it, if one does."""
    build = builds.making(archive)
    return (build.directory if build else paths.state()) / "uploads"


def all_records() -> list[UploadRecord]:
    """Every upload that is done, the latest first."""
    roots = [paths.state(), *(build.directory for build in builds.everything())]
    found = (_read(Upload(entry)) for root in roots for entry in (root / "uploads").glob("*"))
    return sorted((record for record in found if record), key=lambda r: r.at, reverse=True)


def _read(job: Upload) -> UploadRecord | None:
    try:
        data = state_files.read_json(job.record, "Upload it again.")
        return UploadRecord(**{item.name: data[item.name] for item in fields(UploadRecord)})
    except (OSError, DamagedError, KeyError, TypeError):
        return None  # it is running, was stopped, or is damaged: it is not uploaded


def uploaded_digests() -> dict[str, UploadRecord]:
    """The latest upload of each archive, by its SHA-256."""
    latest: dict[str, UploadRecord] = {}
    for record in all_records():
        latest.setdefault(record.archive_sha256, record)
    return latest


def last_upload_of(sha256: str) -> UploadRecord | None:
    """The latest upload of the archive with this SHA-256, or None."""
    return uploaded_digests().get(sha256) if sha256 else None


def describe(record: UploadRecord, now: float) -> str:
    """An upload in a line; ``now`` is in seconds since 1970."""
    return f"{record.url}, {ago(record.at, now)}, md5 {record.md5}"


def unfinished(request: UploadRequest) -> Upload | None:
    """The upload with this request that runs, or was stopped or failed."""
    for job in _jobs(request):
        if not job.record.exists() and UploadRequest.load(job.request).place == request.place:
            return job
    return None


def remove_others(request: UploadRequest, kept: Upload) -> None:
    """Remove what is known of earlier uploads to the same flist, which ``kept`` has replaced."""
    for job in _jobs(request):
        before = UploadRequest.load(job.request)
        same = (before.hub, before.flist, before.user) == (
            request.hub, request.flist, request.user,
        )  # fmt: skip
        if same and job != kept and job.record.exists() and not job.running():
            discard(job.directory)


def _jobs(request: UploadRequest) -> list[Upload]:
    found = []
    place = home(request.archive)
    for entry in sorted(place.iterdir()) if place.is_dir() else ():
        with contextlib.suppress(OSError, DamagedError, KeyError, TypeError):
            UploadRequest.load(Upload(entry).request)
            found.append(Upload(entry))
    return found
