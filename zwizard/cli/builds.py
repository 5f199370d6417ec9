"""Commands that take a build: resume, list, show, log, shell, bundle, cancel, rm."""

from pathlib import Path

import click
from click.shell_completion import CompletionItem

from zwizard.cli.app import (
    detach_option,
    json_option,
    replace_option,
    require_terminal,
    zwizard,
)
from zwizard.console import build_progress, tables
from zwizard.engine import bug_report, builds, debug_shell
from zwizard.engine.builds import Build


def _find(_context: click.Context, _parameter: click.Parameter, name: str | None) -> Build | None:
    return builds.find(name) if name is not None else None


def _complete(
    _context: click.Context, _parameter: click.Parameter, start: str
) -> list[CompletionItem]:
    names = (build.id for build in builds.everything())
    return [CompletionItem(name) for name in names if name.startswith(start)]


_build_argument = click.argument("build", callback=_find, shell_complete=_complete)
_step_argument = click.argument("step", required=False)


@zwizard.command()
@click.argument("build", required=False, callback=_find, shell_complete=_complete)
@replace_option
@detach_option
@json_option
def resume(build: Build | None, *, replace: bool, detach: bool, as_json: bool) -> int:
    """Resume a stopped or failed build at the step it reached.

    Without BUILD, choose one from a list.
    """
    run = build_progress.detach if detach else build_progress.run
    if build is not None:
        builds.claim(build, replace=replace)
        return run(build, as_json=as_json)
    require_terminal("name the BUILD: zwizard list shows them")
    from zwizard.plain.build import pick
    from zwizard.plain.wizard import resume as resume_build

    chosen = builds.find(pick())
    if replace or as_json or detach:
        builds.claim(chosen, replace=replace)
    if as_json or detach:
        return run(chosen, as_json=as_json)
    return resume_build(chosen)


@zwizard.command("list")
@json_option
def list_builds(*, as_json: bool) -> int:
    """List the builds with their states."""
    click.echo(tables.everything(as_json=as_json), nl=False)
    return 0


@zwizard.command()
@_build_argument
@json_option
def show(build: Build, *, as_json: bool) -> int:
    """Show the steps, state and archive of BUILD."""
    click.echo(tables.one(build, as_json=as_json), nl=False)
    return 0


@zwizard.command()
@_build_argument
@_step_argument
def log(build: Build, step: str | None) -> int:
    """Print the log of BUILD, or of one STEP."""
    for line in tables.log(build, step):
        click.echo(line)
    return 0


@zwizard.command()
@_build_argument
@_step_argument
@click.option("-c", "command", default="", help="Run this line of bash instead of a shell.")
def shell(build: Build, step: str | None, command: str) -> int:
    """Open a shell in the root file system that STEP starts from.

    Changes are discarded on exit. Without STEP, the step that failed or stopped. A line given by
    -c finds the tree in $ROOT, as the commands of the plan do; in_tree runs a program of it.
    """
    if not command:
        require_terminal("-c COMMAND works without one")
    return debug_shell.enter(build, step or debug_shell.step_of(build), command)


@zwizard.command()
@_build_argument
def bundle(build: Build) -> int:
    """Write a bug report about BUILD to one file, without secrets."""
    click.echo(bug_report.describe(bug_report.make(build, Path.cwd())))
    return 0


@zwizard.command()
@_build_argument
def cancel(build: Build) -> int:
    """Stop BUILD. Finished steps are kept."""
    state = "is stopping" if build.request_cancel() else "is not running"
    click.echo(f"{build.id} {state}")
    return 0


@zwizard.command()
@_build_argument
@click.option("--yes", is_flag=True, help="Do not ask.")
def rm(build: Build, *, yes: bool) -> int:
    """Delete the recipe, journal and logs of BUILD. The archive is kept."""
    if not yes:
        require_terminal("or use --yes")
        click.confirm(f"Delete {build.id} (the archive is kept)?", abort=True)
    builds.remove(build)
    return 0
