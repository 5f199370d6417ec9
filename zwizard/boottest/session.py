"""Start boot tests."""

import re
import tempfile
from dataclasses import replace
from pathlib import Path

from zwizard.boottest import records
from zwizard.boottest.request import BootTest, BootTestRequest
from zwizard.engine import builds
from zwizard.engine.requirements import unpacked_size
from zwizard.host import tools
from zwizard.host.privileges import find_privilege
from zwizard.image.flist.tree import require_contents
from zwizard.jobs import supervisor
from zwizard.sources import deployment
from zwizard.util import paths, places
from zwizard.util.errors import UsageError, ZwizardError
from zwizard.util.units import MIB

_SPARE, _RESULTS = 50 * MIB, 5 * MIB  # what a boot test itself writes
_TOOLS = ("qemu-system-x86_64", "mkfs.vfat", "mcopy", "ssh", "tar", "unshare", "mount")


def start(request: BootTestRequest) -> BootTest:
    """Start a boot test, which ends with this process at the latest; errors as in prepare."""
    job = prepare(request)
    supervisor.start(job)
    return job


def prepare(request: BootTestRequest) -> BootTest:
    """A boot test that can be started.

    Raises UsageError or ZwizardError before anything runs, if the artefact, a tool or a privilege
    is missing.
    """
    artefact = request.artefact.resolve()
    if not artefact.exists():
        raise UsageError(
            f"{request.artefact} does not exist", "Name a directory, .tar.gz or image.raw."
        )
    require_contents(artefact)
    check_tools(artefact)
    copied = unpacked_size(artefact) if artefact.is_file() else 0
    places.require({paths.state(): _RESULTS, paths.cache(): copied + _SPARE})
    privilege = find_privilege()
    privilege.require()
    job = _new(artefact)
    whole = replace(request, artefact=artefact, layers=privilege.layers_below(paths.cache()))
    if recipe := builds.container_at(artefact):
        # Secrets are not in a recipe, so they are made up.
        own = {k: value or "made-up" for k, value in deployment.environment(recipe).items()}
        whole = replace(
            whole,
            entrypoint=request.entrypoint or deployment.entrypoint(recipe) or "",
            environment={**own, **request.environment},
        )
    paths.write_atomically(job.request, whole.to_json())
    return job


def check_tools(artefact: Path) -> None:
    """Raise ZwizardError if this host lacks tools for a boot test, with how to install them."""
    disk = artefact.is_file() and artefact.suffix == ".raw"
    missing = tools.missing((*_TOOLS, "OVMF" if disk else "virtiofsd"))
    if missing:
        raise ZwizardError(*tools.describe_missing(missing))


def _new(artefact: Path) -> BootTest:
    home = records.home(artefact)
    home.mkdir(parents=True, exist_ok=True)
    # virtiofsd takes what is behind a comma for another option.
    name = re.sub(r"[^\w-]", "-", artefact.name.partition(".")[0], flags=re.ASCII)[:30]
    directory = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=home))
    directory.chmod(0o755)
    return BootTest(directory)
