"""Prepare uploads: what is uploaded where, whether it is ready, and what is on the hub by now."""

import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zwizard import checks
from zwizard.checks import Mode
from zwizard.engine import verdicts
from zwizard.hub import names, records, token
from zwizard.hub.client import Client
from zwizard.hub.token import Token
from zwizard.hub.upload import Upload, UploadRequest
from zwizard.image.flist.tree import require_contents
from zwizard.util import paths, places
from zwizard.util.errors import UsageError
from zwizard.util.hashing import sha256_of
from zwizard.util.units import MIB

_SPACE = 300 * MIB  # for a flist and its database


@dataclass(frozen=True)
class CheckedArchive:
    """An archive with the SHA-256 that the checklist's verdict is about."""

    path: Path
    sha256: str
    ready: bool
    errors: int
    mode: Mode


def target(path: Path, hub: str | None, name: str | None, user: str | None) -> UploadRequest:
    """What to upload where, its sum not known yet; UsageError if that cannot be."""
    archive = path.resolve()
    flist = names.flist(path.name, name)
    if not archive.is_file():
        what = "is no file" if archive.exists() else "does not exist"
        raise UsageError(f"{path} {what}", "Name a .tar.gz.")
    require_contents(archive)
    return UploadRequest(archive, "", names.hub(hub), flist, names.user(user))


def check(archive: Path) -> CheckedArchive:
    """The checklist's verdict on the archive: that of its build, if it is of these bytes."""
    if build := verdicts.about(archive):
        verdict = verdicts.of_archive(build)
        report, sha256 = verdict.report, verdict.sha256
    else:
        with ThreadPoolExecutor(1) as beside:
            hashed = beside.submit(sha256_of, archive)
            report = checks.check(archive)
            sha256 = hashed.result()
    errors = sum(finding.blocks for finding in report.findings)
    return CheckedArchive(archive, sha256, report.ready, errors, report.mode)


def look(request: UploadRequest, own: Token) -> tuple[str, Mapping[str, Any] | None]:
    """The account that uploads, and the flist of this name on the hub; HubError if refused."""
    client = Client(request.hub, own, request.user)
    user = client.me()
    found = client.light(user, request.flist)
    if found is not None:
        known = client.archive_sum(user, request.flist)
        found = {**found, "same": bool(request.sha256) and known == request.sha256}
    return user, found


def read_token(text: str, hub: str) -> Token:
    """The token ``text``, or that of the environment or the keyring; UsageError if none is."""
    return token.read(text or token.find(hub), hub)


def prepare(request: UploadRequest) -> Upload:
    """The upload to start: a running or stopped one of the same, or a new one."""
    places.require({paths.state(): MIB, paths.cache(): _SPACE})
    job = records.unfinished(request)
    if job is None:
        home = records.home(request.archive)
        home.mkdir(parents=True, exist_ok=True)
        job = Upload(Path(tempfile.mkdtemp(prefix=f"{request.flist[:30]}-", dir=home)))
        job.directory.chmod(0o755)
    if not job.running():
        paths.write_atomically(job.request, request.to_json())
    return job
