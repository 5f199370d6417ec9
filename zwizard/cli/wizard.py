"""The wizard, full screen or line by line, and the manual."""

import shutil
import sys
from pathlib import Path

import click

from zwizard import manual
from zwizard.cli.app import require_terminal, zwizard


@zwizard.command()
@click.option("--plain", is_flag=True, help="Ask line by line, without a full screen.")
@click.option(
    "--from",
    "recipe",
    type=click.Path(path_type=Path),
    help="Start from the answers in this recipe.",
)
def new(*, plain: bool, recipe: Path | None) -> int:
    """Answer the questions and build an image."""
    if plain:
        require_terminal("build RECIPE works without one")
        from zwizard.plain.wizard import new as ask

        return ask(recipe)
    require_terminal("build RECIPE, plan RECIPE and check PATH work without one")
    from zwizard.tui.app import run

    return run(recipe)


@zwizard.command("help")
@click.argument("topic", required=False, default="index")
def show_manual(topic: str) -> int:
    """Show a page of the manual.

    Without TOPIC, the list of pages.
    """
    if sys.stdout.isatty():
        click.echo_via_pager(manual.text(topic, min(shutil.get_terminal_size().columns, 100)))
    else:
        click.echo(manual.text(topic), nl=False)
    return 0
