"""Write the man pages, from the commands' own help: ``python .ci/man_pages.py DIRECTORY``."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from click_man.core import write_man_pages

from zwizard import __version__
from zwizard.cli.app import zwizard


def main(directory: Path) -> None:
    """Write a page for the program and one for each command."""
    context = click.Context(zwizard)
    for name in zwizard.list_commands(context):
        zwizard.get_command(context, name)  # loads it: click-man sees only what is loaded
    directory.mkdir(parents=True, exist_ok=True)
    write_man_pages("zwizard", zwizard, version=__version__, target_dir=str(directory))
    print(f"{len(list(directory.iterdir()))} pages in {directory}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
