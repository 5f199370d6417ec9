"""A boot test as a job: what is booted, and the directory with all that belongs to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from zwizard.host.privileges import Privilege
from zwizard.jobs.events import BootTestCancelled, BootTestFailed, BootTestInterrupted
from zwizard.jobs.job import Job, JobFile
from zwizard.util import state_files


@dataclass(frozen=True)
class BootTestRequest:
    """What to boot. ``timeout`` in seconds, ``disk_size`` in bytes; None is the default.

    ``entrypoint`` (one line) and ``environment`` are a container's; without them its recipe's are
    taken, if a build made it. ``layers`` is where a kernel to boot containers with is kept.
    """

    artefact: Path
    timeout: float | None = None
    entrypoint: str = ""
    disk_size: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    layers: Path = Path("/nonexistent")

    def to_json(self) -> str:
        """As text, for the file that :meth:`load` reads."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def load(cls, path: Path) -> BootTestRequest:
        """The one in a file; raises UsageError, KeyError or TypeError if it is none."""
        values = state_files.read_json(path, "Start the boot test again.")
        request = cls(**values)
        return replace(request, artefact=Path(values["artefact"]), layers=Path(values["layers"]))


class BootTest(Job):
    """One boot test."""

    worker = "zwizard.boottest.runner"
    failed = BootTestFailed
    cancelled = BootTestCancelled
    interrupted = BootTestInterrupted
    attended = True

    request = JobFile("request.json")
    console = JobFile("console.log")  # what the machine printed on its serial console
    report = JobFile("report.json")
    report_text = JobFile("report.txt")  # for people

    def workspace(self, cache: Path, privilege: Privilege) -> Path:  # noqa: ARG002
        """Below the cache."""
        return cache / "boot-tests" / self.id
