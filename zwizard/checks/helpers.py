"""Settings files in an image, read as text and within bounds."""

import tomllib
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from itertools import islice
from typing import TypeVar

from zwizard.checks.verdict import Verdict, failed, passed
from zwizard.image.executables.entrypoint import Part, StartCheck
from zwizard.image.tree import Entry, EntryType, FileTree, Resolution, UnreadableError

_T = TypeVar("_T")

# No settings file is larger; one that is has something else in it.
SETTINGS = 1 << 20
# Those that a person writes line by line, and each line of which costs something to look at.
BY_HAND = 64 << 10
# No image has more of anything that is compared with each of something else.
FEW = 1000
_PATTERN = 4096


def text(tree: FileTree, path: str, limit: int = SETTINGS) -> str | None:
    """The text of the file ``path`` leads to, None if it leads to none; raises UnreadableError.

    Bytes that are not UTF-8 are kept as surrogates.
    """
    found = tree.resolve(path).file
    if found is None:
        return None
    if found.size > limit:
        raise UnreadableError(f"{path} is far too large: {found.size} bytes", "Check that file.")
    return tree.read(path, limit).decode("utf-8", "surrogateescape")


def texts(tree: FileTree, *patterns: str) -> Iterator[tuple[str, str]]:
    """The path and text of each file that matches; raises UnreadableError."""
    for entry in tree.glob(*patterns):
        content = text(tree, entry.path)
        if content is not None:
            yield entry.path, content


def lines(tree: FileTree, path: str, limit: int = SETTINGS) -> Iterator[str]:
    """The lines of the settings file at ``path`` without comments (#) and empty ones."""
    for line in (text(tree, path, limit) or "").splitlines():
        plain = line.partition("#")[0].strip()
        if plain:
            yield plain


def few(found: Iterable[_T], what: str) -> list[_T]:
    """``found``, called ``what``, as a list; raises UnreadableError for more than FEW."""
    kept = list(islice(found, FEW + 1))
    if len(kept) > FEW:
        raise UnreadableError(f"there are more than {FEW} {what}", "Check what creates them.")
    return kept


def matches(name: str, pattern: str) -> bool:
    """Whether ``name`` fits a shell pattern; one that is longer than any path fits nothing."""
    return len(pattern) <= _PATTERN and fnmatchcase(name, pattern)


def leads_to_file(found: Resolution, otherwise: str = "") -> Verdict:
    """Whether a path leads to a file that is not empty; ``otherwise`` is added if it does not."""
    if found.file is None:
        return failed(f"{found.shown}{otherwise}")
    if found.file.size == 0:
        return failed(f"{found.file.path} is empty")
    return passed(f"{found.shown}, {found.file.size} bytes")


def relative_links(*paths: Resolution) -> Verdict:
    """Whether no link on the ``paths`` is absolute or leaves the image."""
    for found in paths:
        if (link := found.outside) is not None:
            return failed(f"on the path {found.path}: {link.path} -> {link.target}")
    count = sum(len(found.chain) for found in paths)
    return passed(f"{count} links, all relative" if count else "no links")


def verdict_of(found: StartCheck, *parts: Part) -> Verdict:
    """Whether something can start, as far as ``parts`` of it are concerned."""
    return (failed if found.part in parts else passed)(found.evidence)


def account(tree: FileTree, path: str, name: str = "root") -> list[str]:
    """The fields of ``name`` in a file such as /etc/passwd, one empty field without an entry."""
    accounts = (line.split(":") for line in (text(tree, path) or "").splitlines())
    return next((fields for fields in accounts if fields[0] == name), [""])


def files(tree: FileTree, directory: str) -> Iterator[Entry]:
    """What is beneath ``directory`` and is not a directory itself."""
    for entry in tree.walk(directory):
        if entry.kind is not EntryType.DIRECTORY:
            yield entry


STARTUP = "/.startup.toml"
"""What a converted Docker image starts, of which Zero-OS reads the environment."""


def startup_arguments(tree: FileTree) -> dict[str, object]:
    """``[startup.entry.args]`` of STARTUP, {} without; raises UnreadableError if it is no TOML."""
    try:
        found: object = tomllib.loads(text(tree, STARTUP) or "")
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UnreadableError(
            f"{STARTUP} is not valid TOML", "Correct it, or remove it."
        ) from error
    for key in ("startup", "entry", "args"):
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}
