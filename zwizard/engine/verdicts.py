"""The checklist's verdict on the archive of a build: it belongs to the bytes that were checked."""

import json
import shlex
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zwizard import __version__, checks
from zwizard.checks import Finding, Report
from zwizard.checks.report.report import Group
from zwizard.engine import builds, status
from zwizard.engine.builds import Build
from zwizard.jobs import events, journal
from zwizard.sources import deployment
from zwizard.util import paths
from zwizard.util.errors import ZwizardError
from zwizard.util.text import parse_size


class LostArchiveError(ZwizardError):
    """The archive is not the one that was checked: its ``state`` is changed or missing."""

    def __init__(self, state: status.State, message: str, hint: str) -> None:
        super().__init__(message, hint)
        self.state = state


Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Verdict:
    """A report, and the SHA-256 of the archive that it is about."""

    report: Report
    sha256: str

    @property
    def blocking(self) -> list[dict[str, str]]:
        """The findings that keep the archive from being ready, for an event."""
        return _for_event(found for found in self.report.findings if found.blocks)

    @property
    def warnings(self) -> list[dict[str, str]]:
        """The ``should`` rules that failed, for an event."""
        return _for_event(self.report.under(Group.WARNING))


def _for_event(findings: Iterable[Finding]) -> list[dict[str, str]]:
    data = (finding.to_json() for finding in findings)
    return [{key: found[key] for key in ("rule", "evidence", "fix")} for found in data]


def kept(build: Build) -> Verdict:
    """The latest verdict on the archive of ``build``, whatever became of the archive since.

    OSError or ValueError if there is none.
    """
    return _kept(build)[0]


def verified(build: Build) -> Report:
    """The report on the archive as it is now, read to its end; ZwizardError if it is of others."""
    archive = build.archive()
    try:
        verdict = kept(build)
    except ValueError as error:
        raise ZwizardError(f"{build.report_file}: {error}", "Build it again.") from None
    if not archive.exists():
        again = f"Make it again from the cache: zwizard resume {build.id}"
        raise LostArchiveError("missing", f"{archive} is missing", again)
    if build.user_files.digest(archive) != verdict.sha256:
        again = f"Check it again: zwizard check {shlex.quote(str(archive))}"
        raise LostArchiveError("changed", f"{archive} was changed since it was checked", again)
    return verdict.report


def of_archive(
    build: Build,
    *,
    progress: Progress | None = None,
    checking: Callable[[], object] = lambda: None,
) -> Verdict:
    """The verdict on the archive as it is now: the latest one if that is of the same bytes.

    The archive is hashed on one core and checked on another; ``checking`` is called in between.
    """
    archive, asked = build.archive(), _settings(build)
    basis = [str(archive), __version__, json.loads(json.dumps(asked))]
    with ThreadPoolExecutor(1) as beside:
        hashed = beside.submit(build.user_files.digest, archive)
        try:
            verdict, before = _kept(build)
            if before == basis and verdict.sha256 == hashed.result():
                return verdict
        except (OSError, ValueError):
            pass  # there is none, or it cannot be used
        checking()
        report = checks.check(archive, progress=progress, **asked)
        verdict = Verdict(report, hashed.result())
    data = {"basis": basis, "sha256": verdict.sha256, "report": report.to_json()}
    paths.write_atomically(build.report_file, json.dumps(data, indent=1))
    return verdict


def check_again(build: Build, progress: Progress | None = None) -> Report:
    """Check the archive as it is now; what is said of the build is then said of these bytes."""
    verdict = of_archive(build, progress=progress)
    before, ready = status.of(build), verdict.report.ready
    if (before.sha256, before.state) != (verdict.sha256, "ready" if ready else "not-ready"):
        event = events.ArchiveChecked(
            ready=ready,
            sha256=verdict.sha256,
            bytes=build.archive().stat().st_size,
            blocks=len(verdict.blocking),
        )
        journal.append(build.journal, event)
    return verdict.report


def about(archive: Path) -> Build | None:
    """The finished build whose verdict is about the file ``archive``, if there is one."""
    build = builds.making(archive)
    return build if build and status.of(build).state in status.FINISHED else None


def _settings(build: Build) -> dict[str, Any]:
    """How the recipe wants its archive to be checked."""
    recipe = build.recipe()
    return {
        "mode": recipe.target,
        "waive": recipe.checklist.waive,
        "disk_size": parse_size(recipe.checklist.disk_size),
        "entrypoint": deployment.entrypoint(recipe),
    }


def _kept(build: Build) -> tuple[Verdict, list[Any]]:
    data = json.loads(build.report_file.read_text("utf-8"))
    try:
        return Verdict(checks.report_of(data["report"]), data["sha256"]), data["basis"]
    except (KeyError, TypeError) as error:
        raise ValueError(f"this is not a report ({error!r})") from error
