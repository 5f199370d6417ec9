"""Change files of the tree: write, append, link, make a directory, remove."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

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
    """An action whose fields are the arguments of the function ``edit``, after the tree."""

    edit: ClassVar[Callable[..., None]]
    modules = ("edit",)

    def perform(self, place: Workplace) -> None:
        self.edit(place.root, *vars(self).values())


@dataclass(frozen=True)
class Write(_FileAction):
    """Make the file ``path`` (absolute, in the tree) hold ``text``, whatever was there."""

    path: str
    text: str
    mode: int = 0o644
    edit = staticmethod(edit.write)

    def shell(self) -> str:
        """A few lines of bash: the text is a here-document."""
        place = place_of(self.path)
        if not self.text:
            return f"install -DTm {self.mode:o} /dev/null {place}"
        return f"install -DTm {self.mode:o} /dev/stdin {place} {here_document(self.text)}"


@dataclass(frozen=True)
class Append(_FileAction):
    """Add ``text`` to the file ``path`` (absolute, in the tree)."""

    path: str
    text: str
    edit = staticmethod(edit.append)

    def shell(self) -> str:
        """A few lines of bash: the text is a here-document."""
        return f"cat >> {place_of(self.path)} {here_document(self.text)}"


@dataclass(frozen=True)
class Link(_FileAction):
    """Make ``path`` (absolute, in the tree) a symbolic link to ``target``."""

    path: str
    target: str
    edit = staticmethod(edit.link)

    def shell(self) -> str:
        return f"ln -sfT -- {shlex.quote(self.target)} {place_of(self.path)}"


@dataclass(frozen=True)
class Directory(_FileAction):
    """Make ``path`` (absolute, in the tree) a directory, whatever else was there."""

    path: str
    mode: int = 0o755
    edit = staticmethod(edit.make_directory)

    def shell(self) -> str:
        place = place_of(self.path)
        return f"[ -d {place} ] || {{ rm -f {place} && mkdir -m {self.mode:o} {place}; }}"


@dataclass(frozen=True)
class Remove(_FileAction):
    """Remove what matches ``patterns`` (absolute, in the tree; ``*`` matches dot files too).

    Nothing to remove is no error. ``*`` stands for one name, or a part of one, at the path's end.
    """

    patterns: tuple[str, ...]
    edit = staticmethod(edit.remove)

    def shell(self) -> str:
        """One line of bash; the script has ``dotglob`` and ``nullglob`` set."""
        return "rm -rf " + " ".join(map(place_of, self.patterns))
