"""The worker of a job, in namespaces of its own: it calls the job's module, and reports errors."""

import importlib
import os
import sys
import tempfile
from pathlib import Path

from zwizard.jobs import journal
from zwizard.jobs.job import Job, load
from zwizard.util.errors import ZwizardError
from zwizard.util.places import explained


def work(job: Job, workspace: Path, options: tuple[str, ...]) -> int:
    """Do the job; its exit status. What keeps it from being done goes to the journal."""
    os.umask(0o022)
    tempfile.tempdir = str(workspace)  # there is room, and nothing stays
    try:
        status: int = importlib.import_module(job.worker).work(job, workspace, *options)
    except (ZwizardError, OSError) as error:
        reason = explained(error)
        event = job.failed(error=reason.message, hint=reason.hint, code=reason.exit_code)
        journal.append(job.journal, event)
        return reason.exit_code
    return status


def main(arguments: list[str]) -> int:
    """``MODULE:CLASS DIRECTORY WORKSPACE [OPTION...]``: do that job."""
    kind, directory, workspace, *options = arguments
    return work(load(kind, directory), Path(workspace), tuple(options))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
