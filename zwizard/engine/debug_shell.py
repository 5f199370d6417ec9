"""A shell in the tree that a step starts from; changes are discarded.

It runs as the step's commands do: with the same privilege, in namespaces of its own, on an overlay
of the finished layers, with the same mounts.
"""

import contextlib
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

from zwizard.engine import status
from zwizard.engine.builds import Build
from zwizard.engine.layers import DOWNLOADS, Store, discard
from zwizard.engine.requirements import store_of
from zwizard.engine.sandbox import environment, tree
from zwizard.host.privileges import Privilege, find_privilege
from zwizard.jobs.lock import claim
from zwizard.plan import targets
from zwizard.steps.actions import Append, InTree, Link, Remove, Write
from zwizard.steps.step import Plan, Step
from zwizard.util.errors import UsageError, ZwizardError
from zwizard.util.text import sanitise

_MODULE = "zwizard.engine.debug_shell"  # what -m takes, also where __name__ is __main__
_FILES = (Write, Append, Link, Remove)  # actions that run no command


def by_hand(build: Build, step: str, command: str) -> str:
    """A line for any shell that runs a step's ``command`` in the step's tree."""
    return f"zwizard shell {shlex.join((build.id, step))} -c {shlex.quote(command)}"


def step_of(build: Build) -> str:
    """The step that is running, failed or stopped; of a finished build, the last."""
    steps = status.of(build).steps
    unfinished = (step.name for step in steps if step.state not in {"done", "cached"})
    return next(unfinished, targets.make(build.recipe()).steps[-1].name)


def enter(build: Build, step: str, command: str = "") -> int:
    """Open a shell in the tree of ``step``, or run one line of bash there; its exit status.

    In the line $ROOT is the tree, and in_tree runs a program of it, as in the plan's commands.
    UsageError if there is no such step or a layer below it is missing; ZwizardError if the tree
    cannot be made.
    """
    privilege = find_privilege()
    verify(build, step, privilege)
    privilege.authorise()
    store = store_of(privilege)
    work = store.work(f"shell-{build.id}-{os.getpid()}")
    inside = (sys.executable, "-m", _MODULE, str(build.directory), str(work), step, command)
    work.parent.mkdir(parents=True, exist_ok=True)
    terminal = os.environ.get("TERM", "dumb")
    with _keeping_terminal():
        try:
            done = subprocess.run(
                [*privilege.launch_isolated(), "env", f"TERM={terminal}", *inside],
                cwd="/",
                check=False,
            )
        finally:
            if work.exists():  # the shell was killed; files may belong to mapped users
                subprocess.run([*privilege.launch_isolated(), "rm", "-rf", str(work)], check=False)
    return done.returncode if done.returncode >= 0 else 128 - done.returncode


def verify(build: Build, step: str, privilege: Privilege) -> None:
    """Raise ZwizardError if the tree of ``step`` cannot be entered with this privilege."""
    privilege.require()
    _below(targets.make(build.recipe()), store_of(privilege), step)


def _below(made: Plan, store: Store, name: str) -> tuple[Step, tuple[str, ...]]:
    """The step called ``name``, and the finished layers below its tree."""
    number = next((i for i, step in enumerate(made.steps) if step.name == name), None)
    if number is None:
        names = ", ".join(step.name for step in made.steps)
        raise UsageError(f"there is no step {name!r}", f"Steps: {names}.")
    parents = made.fingerprints()[:number]
    finished = len(store.chain(parents))
    if finished < number:
        before = made.steps[finished].name
        raise UsageError(
            f"{name} cannot be entered: the step {before} before it is not finished",
            f"Build first, or enter {before}.",
        )
    return made.steps[number], parents


@contextlib.contextmanager
def _keeping_terminal() -> Iterator[None]:
    """Leave Ctrl-C to the shell; afterwards take the terminal back.

    A shell in another PID namespace cannot name the process group that it got the terminal from.
    """
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        if os.isatty(0):
            stopped = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
            with contextlib.suppress(OSError):
                os.tcsetpgrp(0, os.getpgrp())
            signal.signal(signal.SIGTTOU, stopped)
        signal.signal(signal.SIGINT, before)


# --- inside the namespaces -----------------------------------------------------------------------


def inside(build: Build, work: Path, name: str, command: str) -> int:
    """Make the tree in ``work``, run the shell or ``command`` there, and discard the tree."""
    # What only names a shell starts without it.
    from zwizard.engine.executor import Executor, functions, variables

    os.umask(0o022)
    signal.signal(signal.SIGINT, lambda *_: None)  # for the command in the tree
    made = targets.make(build.recipe())
    store = Store.of(work)
    step, parents = _below(made, store, name)
    descriptor = claim(work)  # builds and `zwizard clean` leave it alone
    try:
        with (
            store.using(parents),
            tree(store, parents, work / "tree") as place,
            (work / "log").open("wb") as log,
        ):
            exported = environment(made)
            executor = Executor(place, work / "archive", exported, log)
            for action in takewhile(lambda action: isinstance(action, _FILES), step.actions):
                executor.perform(action)
            downloads = store.directory / DOWNLOADS
            places = variables(place, work / "archive", downloads, made.network(step))
            code = f"{places}\n{functions(InTree(()), *step.actions)}\n"
            return _run(build, step, place.root, exported, code, command)
    finally:
        discard(work)
        os.close(descriptor)


def _run(
    build: Build, step: Step, root: Path, environment: dict[str, str], code: str, command: str
) -> int:
    prompt = f"({build.id} {step.name}{{}}) # "
    environment = environment | {"TERM": os.environ.get("TERM", "dumb")}
    argv: tuple[str, ...]
    if command:
        argv = ("bash", "-o", "pipefail", "-c", f"shopt -s dotglob nullglob\n{code}{command}")
    elif shell := _shell_in(root, code, environment):
        _greet(f"The root file system of {build.id} before {step.name}, in its sandbox.")
        line = shlex.join(("in_tree", shell, *_bare(shell)))
        argv = ("bash", "-c", f"PROMPT={shlex.quote(prompt.format(''))}\n{code}{line}")
    else:
        _greet(
            f"Before {step.name}, {build.id} has no shell: this is a shell of this machine."
            " The tree is $ROOT."
        )
        argv = ("bash", *_bare("/bin/bash"))
        environment |= {"ROOT": str(root), "PS1": prompt.format(", outside")}
    return subprocess.run(argv, env=environment, cwd=root, check=False).returncode


def _shell_in(root: Path, code: str, environment: dict[str, str]) -> str:
    """The shell that the tree has, or ""."""
    for path in ("/bin/bash", "/bin/sh"):
        test = ("bash", "-c", f"{code}in_tree {path} -c 'exit 0'")
        done = subprocess.run(test, env=environment, cwd=root, capture_output=True, check=False)
        if done.returncode == 0:
            return path
    return ""


def _bare(shell: str) -> tuple[str, ...]:
    """Options that skip start-up files of the image, which would set another prompt."""
    return ("--norc", "--noprofile", "-i") if shell == "/bin/bash" else ("-i",)


def _greet(where: str) -> None:
    sys.stdout.write(f"{where}\nChanges are discarded when you leave (exit, Ctrl-D).\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    """``BUILD WORK STEP COMMAND``, in namespaces of its own."""
    directory, work, step, command = arguments
    try:
        return inside(Build(Path(directory)), Path(work), step, command)
    except ZwizardError as error:
        sys.stderr.write(f"zwizard: {sanitise(error.message)}\n  {sanitise(error.hint)}\n")
        if sys.stdin.isatty():
            # Otherwise the wizard would cover it at once.
            sys.stderr.write("Press Enter to go back. ")
            sys.stdin.readline()
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
