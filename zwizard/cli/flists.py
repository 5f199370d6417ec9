"""Commands about flists: verify, upload, deploy."""

import dataclasses
from pathlib import Path

import click

from zwizard.checks import Mode
from zwizard.cli.app import json_option, zwizard
from zwizard.console import upload_progress
from zwizard.hub import session
from zwizard.hub.deployments import deployment_of
from zwizard.hub.download import local_flist
from zwizard.image.flist.compare import Comparison, compare, read_archive
from zwizard.image.flist.tree import FlistTree
from zwizard.plan.deployment_note import BLOCKS, markdown
from zwizard.util.documents import document
from zwizard.util.errors import UsageError
from zwizard.util.text import one_line, sanitise

_SHOWN = 20  # differences on the screen; JSON has more


@zwizard.command()
@click.argument("archive", type=click.Path(path_type=Path))
@click.argument("flist", type=click.Path())
@json_option
def verify(archive: Path, flist: str, *, as_json: bool) -> int:
    """Compare an archive with its flist, block by block.

    ARCHIVE is a .tar.gz, FLIST what a hub made of it (.flist), or rfs 2 (.fl), also by its URL.
    Compared are the name, type, mode, owner, time, size, link target and content of every entry;
    contents by their hashes, which are in the flist.
    """
    with local_flist(flist) as file:
        for path in (archive, file):
            if path.exists() and not path.is_file():
                raise UsageError(f"{path} is no regular file", "Give an archive and its flist.")
        return _verify(archive, file, flist, as_json=as_json)


@zwizard.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--hub", metavar="URL", help="The hub; default: https://hub.threefold.me.")
@click.option("--name", help="Name of the flist; default: that of the archive.")
@click.option("--user", help="Account to use in place of the token's own.")
@click.option("--replace", is_flag=True, help="Replace a flist of this name.")
@click.option("--force", is_flag=True, help="Upload an archive that is not ready.")
@click.option("--deep", is_flag=True, help="Also ask the hub's store for every block.")
@click.option("--detach", is_flag=True, help="Leave the upload running in the background.")
@json_option
def upload(
    path: Path,
    *,
    hub: str | None,
    name: str | None,
    user: str | None,
    replace: bool,
    force: bool,
    deep: bool,
    detach: bool,
    as_json: bool,
) -> int:
    """Upload an archive to a hub, and compare what arrived.

    PATH is a .tar.gz that the checklist calls ready. It is sent under a temporary name, read back
    and compared entry by entry and block by block; only if all is equal it gets its name. A second
    `zwizard upload` of the same archive follows or resumes the first; Ctrl-C stops it, and removes
    what is on the hub. The token is taken from ZWIZARD_HUB_TOKEN, ZFLIST_HUB_TOKEN or the system's
    keyring, or asked for.
    """
    request = session.target(path, hub, name, user)
    request = dataclasses.replace(request, replace=replace, deep=deep)
    return upload_progress.run(request, force=force, detach=detach, as_json=as_json)


@zwizard.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--mode",
    type=click.Choice([mode.value for mode in Mode]),
    help="What an image made elsewhere is.",
)
@click.option("--for", "form", type=click.Choice(list(BLOCKS)), help="Print only the text for it.")
@json_option
def deploy(path: Path, *, mode: str | None, form: str | None, as_json: bool) -> int:
    """Print what to type to deploy an image.

    PATH is an archive. Flist and checksum are those of its upload; entrypoint, environment and
    disks those of its recipe. It is Markdown, with the texts for the dashboard, tfcmd and
    Terraform.
    """
    archive = path.resolve()
    note = deployment_of(archive, Mode(mode) if mode else None)
    if as_json:
        click.echo(document(note.to_json()))
    elif form:
        click.echo(sanitise(BLOCKS[form][1](note)))
    else:
        click.echo(markdown(note), nl=False)
    return 0


def _verify(archive: Path, file: Path, flist: str, *, as_json: bool) -> int:
    with FlistTree(file) as made:
        read = read_archive(archive, made.key_bytes)
        with read.tree:
            found = compare(read, made)
    if as_json:
        files = {"archive": str(archive), "sha256": read.digest.sha256, "flist": flist}
        click.echo(document(files | found.to_json()))
    else:
        click.echo("\n".join(_lines(found)))
    return 0 if found.equal else 1


def _lines(found: Comparison) -> list[str]:
    compared = f"{found.entries} entries, {found.blocks} blocks"
    if found.equal:
        return [f"Equal: {compared}"]
    lines = [f"Different: {found.count} differences; {compared} compared"]
    for one in found.first[:_SHOWN]:
        values = (
            f"{one.archive or 'nothing'} in the archive, {one.flist or 'nothing'} in the flist"
        )
        lines.append(one_line(f"  {one.path}  {one.what}: {values}"))
    if found.count > _SHOWN:
        lines.append(f"  and {found.count - _SHOWN} more")
    return lines
