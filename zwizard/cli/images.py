"""Commands that take an image: check, repair, boot."""

import dataclasses
import time
from pathlib import Path

import click

from zwizard import checks
from zwizard.boottest import records
from zwizard.boottest.request import BootTestRequest
from zwizard.cli.app import json_option, replace_option, zwizard
from zwizard.console import boot_progress
from zwizard.console import repair as repair_progress
from zwizard.engine import builds, status, verdicts
from zwizard.engine import repair as repairs
from zwizard.hub.download import local_flist
from zwizard.sources import deployment
from zwizard.util import user_files
from zwizard.util.documents import document
from zwizard.util.errors import UsageError
from zwizard.util.text import parse_size, sanitise


def _bytes(_context: click.Context, _parameter: click.Parameter, size: str | None) -> int | None:
    try:
        return parse_size(size) if size else None
    except ValueError:
        raise UsageError(f"--disk-size {size} is not a size", "For example 5GiB.") from None


_entrypoint = click.option("--entrypoint", help="What the deployment starts (container).")
_disk_size = click.option(
    "--disk-size", metavar="SIZE", callback=_bytes, help="Size of the rented disk (image)."
)


@zwizard.command()
@click.argument("place", metavar="[PATH]", type=click.Path(), required=False)
@click.option("--mode", type=click.Choice(["container", "vm", "image"]), help="The intended mode.")
@_disk_size
@_entrypoint
@click.option("--report", type=click.Path(path_type=Path), help="Write a report: .md or .html.")
@click.option("--explain", metavar="[RULE]", is_flag=False, flag_value="",
              help="Explain a rule, or list all of them.")  # fmt: skip
@replace_option
@json_option
def check(
    place: str | None,
    *,
    mode: str | None,
    disk_size: int | None,
    entrypoint: str | None,
    report: Path | None,
    explain: str | None,
    replace: bool,
    as_json: bool,
) -> int:
    """Check an image against every rule of Zero-OS.

    PATH is a directory, a tar archive or a disk image, made by zwizard or elsewhere; or a flist,
    also one on a hub by its URL. Of a flist the rules that need contents are not checked, so it is
    never ready.
    """
    if explain is not None:
        text = checks.explain_rule(explain) if explain else checks.list_rules()
        click.echo(text, nl=False)
        return 0
    if not place:
        raise UsageError("PATH is missing", "Name a directory, a tar archive or a disk image.")
    if report:
        checks.check_name(report)
        user_files.here().claim(report, replace=replace)
    path = Path(place)
    build = verdicts.about(path.resolve())
    if build and (mode, disk_size, entrypoint) == (None, None, None):
        found = dataclasses.replace(verdicts.check_again(build), artefact=str(path))
    else:
        if entrypoint is None and (container := builds.container_at(path.resolve())):
            entrypoint = deployment.entrypoint(container)
        with local_flist(place) as file:
            found = checks.check(file, mode=mode, disk_size=disk_size, entrypoint=entrypoint)
        found = dataclasses.replace(found, artefact=place)
    if report:
        checks.write_report(found, report)
    boot_test = records.last_test_of_file(path) if found.ready else None
    if as_json:
        tested = {"tested": boot_test is not None and boot_test.passed}
        click.echo(document(found.to_json() | tested))
    else:
        click.echo(checks.render_text(found), nl=False)
        if boot_test:
            click.echo(sanitise(f"boot test {records.describe(boot_test, time.time())}"))
        if build and (note := status.of(build).note):
            click.echo(sanitise(f"deployment note: {note}"))
    return 0 if found.ready else 3


@zwizard.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--mode", type=click.Choice(["container", "vm"]), help="The intended mode.")
@_entrypoint
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIRECTORY",
    help="Directory for the new archive.",
)
@json_option
def repair(
    path: Path, *, mode: str | None, entrypoint: str | None, output: Path | None, as_json: bool
) -> int:
    """Fix what the checklist finds, in a new archive.

    PATH is a directory or a tar archive; it is not changed. The new archive is written beside it.
    The changes are shown first.
    """
    starts = repairs.started(path, entrypoint)
    report = checks.check(path, mode=mode, entrypoint=starts.entrypoint or None)
    return repair_progress.run(repairs.remedy(report, path, output, starts), as_json=as_json)


@zwizard.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--timeout", type=click.FloatRange(min=1), help="Limit of the test in seconds.")
@click.option("--entrypoint", default="", help="Entrypoint and arguments (container).")
@click.option(
    "--env",
    multiple=True,
    metavar="NAME=VALUE",
    help="Environment variable (container). Kept with the result: give no secret.",
)
@_disk_size
@json_option
def boot(
    path: Path,
    *,
    timeout: float | None,
    entrypoint: str,
    env: tuple[str, ...],
    disk_size: int | None,
    as_json: bool,
) -> int:
    """Test an image by booting it in QEMU as Zero-OS would.

    PATH is a directory, a .tar.gz or an image.raw; it is not changed. A container that zwizard
    built starts with the entrypoint and environment of its recipe.
    """
    environment = dict(line.partition("=")[::2] for line in env)
    request = BootTestRequest(path, timeout, entrypoint, disk_size, environment)
    return boot_progress.run(request, as_json=as_json)
