"""Commands that take a recipe: build it, or print its plan."""

from pathlib import Path

import click

from zwizard.cli.app import detach_option, json_option, replace_option, zwizard
from zwizard.console import build_progress
from zwizard.engine import builds
from zwizard.engine.builds import Build
from zwizard.host import tools
from zwizard.plan.targets import make
from zwizard.recipe.model import Recipe
from zwizard.sources import entrypoint_check
from zwizard.sources.resolve import import_settings, output_directory
from zwizard.steps import render
from zwizard.util.documents import document
from zwizard.util.errors import UsageError

_recipe_argument = click.argument("file", metavar="RECIPE", required=False,
                                  type=click.Path(path_type=Path, allow_dash=True))  # fmt: skip
_default_option = click.option(
    "--default", is_flag=True, help="Take the default recipe, a Debian VM, and no RECIPE."
)


def _read(file: Path | None, *, default: bool) -> tuple[Recipe, Path]:
    """The recipe in ``file``, and the directory that its paths are relative to."""
    if (file is None) != default:
        raise UsageError(
            "RECIPE is missing" if file is None else f"--default and {file} are two recipes",
            "Name a recipe (- for standard input), or use --default.",
        )
    if file is None:
        return Recipe(), Path.cwd()
    path = Path("/dev/stdin") if file == Path("-") else file
    return Recipe.load(path), (path.resolve().parent if path.is_file() else Path.cwd())


def _open(recipe: Recipe, base: Path, *, replace: bool) -> Build:
    """The build of ``recipe``; the archive of another recipe that it replaces is named."""
    directory = output_directory(recipe, base)
    earlier = builds.replaced(recipe, directory)
    made = builds.making(builds.targets(recipe, directory)[0])
    before = builds.recipe_of(made) if made else None
    build = builds.open_for(recipe, base, replace=replace)
    if earlier and before != build.recipe():
        click.echo(f"replaces {earlier}, which is of another recipe", err=True)
    return build


@zwizard.command()
@_recipe_argument
@_default_option
@click.option("--rebuild-all", is_flag=True, help="Ignore cached layers; use today's packages.")
@click.option("--install", is_flag=True, help="Install missing programs on this machine first.")
@replace_option
@detach_option
@json_option
def build(
    file: Path | None,
    *,
    default: bool,
    rebuild_all: bool,
    install: bool,
    replace: bool,
    detach: bool,
    as_json: bool,
) -> int:
    """Build RECIPE in the foreground, using every cached layer.

    RECIPE - reads standard input. A key that is left out has its default. Ctrl-C, SIGTERM and a
    closed terminal stop the build.
    """
    recipe, base = _read(file, default=default)
    if install and (missing := tools.missing(tools.needed(make(recipe).tools()))):
        tools.install(missing)
    build = _open(recipe, base, replace=replace)
    run = build_progress.detach if detach else build_progress.run
    return run(build, rebuild_all=rebuild_all, as_json=as_json)


@zwizard.command()
@_recipe_argument
@_default_option
@click.option("--script", is_flag=True, help="Print a self-contained bash script.")
@json_option
def plan(file: Path | None, *, default: bool, script: bool, as_json: bool) -> int:
    """Print what building RECIPE would run, without running it."""
    recipe, base = _read(file, default=default)
    complete = import_settings(recipe, base)
    entrypoint_check.require(complete, base)
    made = make(complete)
    if as_json:
        click.echo(document(render.data(made)))
    else:
        click.echo(render.script(made) if script else render.text(made), nl=False)
    return 0
