"""How each action is done, on a tree, its output going straight to the step's log."""

from __future__ import annotations

import errno
import os
import select
import shlex
import shutil
import signal
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import sh

from zwizard.engine.sandbox import Tree
from zwizard.steps import render
from zwizard.steps.actions import (
    CHROOT,
    DOWNLOADS,
    OUT,
    ROOT,
    Action,
    Append,
    Chroot,
    Convert,
    Directory,
    Host,
    Import,
    ImportDisk,
    Kernels,
    Link,
    MakeDisk,
    Oci,
    OwnKernel,
    Pack,
    Program,
    Remove,
    TrustKeys,
    TrustPackagers,
    Write,
)
from zwizard.util.errors import ZwizardError

_POLL = 0.2  # seconds between looks at whether to stop
_GRACE = 3.0  # seconds a command has after SIGTERM
_UNSAFE = "A root file system with such a link cannot be changed safely."
_PYTHON = shlex.quote(sys.executable)
OWN = f"""\
to_gzip() {{ {_PYTHON} -m zwizard.treetools.gzip "$@"; }}
make_root() {{
	format_root "${{@:1:6}}"
	{_PYTHON} -m zwizard.treetools.ext4_writer "$ROOT" "$1" "$2" "$6" "$7"
}}
unpack() {{ {_PYTHON} -m zwizard.treetools.untar "$1" "$ROOT" "${{2:-}}"; }}
tar_of_disk() {{ {_PYTHON} -m zwizard.treetools.disk_to_tar "$1"; }}
"""
"""What the engine does in a way of its own, in the place of the script's functions."""

_NOTHING: Mapping[str, str] = {}


def functions(*actions: Action) -> str:
    """The bash functions by which the engine does these actions."""
    return f"{render.functions(*actions)}\n{OWN}"


def _still() -> None:
    pass


class Cancelled(Exception):  # noqa: N818 - a wish, not an error
    """The user asked to stop."""


class CommandError(ZwizardError):
    """A command that did not end well: ``status`` is its exit status, or minus the signal."""

    def __init__(self, shell: str, status: int) -> None:
        super().__init__(f"{describe(status)}: {shell}")
        self.shell = shell
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
    """What performing needs: the tree, the archive's place, environment, log, and when to stop.

    ``downloads`` is where what is fetched is kept for other builds. ``pulse`` is called often
    while a command runs.
    """

    tree: Tree
    out: Path
    environment: dict[str, str]
    log: IO[bytes]
    cancelled: Callable[[], bool]
    pulse: Callable[[], None] = _still
    downloads: Path = Path("/nonexistent")

    def perform(self, action: Action) -> None:
        """Do one action; CommandError, Cancelled or ZwizardError if it does not succeed."""
        self.log.write(f"+ {action.shell()}\n".encode())
        self.log.flush()
        match action:
            case Host(argv):
                self._run(tuple(map(self._place, argv)), action.shell())
            case Chroot(argv):
                self._run(("chroot", str(self.tree.chroot), *argv), action.shell())
            case OwnKernel():
                with self._parent("/boot/vmlinuz"):  # as below
                    self._run_bash(action)
            case Kernels():
                with self._parent("/boot/vmlinuz"):  # it is there, and no link to somewhere else
                    self._run(tuple(map(self._place, action.argv)), action.shell())
            case (
                Pack()
                | MakeDisk()
                | Convert()
                | TrustKeys()
                | TrustPackagers()
                | Program()
                | Oci()
            ):
                self._run_bash(action)
            case Import() | ImportDisk():
                self._run_bash(action)
            case Write(path, text, mode):
                self._write(path, text, mode)
            case Append(path, text):
                self._append(path, text)
            case Link(path, target):
                with self._parent(path) as (parent, name):
                    _clear(parent, name)
                    os.symlink(target, name, dir_fd=parent)
            case Directory(path, mode):
                with self._parent(path) as (parent, name):
                    if not _is_directory(parent, name):
                        _clear(parent, name)
                        os.mkdir(name, mode, dir_fd=parent)
                        os.chmod(name, mode, dir_fd=parent)
            case Remove(patterns):
                for pattern in patterns:
                    self._remove(pattern)

    def enter(self, *, network: bool) -> None:
        """Mount what commands in the tree need; it is unmounted together with the tree."""
        enter = "enter_root network" if network else "enter_root"
        command = ("bash", "-euc", f"{render.functions()}\n{enter}")
        self._run(command, enter, self._variables())

    def _run_bash(self, action: Action) -> None:
        script = f"{functions(action)}\n{action.shell()}"
        pipeline = ("bash", "-euo", "pipefail", "-c", script)
        self._run(pipeline, action.shell(), self._variables())

    def _variables(self) -> dict[str, str]:
        """What our own bash reads; commands in the tree must not see where it is."""
        return {name[1:]: self._place(name) for name in (ROOT, CHROOT, OUT, DOWNLOADS)}

    def _place(self, argument: str) -> str:
        places = {
            ROOT: self.tree.root,
            CHROOT: self.tree.chroot,
            OUT: self.out,
            DOWNLOADS: self.downloads,
        }
        for variable, place in places.items():
            if argument == variable or argument.startswith(f"{variable}/"):
                return f"{place}{argument.removeprefix(variable)}"
        return argument

    def _run(
        self, argv: tuple[str, ...], shell: str, variables: Mapping[str, str] = _NOTHING
    ) -> None:
        """Run a command in a session of its own, waiting for its end or for a wish to stop."""
        program = shutil.which(argv[0], path=self.environment["PATH"])
        if program is None:
            raise CommandError(shell, 127)
        with Path(os.devnull).open("rb") as nothing:
            command = sh.Command(program)(
                *argv[1:],
                _in=nothing,
                _out=self.log,
                _err_to_out=True,
                _env={**self.environment, **variables},
                _new_session=True,
                _bg=True,
                _bg_exc=False,
                _ok_code=list(range(-64, 256)),
                _return_cmd=True,
            )
            for _ in _beats(command):
                if self.cancelled():
                    _end(command)
                    raise Cancelled
                self.pulse()
            command.wait()
        if command.exit_code != 0:
            raise CommandError(shell, command.exit_code)

    # Files are reached from the tree's root one directory at a time and never through a link, so
    # that no link in a tree can lead a write or a removal out of it.

    @contextmanager
    def _parent(self, path: str, *, make: bool = True) -> Iterator[tuple[int, str]]:
        """An open descriptor of the directory of ``path``, made where missing; and the name."""
        *directories, name = path.strip("/").split("/")
        with ExitStack() as opened:
            descriptor = _keep(opened, os.open(self.tree.root, os.O_RDONLY | os.O_DIRECTORY))
            for directory in directories:
                descriptor = _keep(opened, _descend(descriptor, directory, path, make=make))
            yield descriptor, name

    def _write(self, path: str, text: str, mode: int) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with self._parent(path) as (parent, name):
            _clear(parent, name)
            with os.fdopen(os.open(name, flags, mode, dir_fd=parent), "wb") as file:
                file.write(text.encode())
                os.fchmod(file.fileno(), mode)

    def _append(self, path: str, text: str) -> None:
        # Not blocking: in a tree by anyone the file may be a pipe that nobody reads.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
        with self._parent(path) as (parent, name):
            try:
                descriptor = os.open(name, flags, 0o644, dir_fd=parent)
            except OSError as error:
                raise ZwizardError(f"{path} is not a file: {error.strerror}", _UNSAFE) from None
            with os.fdopen(descriptor, "ab") as file:
                file.write(text.encode())

    def _remove(self, pattern: str) -> None:
        try:
            with self._parent(pattern, make=False) as (parent, name), os.scandir(parent) as found:
                for entry in [entry.name for entry in found if _matches(entry.name, name)]:
                    _clear(parent, entry)
        except FileNotFoundError:
            return


def _keep(opened: ExitStack, descriptor: int) -> int:
    opened.callback(os.close, descriptor)
    return descriptor


def _descend(descriptor: int, directory: str, path: str, *, make: bool) -> int:
    """Open ``directory`` below ``descriptor``, never through a link."""
    try:
        try:
            return _open_directory(descriptor, directory)
        except FileNotFoundError:
            if not make:
                raise
            os.mkdir(directory, 0o755, dir_fd=descriptor)
            return _open_directory(descriptor, directory)
    except OSError as error:
        if error.errno not in {errno.ENOTDIR, errno.ELOOP}:
            raise
        raise ZwizardError(
            f"{path}: {directory} is not a directory of this tree (a link, or a file)",
            _UNSAFE,
        ) from None


def _open_directory(descriptor: int, name: str) -> int:
    return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=descriptor)


def _matches(name: str, pattern: str) -> bool:
    """Whether ``name`` is ``pattern``, in which only one ``*`` means anything."""
    before, star, after = pattern.partition("*")
    if not star:
        return name == pattern
    whole = len(name) >= len(before) + len(after)
    return whole and name.startswith(before) and name.endswith(after)


def _is_directory(parent: int, name: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(name, dir_fd=parent).st_mode)
    except FileNotFoundError:
        return False


def _clear(parent: int, name: str) -> None:
    """Remove whatever ``name`` is in the directory ``parent``."""
    try:
        mode = os.lstat(name, dir_fd=parent).st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode):
        shutil.rmtree(name, dir_fd=parent)
    else:
        os.unlink(name, dir_fd=parent)


def _beats(command: sh.RunningCommand) -> Iterator[None]:
    """Now and then while ``command`` runs; it ends the moment that the command does.

    sh's own waiting looks ten times a second, too seldom for a step of short commands.
    """
    try:
        descriptor = os.pidfd_open(command.pid)
    except ProcessLookupError:
        return  # it has ended already
    try:
        while not select.select([descriptor], [], [], _POLL)[0]:
            yield
    finally:
        os.close(descriptor)


def _end(command: sh.RunningCommand) -> None:
    """End a command and its session: asked first, then made to."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(command.pid, number)
            command.wait(timeout=_GRACE)
        except (ProcessLookupError, sh.TimeoutException):
            continue
