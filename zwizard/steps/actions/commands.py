"""Run a command: a tool of this machine on the tree, or a program inside the tree."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from zwizard.steps.actions.action import CHROOT, Action, Workplace, line


@dataclass(frozen=True)
class Host(Action):
    """Run a tool of this machine on the tree."""

    argv: tuple[str, ...]

    def shell(self) -> str:
        """One line of bash."""
        return line(self.argv)

    def perform(self, place: Workplace) -> None:
        """Run it, without a shell."""
        place.run(tuple(map(place.locate, self.argv)), self.shell())

    @property
    def tools(self) -> frozenset[str]:
        """The tool."""
        return frozenset(self.argv[:1])

    @property
    def enters(self) -> bool:
        """Whether it works on the tree as commands inside see it."""
        return any(word.startswith(CHROOT) for word in self.argv)


@dataclass(frozen=True)
class Chroot(Action):
    """Run a command inside the tree."""

    argv: tuple[str, ...]
    programs = ("chroot",)
    enters = True

    def shell(self) -> str:
        """One line of bash."""
        return f"{line(('chroot', CHROOT))} {shlex.join(self.argv)}"

    def perform(self, place: Workplace) -> None:
        """Run it, without a shell."""
        place.run(("chroot", place.locate(CHROOT), *self.argv), self.shell())
