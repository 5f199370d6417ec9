"""Commands about flists: verify."""

from __future__ import annotations

from pathlib import Path

import click

from zwizard.cli.app import json_option, zwizard
from zwizard.hub.download import local_flist
from zwizard.image.flist.compare import Comparison, compare, read_archive
from zwizard.image.flist.tree import FlistTree
from zwizard.util.documents import document
from zwizard.util.errors import UsageError
from zwizard.util.text import one_line

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
