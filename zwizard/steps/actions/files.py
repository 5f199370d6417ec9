"""Change files of the tree: write, append, link, make a directory, remove."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from zwizard.steps.actions.action import Action, Workplace, here_document
from zwizard.treetools import edit


def place_of(path: str) -> str:
    """``path`` in the tree as one word of bash, its last ``*`` unquoted.

    Pasted where ROOT is not set, it must be an error and not a file of the machine itself.
    """
    before, star, after = path.partition("*")
    return f'"${{ROOT:?}}"{shlex.quote(before)}{star}{shlex.quote(after) if after else ""}'


@dataclass(frozen=True)
class _FileAction(Action):
    modules = ("edit",)


@dataclass(frozen=True)
class Write(_FileAction):
    """Make the file ``path`` (absolute, in the tree) hold ``text``, whatever was there."""

    path: str
    text: str
    mode: int = 0o644

    def shell(self) -> str:
        """A few lines of bash: the text is a here-document."""
        place = place_of(self.path)
        if not self.text:
            return f"install -DTm {self.mode:o} /dev/null {place}"
        return f"install -DTm {self.mode:o} /dev/stdin {place} {here_document(self.text)}"

    def perform(self, place: Workplace) -> None:
        """Write it."""
        edit.write(place.root, self.path, self.text, self.mode)


@dataclass(frozen=True)
class Append(_FileAction):
    """Add ``text`` to the file ``path`` (absolute, in the tree)."""

    path: str
    text: str

    def shell(self) -> str:
        """A few lines of bash: the text is a here-document."""
        return f"cat >> {place_of(self.path)} {here_document(self.text)}"

    def perform(self, place: Workplace) -> None:
        """Append it."""
        edit.append(place.root, self.path, self.text)


@dataclass(frozen=True)
class Link(_FileAction):
    """Make ``path`` (absolute, in the tree) a symbolic link to ``target``."""

    path: str
    target: str

    def shell(self) -> str:
        """One line of bash."""
        return f"ln -sfT -- {shlex.quote(self.target)} {place_of(self.path)}"

    def perform(self, place: Workplace) -> None:
        """Link it."""
        edit.link(place.root, self.path, self.target)


@dataclass(frozen=True)
class Directory(_FileAction):
    """Make ``path`` (absolute, in the tree) a directory, whatever else was there."""

    path: str
    mode: int = 0o755

    def shell(self) -> str:
        """One line of bash."""
        place = place_of(self.path)
        return f"[ -d {place} ] || {{ rm -f {place} && mkdir -m {self.mode:o} {place}; }}"

    def perform(self, place: Workplace) -> None:
        """Make it."""
        edit.make_directory(place.root, self.path, self.mode)


@dataclass(frozen=True)
class Remove(_FileAction):
    """Remove what matches ``patterns`` (absolute, in the tree; ``*`` matches dot files too).

    Nothing to remove is no error. ``*`` stands for one name, or a part of one, at the path's end.
    """

    patterns: tuple[str, ...]

    def shell(self) -> str:
        """One line of bash; the script has ``dotglob`` and ``nullglob`` set."""
        return "rm -rf " + " ".join(map(place_of, self.patterns))

    def perform(self, place: Workplace) -> None:
        """Remove it."""
        for pattern in self.patterns:
            edit.remove(place.root, pattern)
