"""The root of the command line: help, version, usage errors."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from tests.support.command import Run, refused
from zwizard import __version__
from zwizard.cli import app

COMMANDS = tuple(app.COMMANDS)


def test_help_lists_every_command_with_the_first_sentence_of_its_own_help(run: Run) -> None:
    code, out, _ = run("--help")
    assert code == 0
    listed = [line.split(None, 1) for line in out.partition("Commands:\n")[2].splitlines()]
    context = click.Context(app.zwizard)
    for name in COMMANDS:
        command = app.zwizard.get_command(context, name)
        assert command
        assert [name, command.get_short_help_str(limit=100)] in listed


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_the_help_of_every_command_fits_80_columns(run: Run, command: str, option: str) -> None:
    code, out, err = run(command, option)
    assert (code, err) == (0, "")
    assert out.startswith(f"Usage: zwizard {command} ")
    assert max(map(len, out.splitlines())) <= 80


def test_the_version_is_printed(run: Run) -> None:
    assert run("--version") == (0, f"zwizard {__version__}\n", "")


@pytest.mark.slow
def test_the_program_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "zwizard", "lst"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("zwizard: No such command 'lst'. Did you mean 'list'?\n")


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("lst",), "Did you mean 'list'?"),
        (("list", "extra"), "unexpected extra argument (extra)"),
        (("list", "--jsno"), "No such option '--jsno'"),
        (("show",), "Missing argument 'BUILD'"),
        (("new", "--from"), "Option '--from' requires an argument"),
        (("check", "x", "--mode", "virtual"), "'virtual' is not one of"),
        (("completion", "tcsh"), "'tcsh' is not one of"),
    ],
)
def test_a_mistyped_command_line_is_reported_like_any_other_error(
    run: Run, arguments: tuple[str, ...], what: str
) -> None:
    refused(run(*arguments), what, "zwizard --help lists the commands.")


def test_escapes_in_arguments_do_not_reach_the_terminal(run: Run) -> None:
    code, _, err = run("show", "\x1b]0;owned\x07\x1b[2Jx\u202e")
    assert code == 2
    assert "\x1b" not in err
    assert "\x07" not in err
    assert "\u202e" not in err
