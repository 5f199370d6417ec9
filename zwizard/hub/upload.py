"""An upload as a job: what is uploaded, and the directory with all that belongs to it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from zwizard.host.privileges import OWN, Privilege
from zwizard.hub.client import Patience
from zwizard.jobs.events import UploadCancelled, UploadFailed, UploadInterrupted
from zwizard.jobs.job import Job, JobFile
from zwizard.util import state_files

_CLEARING = 10 * 60.0  # seconds


@dataclass(frozen=True)
class UploadRequest:
    """What to upload: ``archive`` with the SHA-256 that was checked, to ``flist`` on ``hub``.

    ``user``: the account in place of the token's, "" for that; ``replace``: a flist of this name;
    ``deep``: ask the hub's store for every block.
    """

    archive: Path
    sha256: str
    hub: str
    flist: str
    user: str = ""
    replace: bool = False
    deep: bool = False

    @property
    def place(self) -> tuple[object, ...]:
        """What two runs of one upload have in common."""
        return (self.archive, self.sha256, self.hub, self.flist, self.user)

    def to_json(self) -> str:
        """As text, for the file that :meth:`load` reads."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def load(cls, path: Path) -> UploadRequest:
        """The one in a file; raises UsageError, KeyError or TypeError if it is none."""
        values: dict[str, Any] = state_files.read_json(path, "Upload it again.")
        request = cls(**values)
        return replace(request, archive=Path(values["archive"]))


class Upload(Job):
    """One upload. It ends by itself when it is cancelled: it removes what is on the hub first."""

    worker = "zwizard.hub.uploader"
    failed = UploadFailed
    cancelled = UploadCancelled
    interrupted = UploadInterrupted
    grace = 2 * Patience().unpacking + _CLEARING

    request = JobFile("request.json")
    record = JobFile("record.json")  # what is on the hub, once it is there

    def privilege(self) -> Privilege:
        """It runs no other program."""
        return OWN

    def workspace(self, cache: Path, privilege: Privilege) -> Path:  # noqa: ARG002
        """Below the cache."""
        return cache / "uploads" / self.id
