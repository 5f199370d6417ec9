"""Settings files in an image, read as text and within bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zwizard.artefact.view import Kind, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zwizard.artefact.view import Entry, View

# No settings file is larger; one that is has something else in it.
SETTINGS = 1 << 20

_PROGRAMS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


def text(view: View, path: str, limit: int = SETTINGS) -> str | None:
    """The text of the file ``path`` leads to, None if it leads to none; raises UnreadableError.

    Bytes that are not UTF-8 are kept as surrogates.
    """
    found = view.resolve(path).file
    if found is None:
        return None
    if found.size > limit:
        raise UnreadableError(f"{path} is far too large: {found.size} bytes", "Look at it.")
    return view.read(path, limit).decode("utf-8", "surrogateescape")


def lines(view: View, path: str) -> Iterator[str]:
    """The lines of the settings file at ``path`` without comments (#) and empty ones."""
    for line in (text(view, path) or "").splitlines():
        plain = line.partition("#")[0].strip()
        if plain:
            yield plain


def program(view: View, name: str) -> Entry | None:
    """The executable file that a shell would find for ``name`` (the usual PATH), or None."""
    for directory in _PROGRAMS:
        found = view.resolve(f"{directory}/{name}").file
        if found is not None and found.mode & 0o111 and found.size:
            return found
    return None


def files(view: View, directory: str) -> Iterator[Entry]:
    """What is beneath ``directory`` and is not a directory itself."""
    for entry in view.walk(directory):
        if entry.kind is not Kind.DIRECTORY:
            yield entry
