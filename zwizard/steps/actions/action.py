"""What an action is: data that renders its own shell line and knows the code that it runs."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import ClassVar, Literal, Protocol

ROOT = "$ROOT"  # in arguments: the tree being built
OUT = "$OUT"  # in arguments: the archive being written
DOWNLOADS = "$DOWNLOADS"  # downloaded files, kept for other builds


class Workplace(Protocol):
    """Where actions are performed; the engine's executor is one."""

    @property
    def root(self) -> Path:
        """The tree being built."""

    def run_shell(self, action: Action) -> None:
        """Run the shell line of ``action`` with the functions that it calls."""


@dataclass(frozen=True)
class Action:
    """One thing that a step does. A new kind is a frozen dataclass in a file of this folder.

    - ``programs``: the programs of this machine that it runs, as ``host.tools`` has them.
    - ``scripts``: files of ``steps/scripts`` with the bash functions that its line calls.
    - ``modules``: modules of ``treetools`` that it runs, in the engine and in an exported script.
    - ``leaves``: what is left of its step: the tree, or a single file made of it.

    The fields, scripts and modules make the fingerprint; see ``steps.step``.
    """

    programs: ClassVar[tuple[str, ...]] = ()
    scripts: ClassVar[tuple[str, ...]] = ()
    modules: ClassVar[tuple[str, ...]] = ()
    leaves: ClassVar[Literal["tree", "image", "archive"]] = "tree"

    def shell(self) -> str:
        """The action as bash: one line, or a few with a here-document."""
        raise NotImplementedError

    def perform(self, place: Workplace) -> None:
        """Do it; the default runs the shell line."""
        place.run_shell(self)

    @property
    def tools(self) -> frozenset[str]:
        """The programs of this machine that it runs, with these fields."""
        fetches = "fetch.sh" in self.scripts and any("://" in str(v) for v in vars(self).values())
        return frozenset((*self.programs, "curl") if fetches else self.programs)

    def canonical(self) -> dict[str, object]:
        """The action as plain data: its verb and its fields."""
        return {"action": type(self).__name__.lower(), **asdict(self)}


@dataclass(frozen=True)
class FunctionCall(Action):
    """An action that calls the bash ``function`` with its fields as arguments.

    A true field is ``yes``, a false one ""; a tuple is that many arguments.
    """

    function: ClassVar[str]

    def shell(self) -> str:
        return line((self.function, *self.arguments()))

    def arguments(self) -> Iterator[str]:
        """The arguments, in the order of the fields."""
        for field in fields(self):
            match getattr(self, field.name):
                case tuple() as words:
                    yield from words
                case bool() as answer:
                    yield "yes" if answer else ""
                case value:
                    yield str(value)


def line(argv: tuple[str, ...]) -> str:
    """A command as one line of bash; places such as ROOT stay variables."""
    return " ".join(map(word, argv))


def word(text: str) -> str:
    """``text`` as one word of bash; a place at its start stays a variable."""
    for variable in (ROOT, OUT, DOWNLOADS):
        if text == variable:
            return f'"{variable}"'
        if text.startswith(f"{variable}/"):
            return f'"{variable}"{shlex.quote(text.removeprefix(variable))}'
    return shlex.quote(text)


def here_document(text: str) -> str:
    """``text`` (ending in a newline) as a here-document."""
    end = "END"
    while end in text.splitlines():
        end += "_"
    return f"<<'{end}'\n{text}{end}"
