"""Commands about this machine: the cache, missing programs, shell completion."""

from dataclasses import asdict

import click
from click.shell_completion import get_completion_class

from zwizard.cli.app import json_option, zwizard
from zwizard.console import tables
from zwizard.engine import gc
from zwizard.host import tools
from zwizard.util.documents import document
from zwizard.util.text import sanitise, size


@zwizard.command()
@click.option("--all", "everything", is_flag=True, help="Remove the layers that builds use too.")
@json_option
def clean(*, everything: bool, as_json: bool) -> int:
    """Remove cached layers that no build uses."""
    freed = gc.clean(everything=everything)
    if as_json:
        click.echo(document(asdict(freed)))
    else:
        kept = f"; {freed.in_use} in use are kept" if freed.in_use else ""
        click.echo(f"{freed.layers} layers removed, {size(freed.bytes)} freed{kept}")
    return 0


@zwizard.command()
@json_option
def verify_cache(*, as_json: bool) -> int:
    """Compare every cached layer with its manifest.

    Damaged layers are removed: the next build makes them again. The exit code is 1 if there were
    any.
    """
    found = gc.verify()
    if as_json:
        click.echo(document(asdict(found)))
    else:
        for step, evidence in found.damaged:
            click.echo(sanitise(f"damaged and removed: {step}: {evidence}"))
        click.echo(f"{found.layers} layers, {len(found.damaged)} damaged")
    return 1 if found.damaged else 0


@zwizard.command()
@click.option("--install", is_flag=True, help="Install what is missing.")
@json_option
def doctor(*, install: bool, as_json: bool) -> int:
    """List the programs that zwizard uses, and install missing ones."""
    if install and (missing := tools.missing(tools.TOOLS)):
        tools.install(missing)
    click.echo(tables.doctor(as_json=as_json), nl=False)
    return 1 if tools.missing(tools.TOOLS) else 0


@zwizard.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> int:
    """Print a shell's completion script.

    To use it: eval "$(zwizard completion bash)"
    """
    script = get_completion_class(shell)
    assert script is not None
    click.echo(script(zwizard, {}, "zwizard", "_ZWIZARD_COMPLETE").source())
    return 0
