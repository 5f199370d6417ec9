"""Whether a container's entrypoint can start: an executable file whose interpreter is there."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

from zwizard.image.executables.programs import find_program, identify
from zwizard.image.executables.start_script import (
    START_SCRIPT,
    StartedProgram,
    read_start_script,
)
from zwizard.image.tree import FileTree, Resolution

_SCRIPTS = 4  # the kernel follows no more interpreters that are scripts themselves
_SCRIPT_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class StartCheck:
    """Whether something can start, and the path or value that decided."""

    starts: bool
    evidence: str


def first_program(entrypoint: str | None) -> str:
    """The program of an entrypoint with its arguments; without one Zero-OS starts /sbin/init."""
    words = (entrypoint or "").split()
    return words[0] if words else "/sbin/init"


def check_file(found: Resolution) -> StartCheck:
    """Whether a path leads to an executable file that is not empty."""
    if found.file is None:
        return StartCheck(False, found.shown)
    if not found.file.mode & 0o111:
        return StartCheck(False, f"{found.shown}, not executable (mode {found.file.mode:o})")
    if not found.file.size:
        return StartCheck(False, f"{found.file.path} is empty")
    return StartCheck(True, found.shown)


def can_start(tree: FileTree, path: str) -> StartCheck:
    """Whether the entrypoint ``path`` can start in ``tree``; raises UnreadableError."""
    found = check_program(tree, path)
    loader = check_loader(tree, path) if found.starts else found
    return found if loader.starts else loader


def can_start_script(tree: FileTree, script: str) -> StartCheck:
    """The same of what ``script`` starts, the start script that the build will add to ``tree``."""
    shell = check_file(tree.resolve("/bin/sh"))
    target = read_start_script(script)
    if not shell.starts or target is None:
        return shell
    found = _search(tree, target)
    program = _check_target(target, found)
    loader = (
        _check_interpreters(tree, found.file.path) if program.starts and found.file else program
    )
    return program if loader.starts else loader


def _check_target(target: StartedProgram, found: Resolution) -> StartCheck:
    """What ``target``, which was searched for, is; with the start script in front."""
    check = check_file(found)
    return StartCheck(check.starts, f"{START_SCRIPT} starts {target.program}: {check.evidence}")


def check_program(tree: FileTree, path: str) -> StartCheck:
    """Whether ``path`` is an absolute path of a program, and so is what a start script starts."""
    if not path.startswith("/"):
        return StartCheck(False, f"{path} is not an absolute path")
    found = check_file(tree.resolve(path))
    target = _script_target(tree, path) if found.starts else None
    return found if target is None else _check_target(target, _search(tree, target))


def check_loader(tree: FileTree, path: str) -> StartCheck:
    """Whether the interpreter or ELF loader of a program, and of what it starts, is there."""
    found = _check_interpreters(tree, path)
    target = _script_target(tree, path) if found.starts else None
    file = _search(tree, target).file if target else None
    return _check_interpreters(tree, file.path) if file else found


def _script_target(tree: FileTree, path: str) -> StartedProgram | None:
    """The program that zwizard's own script starts, where that is the entrypoint."""
    if path != START_SCRIPT or tree.resolve(path).file is None:
        return None
    return read_start_script(tree.read(path, _SCRIPT_BYTES).decode("utf-8", "surrogateescape"))


def _search(tree: FileTree, target: StartedProgram) -> Resolution:
    """Where a shell finds a program: by its path, or else in the directories of PATH."""
    places = [target.directory] if "/" in target.program else target.path.split(":")
    paths = [posixpath.join(target.directory, place, target.program) for place in places]
    found = [tree.resolve(posixpath.normpath(path)) for path in paths]
    executable = (one for one in found if one.file is not None and one.file.mode & 0o111)
    return next(executable, found[0])


def _check_interpreters(tree: FileTree, path: str) -> StartCheck:
    entry = tree.resolve(path).file
    chain = [path]
    for _ in range(_SCRIPTS):
        if entry is None:
            break
        program = identify(tree, entry)
        if not program.runs:
            return StartCheck(False, f"{chain[-1]} is {program.description}, not a program")
        if not program.interpreter:
            return StartCheck(True, " needs ".join([*chain, "nothing"]))
        chain.append(program.interpreter)
        entry = tree.resolve(program.interpreter).file
        if entry is not None and program.elf:
            return StartCheck(True, " needs ".join(chain))
        if entry is not None and program.argument and entry.name == "env":
            return _check_env(tree, program.argument, chain)
    if entry is None:
        return StartCheck(False, f"{chain[-2]} needs {tree.resolve(chain[-1]).shown}")
    return StartCheck(False, f"too many scripts start each other: {', '.join(chain)}")


def _check_env(tree: FileTree, name: str, chain: list[str]) -> StartCheck:
    if find_program(tree, name) is None:
        return StartCheck(False, f"{chain[0]} needs {name} by env, which is not in the image")
    return StartCheck(True, " needs ".join([*chain, name]))
