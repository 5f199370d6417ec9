"""The script that starts an OCI image's program in a flist, which has no settings of its own."""

import re
import shlex
from typing import NamedTuple

from zwizard.image.executables.programs import PATH

START_SCRIPT = "/zos-start"
"""Its path in the image."""

_MARK = "# What the image itself starts, as it says; written by zwizard."


def render_start_script(
    entrypoint: tuple[str, ...],
    command: tuple[str, ...],
    environment: tuple[tuple[str, str], ...],
    directory: str,
    user: str,
) -> str:
    """The script that starts ``entrypoint`` with ``command``, or with other arguments, as Docker.

    A variable that the deployment sets stays as it is; PATH is always the image's, because
    Zero-OS's init sets one. A working directory that is in no layer is created, as Docker does.
    """
    lines = ["#!/bin/sh", _MARK]
    if user not in {"", "0", "root", "0:0", "root:root"}:
        name = "".join(char for char in user if char.isprintable())
        lines.append(f"# It asks for the user {name}; Zero-OS starts all as root.")
    for name, value in environment:
        if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
            continue  # no shell can set it
        unless = "" if name == "PATH" else f'[ "${{{name}+set}}" ] || '
        lines.append(f"{unless}export {name}={shlex.quote(value)}")
    lines.append(f"[ -d {shlex.quote(directory)} ] || mkdir -p {shlex.quote(directory)}")
    lines.append(f"cd {shlex.quote(directory)} || exit")
    if command:
        lines.append(f"[ $# -gt 0 ] || set -- {shlex.join(command)}")
    lines.append(f'exec {shlex.join(entrypoint)} "$@"' if entrypoint else 'exec "$@"')
    return "".join(f"{line}\n" for line in lines)


class StartedProgram(NamedTuple):
    """What a start script starts: the program as it names it, and its working directory.

    ``path`` is its PATH, ``libraries`` its LD_LIBRARY_PATH.
    """

    program: str
    directory: str
    path: str
    libraries: str


def read_start_script(text: str) -> StartedProgram | None:
    """What the start script ``text`` starts; None for any other script, or without a program."""
    if _MARK not in text.splitlines()[1:2]:
        return None
    above, _, last = text.rpartition("\nexec ")
    settings, _, then = above.rpartition("\ncd ")
    directory, _, usual = then.partition(" || exit")
    try:
        words = shlex.split(last)
        if words == ["$@"]:
            words = shlex.split(usual.partition(" || set -- ")[2])
        (place,) = shlex.split(directory)
        path, libraries = _variable(settings, "PATH"), _variable(settings, "LD_LIBRARY_PATH")
        return StartedProgram(words[0], place, path or PATH, libraries)
    except (ValueError, IndexError):
        return None


def _variable(settings: str, name: str) -> str:
    """The last value that the script gives to a variable, "" if none."""
    found = re.findall(rf"^.*\bexport {name}=(.*)$", settings, re.MULTILINE)
    return "".join(shlex.split(found[-1])) if found else ""
