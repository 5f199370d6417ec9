"""Run a command: a tool of this machine, or in the sandbox a program that runs the tree's."""

import shlex
from dataclasses import dataclass

from zwizard.steps.actions.action import Action, here_document, line

SANDBOX_PROGRAMS = ("base64", "bwrap", "nsenter", "unshare")  # of sandbox.sh


@dataclass(frozen=True)
class Host(Action):
    """Run a tool of this machine that runs nothing of the tree."""

    argv: tuple[str, ...]

    def shell(self) -> str:
        return line(self.argv)

    @property
    def tools(self) -> frozenset[str]:
        return frozenset(self.argv[:1])


@dataclass(frozen=True)
class _Sandboxed(Action):
    programs = SANDBOX_PROGRAMS
    scripts = ("sandbox.sh",)


@dataclass(frozen=True)
class InTree(_Sandboxed):
    """Run a program of the tree, for which this machine has only the network of the step."""

    argv: tuple[str, ...]

    def shell(self) -> str:
        return f"in_tree {shlex.join(self.argv)}"


@dataclass(frozen=True)
class ShInTree(InTree):
    """Run a program of the tree where the tree has a shell; else nothing is done."""

    def shell(self) -> str:
        """One line of bash; what the path leads to may be known only inside the tree."""
        sh = '"${ROOT:?}"/bin/sh'
        return f"{{ [ ! -e {sh} ] && [ ! -L {sh} ]; }} || {super().shell()}"


@dataclass(frozen=True)
class LinesInTree(_Sandboxed):
    """Run lines of the user's with the tree's shell; not as arguments, which everyone can see."""

    lines: str

    def shell(self) -> str:
        """A few lines of bash: the user's are a here-document."""
        document = here_document(f"{self.lines}\n")
        return f"lines_in_tree {document}"


@dataclass(frozen=True)
class OnTree(_Sandboxed):
    """Run a package manager of this machine, which runs programs of the tree by itself.

    ``readable`` and ``writable`` are what it gets of this machine beside the tree.
    """

    argv: tuple[str, ...]
    readable: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()

    def shell(self) -> str:
        readable = (word for path in self.readable for word in ("-r", path))
        writable = (word for path in self.writable for word in ("-w", path))
        return line(("on_tree", *readable, *writable, *self.argv))

    @property
    def tools(self) -> frozenset[str]:
        """The package manager, and what makes the sandbox."""
        return frozenset((*self.programs, self.argv[0]))
