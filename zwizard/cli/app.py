"""The root of the command line: loads a command's module only when that command is used."""

import sys
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem

from zwizard import __version__
from zwizard.util.errors import UsageError

# Each command: the module beside this one that defines it, and its line in `zwizard --help`, which
# loads none of them.
COMMANDS = {
    "new": ("wizard", "Answer the questions and build an image."),
    "help": ("wizard", "Show a page of the manual."),
    "build": ("recipes", "Build RECIPE in the foreground, using every cached layer."),
    "plan": ("recipes", "Print what building RECIPE would run, without running it."),
    "resume": ("builds", "Resume a stopped or failed build at the step it reached."),
    "list": ("builds", "List the builds with their states."),
    "show": ("builds", "Show the steps, state and archive of BUILD."),
    "log": ("builds", "Print the log of BUILD, or of one STEP."),
    "shell": ("builds", "Open a shell in the root file system that STEP starts from."),
    "bundle": ("builds", "Write a bug report about BUILD to one file, without secrets."),
    "cancel": ("builds", "Stop BUILD."),
    "rm": ("builds", "Delete the recipe, journal and logs of BUILD."),
    "check": ("images", "Check an image against every rule of Zero-OS."),
    "verify": ("flists", "Compare an archive with its flist, block by block."),
    "repair": ("images", "Fix what the checklist finds, in a new archive."),
    "boot": ("images", "Test an image by booting it in QEMU as Zero-OS would."),
    "upload": ("flists", "Upload an archive to a hub, and compare what arrived."),
    "deploy": ("flists", "Print what to type to deploy an image."),
    "clean": ("host", "Remove cached layers that no build uses."),
    "verify-cache": ("host", "Compare every cached layer with its manifest."),
    "doctor": ("host", "List the programs that zwizard uses, and install missing ones."),
    "completion": ("host", "Print a shell's completion script."),
}

replace_option = click.option(
    "--replace", is_flag=True, help="Replace files there that zwizard did not write."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
detach_option = click.option(
    "--detach", is_flag=True, help="Leave the build running in the background."
)


class Commands(click.Group):
    """A group that imports commands on demand and reports usage errors as zwizard's own."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - as click calls it
        """Every command, in the order of COMMANDS."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command; for an unknown name all are loaded, so that click can suggest one."""
        for name in [cmd_name] if cmd_name in COMMANDS else COMMANDS:
            import_module(f"zwizard.cli.{COMMANDS[name][0]}")
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands in the help."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete a command's name, or an option of ``zwizard`` itself."""
        commands = [
            CompletionItem(name, help=summary)
            for name, (_, summary) in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return [*commands, *click.Command.shell_complete(self, ctx, incomplete)]

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
    new = zwizard.get_command(context, "new")
    assert new
    return int(context.invoke(new))


def require_terminal(alternative: str) -> None:
    """Raise UsageError, naming the ``alternative``, unless a person is at the terminal."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(f"this command needs a terminal; {alternative}")
