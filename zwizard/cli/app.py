"""The root of the command line: loads a command's module only when that command is used."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import click

from zwizard import __version__
from zwizard.util.errors import UsageError

# Each command, and the module beside this one that defines it, in the order of `zwizard --help`.
COMMANDS = {
    "new": "wizard",
    "help": "wizard",
    "build": "recipes",
    "plan": "recipes",
    "resume": "builds",
    "list": "builds",
    "show": "builds",
    "log": "builds",
    "shell": "builds",
    "bundle": "builds",
    "cancel": "builds",
    "rm": "builds",
    "check": "images",
    "repair": "images",
    "boot": "images",
    "clean": "host",
    "doctor": "host",
    "completion": "host",
}

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class Commands(click.Group):
    """A group that imports commands on demand and reports usage errors as zwizard's own."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - as click calls it
        """Every command, in the order of COMMANDS."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command; for an unknown name all are loaded, so that click can suggest one."""
        modules = {COMMANDS[cmd_name]} if cmd_name in COMMANDS else set(COMMANDS.values())
        for module in modules:
            import_module(f"zwizard.cli.{module}")
        return super().get_command(ctx, cmd_name)

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run a command line; click's errors become UsageError and KeyboardInterrupt."""
        try:
            return super().main(*args, **extra)
        except click.exceptions.Abort:
            raise KeyboardInterrupt from None
        except click.ClickException as error:
            raise UsageError(
                error.format_message(), "zwizard --help lists the commands."
            ) from None


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="zwizard help lists the pages of the manual.",
)
@click.version_option(__version__, message="zwizard %(version)s")
@click.pass_context
def zwizard(context: click.Context) -> int:
    """Build, check and boot Zero-OS Zmachine images.

    Without a command, the wizard starts.
    """
    if context.invoked_subcommand is not None:
        return 0
    from zwizard.cli.wizard import full_screen

    return full_screen()


def require_terminal(alternative: str) -> None:
    """Raise UsageError, naming the ``alternative``, unless a person is at the terminal."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(f"the wizard needs a terminal; {alternative}")
