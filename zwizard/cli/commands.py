"""The commands; thin: each calls into the work below and prints what comes of it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from zwizard import __version__
from zwizard.util.errors import UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from zwizard.engine.builds import Build
    from zwizard.recipe.model import Recipe

# What is heavy is imported by the command that needs it: `zwizard --version` needs nothing.

_Command = TypeVar("_Command", bound=Callable[..., Any])

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def _complete_build(_c: click.Context, _p: click.Parameter, begun: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    from zwizard.engine import builds

    return [CompletionItem(b.id) for b in builds.everything() if b.id.startswith(begun)]


def _build_argument(*, required: bool = True) -> Callable[[_Command], _Command]:
    return click.argument("build", required=required, shell_complete=_complete_build)


def _recipe(path: Path) -> tuple[Recipe, Path]:
    """A recipe, and the directory that its paths are relative to."""
    from zwizard.recipe.model import Recipe

    if path == Path("-"):
        return Recipe.from_toml(sys.stdin.read(), "standard input"), Path.cwd()
    return Recipe.load(path), path.resolve().parent


def _size(text: str | None) -> int | None:
    """The bytes that --disk-size means."""
    from zwizard.recipe.model import parse_size

    try:
        return parse_size(text) if text else None
    except ValueError:
        raise UsageError(f"--disk-size {text} is not a size", "For example 5GiB.") from None


class _Group(click.Group):
    """A group whose usage errors read like all our errors."""

    def main(self, *args: Any, **extra: Any) -> Any:
        try:
            return super().main(*args, **extra)
        except click.exceptions.Abort:
            raise KeyboardInterrupt from None
        except click.ClickException as error:
            raise UsageError(
                error.format_message(), "zwizard --help shows the commands."
            ) from None


@click.group(
    cls=_Group,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, message="zwizard %(version)s")
@click.pass_context
def zwizard(context: click.Context) -> int:
    """Build, check and boot Zero-OS Zmachine images.

    Without a command: the wizard.
    """
    if context.invoked_subcommand is not None:
        return 0
    return _wizard()


def _wizard(recipe: Path | None = None) -> int:
    _need_terminal("build RECIPE, plan RECIPE and check PATH need none")
    from zwizard.tui.app import run

    return run(recipe)


def _need_terminal(instead: str) -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(f"the wizard needs a terminal; {instead}")


@zwizard.command()
@click.option("--plain", is_flag=True, help="Questions and answers, line by line.")
@click.option(
    "--from",
    "recipe",
    type=click.Path(path_type=Path),
    help="Begin with the answers of this recipe.",
)
def new(*, plain: bool, recipe: Path | None) -> int:
    """Answer the questions, and build the image."""
    if not plain:
        return _wizard(recipe)
    _need_terminal("build RECIPE needs none")
    from zwizard.plain import new as ask

    return ask(recipe)


@zwizard.command()
@click.argument("recipe", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--fresh", is_flag=True, help="Make every layer anew, from today's packages.")
@click.option("--install", is_flag=True, help="First install the programs that it lacks.")
@_JSON
def build(recipe: Path, *, fresh: bool, install: bool, as_json: bool) -> int:
    """Build RECIPE, here and now; what is finished already is used.

    RECIPE - is standard input; what it leaves out has its default.
    """
    from zwizard.engine import builds
    from zwizard.host import tools as doctor
    from zwizard.plan import targets

    wanted, base = _recipe(recipe)
    if install and (lacking := doctor.missing(doctor.needed(targets.make(wanted).tools()))):
        doctor.install(lacking)
    return _follow(builds.open_for(wanted, base), fresh=fresh, as_json=as_json)


@zwizard.command()
@_build_argument(required=False)
@_JSON
def resume(build: str | None, *, as_json: bool) -> int:
    """Go on with a build at the step it was in.

    Without BUILD: pick one.
    """
    from zwizard.engine import builds

    if build is None:
        _need_terminal("name the BUILD: zwizard list shows them")
        from zwizard.plain import go_on, pick

        picked = builds.find(pick())
        return _follow(picked, fresh=False, as_json=True) if as_json else go_on(picked)
    return _follow(builds.find(build), fresh=False, as_json=as_json)


def _follow(build: Build, *, fresh: bool, as_json: bool) -> int:
    from zwizard.console import build_progress

    return build_progress.foreground(build, fresh=fresh, as_json=as_json)


@zwizard.command("list")
@_JSON
def list_builds(*, as_json: bool) -> int:
    """List the builds and how far they are."""
    from zwizard.console import tables

    click.echo(tables.everything(as_json=as_json), nl=False)
    return 0


@zwizard.command()
@_build_argument()
@_JSON
def show(build: str, *, as_json: bool) -> int:
    """Show one build: its steps, its state, its archive."""
    from zwizard.console import tables
    from zwizard.engine import builds

    click.echo(tables.one(builds.find(build), as_json=as_json), nl=False)
    return 0


@zwizard.command()
@_build_argument()
@click.argument("step", required=False)
def log(build: str, step: str | None) -> int:
    """Print the log of BUILD, or of one STEP of it."""
    from zwizard.console import tables
    from zwizard.engine import builds

    for line in tables.log(builds.find(build), step):
        click.echo(line)
    return 0


@zwizard.command()
@_build_argument()
@click.argument("step", required=False)
@click.option("-c", "command", default="", help="Run this line of bash there, and no shell.")
def shell(build: str, step: str | None, command: str) -> int:
    """Open a shell in the tree of BUILD as STEP finds it; changes are thrown away.

    Without STEP: the one it stopped in. In a line given by -c, $ROOT and $CHROOT are the tree, as
    in the plan.
    """
    from zwizard.engine import builds
    from zwizard.engine import debug_shell as shells

    if not command:
        _need_terminal("-c COMMAND needs none")
    wanted = builds.find(build)
    return shells.enter(wanted, step or shells.step_of(wanted), command)


@zwizard.command()
@_build_argument()
def bundle(build: str) -> int:
    """Put what a bug report about BUILD needs in one file; private things are taken out."""
    from zwizard.engine import bug_report as bundles
    from zwizard.engine import builds

    click.echo(bundles.describe(bundles.make(builds.find(build), Path.cwd())))
    return 0


@zwizard.command()
@_build_argument()
def cancel(build: str) -> int:
    """Stop BUILD; what is finished stays."""
    from zwizard.engine import builds

    wanted = builds.find(build)
    click.echo(
        f"{wanted.id} is stopping"
        if builds.request_cancel(wanted)
        else f"{wanted.id} is not running"
    )
    return 0


@zwizard.command()
@_build_argument()
@click.option("--yes", is_flag=True, help="Do not ask.")
def rm(build: str, *, yes: bool) -> int:
    """Forget BUILD: its recipe, journal and logs. The archive stays where it is."""
    from zwizard.engine import builds

    wanted = builds.find(build)
    if not yes:
        _need_terminal("or --yes")
        click.confirm(f"Forget {wanted.id} (its archive stays)?", abort=True)
    builds.remove(wanted)
    return 0


@zwizard.command()
@click.option("--all", "everything", is_flag=True, help="Also what builds still use.")
@_JSON
def clean(*, everything: bool, as_json: bool) -> int:
    """Free the layers that no build uses."""
    from zwizard.engine import gc
    from zwizard.util.text import size

    freed = gc.clean(everything=everything)
    if as_json:
        click.echo(json.dumps({"layers": freed.layers, "bytes": freed.bytes}))
    else:
        click.echo(f"{freed.layers} layers removed, {size(freed.bytes)} freed")
    return 0


@zwizard.command()
@click.argument("recipe", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--script", is_flag=True, help="A bash script that does the same on its own.")
@_JSON
def plan(recipe: Path, *, script: bool, as_json: bool) -> int:
    """Print what building RECIPE would run; nothing is run."""
    from zwizard.plan.targets import make
    from zwizard.sources import entrypoint_check
    from zwizard.sources.import_metadata import import_metadata
    from zwizard.steps import render

    read, base = _recipe(recipe)
    settled = import_metadata(read, base)
    entrypoint_check.prove(settled, base)
    made = make(settled)
    if as_json:
        click.echo(json.dumps(render.data(made), indent=1))
    else:
        click.echo(render.script(made) if script else render.text(made), nl=False)
    return 0


@zwizard.command()
@click.argument("path", type=click.Path(path_type=Path), required=False)
@click.option("--mode", type=click.Choice(["container", "vm", "image"]), help="What it should be.")
@click.option("--disk-size", help="The disk that will be rented, such as 5GiB (image).")
@click.option("--entrypoint", help="What the deployment starts (container).")
@click.option("--report", type=click.Path(path_type=Path), help="Write it to FILE.md or .html.")
@click.option("--explain", metavar="[RULE]", is_flag=False, flag_value="",
              help="Say what a rule is about, or list all, and check nothing.")  # fmt: skip
@_JSON
def check(
    path: Path | None,
    *,
    mode: str | None,
    disk_size: str | None,
    entrypoint: str | None,
    report: Path | None,
    explain: str | None,
    as_json: bool,
) -> int:
    """Check an image against every rule of Zero-OS.

    PATH is a directory, a .tar.gz or a disk image, whoever made it.
    """
    from zwizard import checks
    from zwizard.boottest import records
    from zwizard.engine import builds
    from zwizard.plan import container
    from zwizard.util.text import sanitise

    if explain is not None:
        told = checks.explain_rule(explain) if explain else checks.list_rules()
        click.echo(told, nl=False)
        return 0
    if path is None:
        raise UsageError("what is to be checked?", "Name a directory, a .tar.gz or an image.")
    rented = _size(disk_size)
    if report:
        checks.check_name(report)
    made = builds.container_at(path.resolve())
    if made and entrypoint is None:
        entrypoint = container.entrypoint(made[0])
    found = checks.check(path, mode=mode, disk_size=rented, entrypoint=entrypoint)
    if report:
        checks.write_report(found, report)
    proof = records.last_test_of_file(path) if found.ready else None
    if as_json:
        proven = {"proven": proof is not None and proof.passed}
        click.echo(json.dumps(found.to_json() | proven, indent=1))
    else:
        click.echo(checks.render_text(found), nl=False)
        if proof:
            click.echo(sanitise(records.told(proof, time.time())))
        if made:
            click.echo(sanitise(f"how to deploy it: {made[1]}"))
    return 0 if found.ready else 3


@zwizard.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--mode", type=click.Choice(["container", "vm"]), help="What it should be.")
@click.option("--entrypoint", help="What the deployment starts (container).")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIRECTORY",
    help="Where the new archive goes.",
)
@_JSON
def repair(
    path: Path, *, mode: str | None, entrypoint: str | None, output: Path | None, as_json: bool
) -> int:
    """Mend what the checklist finds wrong with an image, in a new archive beside it.

    PATH is a directory or a .tar.gz, whoever made it; it is not touched. Only what fails is
    changed, and told before.
    """
    from zwizard import checks
    from zwizard.engine import repair as repairs

    starts = repairs.started(path, entrypoint)
    report = checks.check(path, mode=mode, entrypoint=starts.entrypoint or None)
    return repairs.run(repairs.remedy(report, path, output, starts), as_json=as_json)


@zwizard.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--timeout", type=click.FloatRange(min=1), help="Seconds it may take in all.")
@click.option("--entrypoint", default="", help="What the deployment starts, with its arguments.")
@click.option(
    "--env",
    multiple=True,
    metavar="NAME=VALUE",
    help="A variable (container): kept with the proof, so no secret.",
)
@click.option("--disk-size", help="The disk that is rented, such as 5GiB (image).")
@_JSON
def boot(
    path: Path,
    *,
    timeout: float | None,
    entrypoint: str,
    env: tuple[str, ...],
    disk_size: str | None,
    as_json: bool,
) -> int:
    """Boot an image as Zero-OS would, and prove that it comes up.

    PATH is a directory, a .tar.gz or an image.raw; it is not touched. The entrypoint and the
    environment of a container that was built here are those of its recipe.
    """
    from zwizard.boottest.session import BootTestRequest
    from zwizard.console import boot_progress

    given = dict(line.partition("=")[::2] for line in env)
    wish = BootTestRequest(path, timeout, entrypoint, _size(disk_size), given)
    return boot_progress.foreground(wish, as_json=as_json)


@zwizard.command()
@click.option("--install", is_flag=True, help="Install what is missing.")
@_JSON
def doctor(*, install: bool, as_json: bool) -> int:
    """Say what this machine lacks for building and booting images.

    And the command that installs it; with --install, run that command.
    """
    from zwizard.console import tables
    from zwizard.host import tools as tools

    if install and (lacking := tools.missing(tools.TOOLS)):
        tools.install(lacking)
    click.echo(tables.doctor(as_json=as_json), nl=False)
    return 1 if tools.missing(tools.TOOLS) else 0


@zwizard.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> int:
    """Print the completion script of a shell.

    To use it: eval "$(zwizard completion bash)"
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(zwizard, {}, "zwizard", "_ZWIZARD_COMPLETE").source())
    return 0
