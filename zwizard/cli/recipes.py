"""Commands that take a recipe: build it, or print its plan."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from zwizard.cli.app import json_option, zwizard
from zwizard.console import build_progress
from zwizard.engine import builds
from zwizard.host import tools
from zwizard.plan.targets import make
from zwizard.recipe.model import Recipe
from zwizard.sources import entrypoint_check
from zwizard.sources.resolve import import_settings
from zwizard.steps import render
from zwizard.util.documents import document

_recipe_argument = click.argument("file", metavar="RECIPE",
                                  type=click.Path(path_type=Path, allow_dash=True))  # fmt: skip


def _read(file: Path) -> tuple[Recipe, Path]:
    """The recipe in ``file``, and the directory that its paths are relative to."""
    if file == Path("-"):
        return Recipe.from_toml(sys.stdin.read(), "standard input"), Path.cwd()
    return Recipe.load(file), file.resolve().parent


@zwizard.command()
@_recipe_argument
@click.option("--rebuild-all", is_flag=True, help="Ignore cached layers; use today's packages.")
@click.option("--install", is_flag=True, help="Install missing programs on this machine first.")
@json_option
def build(file: Path, *, rebuild_all: bool, install: bool, as_json: bool) -> int:
    """Build RECIPE in the foreground, using every cached layer.

    RECIPE - reads standard input. A key that is left out has its default.
    """
    recipe, base = _read(file)
    if install and (missing := tools.missing(tools.needed(make(recipe).tools()))):
        tools.install(missing)
    build = builds.open_for(recipe, base)
    return build_progress.run(build, rebuild_all=rebuild_all, as_json=as_json)


@zwizard.command()
@_recipe_argument
@click.option("--script", is_flag=True, help="Print a self-contained bash script.")
@json_option
def plan(file: Path, *, script: bool, as_json: bool) -> int:
    """Print what building RECIPE would run, without running it."""
    recipe, base = _read(file)
    complete = import_settings(recipe, base)
    entrypoint_check.require(complete, base)
    made = make(complete)
    if as_json:
        click.echo(document(render.data(made)))
    else:
        click.echo(render.script(made) if script else render.text(made), nl=False)
    return 0
