"""Performs actions on a tree, their output going straight to the step's log."""

import contextlib
import os
import select
import shlex
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import sh

from zwizard.engine.redact import hide_secrets
from zwizard.engine.sandbox import Tree
from zwizard.steps import programs
from zwizard.steps.actions import DOWNLOADS, OUT, ROOT, Action
from zwizard.util.errors import ZwizardError

_PULSE = 0.2  # seconds
_TREETOOL = (
    f"treetool() {{ TMPDIR=${{OUT:+${{OUT%/*}}}} {shlex.quote(sys.executable)}"
    ' -m zwizard.treetools."$1" "${@:2}"; }'
)


def functions(*actions: Action) -> str:
    """The bash functions by which the engine runs these actions."""
    return f"{programs.functions(*actions)}\n{_TREETOOL}"


def variables(tree: Tree, out: Path, downloads: Path, network: str) -> str:
    """What the functions need to know, as lines of bash."""
    places = {ROOT: tree.root, OUT: out, DOWNLOADS: downloads, "$NETWORK": network}
    return "\n".join(f"{name[1:]}={shlex.quote(str(value))}" for name, value in places.items())


class CommandError(ZwizardError):
    """A command that failed: ``status`` is its exit status, or minus the signal that ended it.

    Its line is kept without secrets.
    """

    def __init__(self, shell: str, status: int) -> None:
        self.shell = hide_secrets(shell)
        super().__init__(f"{describe(status)}: {self.shell}")
        self.status = status


def describe(status: int) -> str:
    """An exit status in words."""
    match status:
        case 126:
            return "cannot be executed (exit status 126)"
        case 127:
            return "command not found (exit status 127)"
        case _ if status < 0 or status > 128:
            return _ended_by(-status if status < 0 else status - 128, status)
        case _:
            return f"exit status {status}"


def _ended_by(number: int, status: int) -> str:
    try:
        return f"ended by signal {number} ({signal.Signals(number).name})"
    except ValueError:
        return f"exit status {status}"


@dataclass(frozen=True)
class Executor:
    """Performs actions: a ``Workplace`` for them.

    ``out`` is the path of the archive, ``downloads`` the directory for downloaded files,
    ``network`` what programs in the sandbox get of it (``Plan.network``). While a command runs,
    ``pulse`` is called often.
    """

    tree: Tree
    out: Path
    environment: dict[str, str]
    log: IO[bytes]
    pulse: Callable[[], None] = lambda: None
    downloads: Path = Path("/nonexistent")
    network: str = ""

    def perform(self, action: Action) -> None:
        """Perform one action; raises CommandError or ZwizardError."""
        self.log.write(f"+ {hide_secrets(action.shell())}\n".encode())
        self.log.flush()
        action.perform(self)

    @property
    def root(self) -> Path:
        """The tree being built."""
        return self.tree.root

    def run_shell(self, action: Action) -> None:
        """Run the shell line of ``action`` with the functions that it calls."""
        # Not in the environment: programs of the tree must not see the paths.
        places = variables(self.tree, self.out, self.downloads, self.network)
        script = f"{places}\n{functions(action)}\n{action.shell()}\n"
        with _unnamed_file(script) as file:
            self._run(("bash", "-euo", "pipefail", f"/dev/fd/{file}"), file, action.shell())

    def _run(self, argv: tuple[str, ...], script: int, shell: str) -> None:
        """Run a command, which gets the descriptor ``script``, in a session of its own."""
        program = shutil.which(argv[0], path=self.environment["PATH"])
        if program is None:
            raise CommandError(shell, 127)
        with Path(os.devnull).open("rb") as empty:
            command = sh.Command(program)(
                *argv[1:],
                _in=empty,
                _out=self.log,
                _err_to_out=True,
                _env=self.environment,
                _pass_fds={script},
                _new_session=True,
                _bg=True,
                _bg_exc=False,
                _ok_code=list(range(-64, 256)),
                _return_cmd=True,
            )
            for _ in _intervals(command):
                self.pulse()
            command.wait()
        if command.exit_code != 0:
            raise CommandError(shell, command.exit_code)


@contextlib.contextmanager
def _unnamed_file(script: str) -> Iterator[int]:
    """A descriptor of the bash ``script``, in memory: everyone can see a process's arguments.

    The script closes it, so that no program that it runs can read it.
    """
    file = os.memfd_create("script", 0)
    try:
        with open(file, "w", encoding="utf-8", errors="surrogateescape", closefd=False) as opened:
            opened.write(f"exec {file}<&-\n{script}")
        yield file
    finally:
        os.close(file)


def _intervals(command: sh.RunningCommand) -> Iterator[None]:
    """Yields every ``_PULSE`` seconds, until the moment that ``command`` ends.

    (sh's own wait polls ten times a second: too slow for a step of short commands.)
    """
    try:
        descriptor = os.pidfd_open(command.pid)
    except ProcessLookupError:
        return  # it has ended already
    try:
        while not select.select([descriptor], [], [], _PULSE)[0]:
            yield
    finally:
        os.close(descriptor)
