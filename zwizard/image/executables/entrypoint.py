"""Whether a program can start in a tree: its files, interpreters, loader and libraries."""

import enum
import posixpath
import re
import shlex
from dataclasses import dataclass, field, replace

from zwizard.image.executables.libraries import Libraries
from zwizard.image.executables.programs import PATH, Program, identify
from zwizard.image.executables.start_script import (
    START_SCRIPT,
    StartedProgram,
    read_start_script,
)
from zwizard.image.tree import Entry, EntryType, FileTree, Resolution

_SCRIPTS = 5  # the kernel starts no more scripts that are interpreters of each other
_SCRIPT_BYTES = 1 << 20
_BUSYBOX_BYTES = 4 << 20


class Part(enum.Enum):
    """What a program's start can fail in, in the order in which it is needed."""

    FILE = "the file itself"
    INTERPRETER = "an interpreter or the loader"
    LIBRARY = "a library"


@dataclass(frozen=True, slots=True)
class StartCheck:
    """Whether something can start, and the path or value that decided.

    ``part`` is what it fails in, None if it starts.
    """

    starts: bool
    evidence: str
    part: Part | None = None


@dataclass(frozen=True, slots=True)
class User:
    """Who starts a program: the kernel's rules on permission bits follow from it."""

    uid: int = 0
    gids: frozenset[int] = frozenset({0})

    def may(self, entry: Entry, bit: int) -> bool:
        """Whether this user may read (4) or execute or search (1) ``entry``."""
        if self.uid == 0:
            return bit != 1 or entry.kind is EntryType.DIRECTORY or bool(entry.mode & 0o111)
        shift = 6 if entry.uid == self.uid else 3 if entry.gid in self.gids else 0
        return bool(entry.mode >> shift & bit)


ROOT = User()


@dataclass(frozen=True)
class Starter:
    """Starts nothing: says whether a program can start in ``tree``.

    ``search`` is PATH, ``libraries`` LD_LIBRARY_PATH, ``directory`` the working directory.
    """

    tree: FileTree
    user: User = ROOT
    search: str = PATH
    libraries: str = ""
    directory: str = "/"
    _found: Libraries = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_found", Libraries(self.tree, lambda path: self._fault(path, 4)))

    def check(self, path: str) -> StartCheck:
        """Whether the program at the absolute ``path`` can start; raises UnreadableError."""
        if not path.startswith("/"):
            return StartCheck(False, f"{path} is not an absolute path", Part.FILE)
        found = self.start(path, ())
        target = self._script_target(path) if found.starts else None
        return self._check_target(target) if target else self.shown(path, found)

    def check_script(self, script: str) -> StartCheck:
        """The same of what ``script`` starts, the start script that a build will add."""
        shell = self.start("/bin/sh", ())
        target = read_start_script(script) if shell.starts else None
        return self._check_target(target) if target else self.shown("/bin/sh", shell)

    def shown(self, path: str, found: StartCheck) -> StartCheck:
        """``found`` with where ``path`` leads as its evidence, if it starts."""
        return replace(found, evidence=self.tree.resolve(path).shown) if found.starts else found

    def _script_target(self, path: str) -> StartedProgram | None:
        """The program that zwizard's own script starts, where that is the entrypoint."""
        if path != START_SCRIPT or self.tree.resolve(path).file is None:
            return None
        text = self.tree.read(path, _SCRIPT_BYTES).decode("utf-8", "surrogateescape")
        return read_start_script(text)

    def _check_target(self, target: StartedProgram) -> StartCheck:
        """What a start script starts; evidence on the file itself has the script in front."""
        there = replace(
            self, search=target.path, libraries=target.libraries, directory=target.directory
        )
        path = there.find(target.program)
        found = there.shown(path, there.start(path, ()))
        if found.starts or found.part is Part.FILE:
            return replace(
                found, evidence=f"{START_SCRIPT} starts {target.program}: {found.evidence}"
            )
        return found

    def find(self, name: str) -> str:
        """Where a shell or env finds ``name``: by its path, or else in the directories of PATH."""
        places = [self.directory] if "/" in name else self.search.split(":")
        paths = [posixpath.normpath(posixpath.join(self.directory, at, name)) for at in places]
        found = ((path, self.tree.resolve(path).file) for path in paths)
        executable = (path for path, file in found if file is not None and file.mode & 0o111)
        return next(executable, paths[0])

    def start(self, path: str, chain: tuple[str, ...], scripts: int = 0) -> StartCheck:
        """Whether ``path`` can start, which the programs in ``chain`` need, the first first."""
        part = Part.INTERPRETER if chain else Part.FILE
        found = self.tree.resolve(posixpath.join(self.directory, path))
        if fault := self._fault(found.path, 1) or _empty(found):
            return StartCheck(False, " needs ".join([*chain[-1:], fault]), part)
        assert found.file is not None
        program = identify(self.tree, found.file)
        chain = (*chain, path)
        if program.elf is not None:
            return self._check_elf(found.file, program, chain)
        if not program.interpreter:
            evidence = f"{path} is {program.description}, not a program"
            return StartCheck(False, evidence, Part.INTERPRETER)
        if scripts == _SCRIPTS:
            evidence = f"too many scripts start each other: {', '.join(chain)}"
            return StartCheck(False, evidence, Part.INTERPRETER)
        if fault := self._carriage_return(path, program):
            return StartCheck(False, fault, Part.INTERPRETER)
        there = self.start(program.interpreter, chain, scripts + 1)
        if there.starts and posixpath.basename(program.interpreter) == "env":
            return self._check_env(program, chain)
        return there

    def _fault(self, path: str, bit: int) -> str:
        """Why this user cannot read (4) or execute (1) the file at ``path``, "" if it can."""
        found = self.tree.resolve(path)
        if found.file is None:
            return found.shown
        if self.user.uid and (closed := self._closed(found)):
            return f"{closed.path} cannot be searched by user {self.user.uid} ({closed.mode:o})"
        if not self.user.may(found.file, bit):
            what = "executable" if bit == 1 else "readable"
            return f"{found.shown}, not {what} (mode {found.file.mode:o})"
        return ""

    def _closed(self, found: Resolution) -> Entry | None:
        """The first directory on the way that the user cannot search."""
        assert found.entry is not None
        for path in (found.path, *(link.path for link in found.chain), found.entry.path):
            parent = ""
            for name in path.split("/")[:-1]:
                parent = f"{parent.rstrip('/')}/{name}"
                at = self.tree.resolve(parent).entry
                if at is not None and not self.user.may(at, 1):
                    return at
        return None

    def _check_elf(self, file: Entry, program: Program, chain: tuple[str, ...]) -> StartCheck:
        """An ELF program: its loader, and what that loads."""
        elf = program.elf
        assert elf is not None
        path = chain[-1]
        if not elf.runs:
            return StartCheck(False, f"{path} is {program.description}, not a program", Part.FILE)
        if not elf.x86_64:  # which another rule says of what starts first
            return StartCheck(False, f"{path} is {program.description}", Part.LIBRARY)
        if elf.end > elf.size and not self.tree.heads_only:
            return StartCheck(False, f"{path} is truncated", Part.LIBRARY)
        if not elf.loader:
            if elf.libraries:
                return StartCheck(False, f"{path} is a library without a loader", Part.LIBRARY)
            return StartCheck(True, " needs ".join([*chain, "nothing"]))
        loader = self.tree.resolve(posixpath.join(self.directory, elf.loader))
        if fault := self._fault(loader.path, 1) or _empty(loader):
            return StartCheck(False, f"{path} needs {fault}", Part.INTERPRETER)
        evidence = " needs ".join([*chain, elf.loader])
        if self.tree.heads_only:
            return StartCheck(True, evidence)
        assert loader.file is not None
        own = identify(self.tree, loader.file)
        if not own.x86_64:
            return StartCheck(
                False, f"{path} needs {elf.loader}, which is {own.description}", Part.INTERPRETER
            )
        # A path with links in it: the kernel says where it leads, and $ORIGIN is there.
        if fault := self._found.missing(file, elf, loader.file, self.libraries):
            return StartCheck(False, fault, Part.LIBRARY)
        return StartCheck(True, evidence)

    def _check_env(self, program: Program, chain: tuple[str, ...]) -> StartCheck:
        """The program that env starts for a script."""
        words = [program.argument]
        if split := re.match(r"(?:-[iv]*S|--split-string[= ])\s*(.*)", program.argument):
            if self._is_busybox(program.interpreter):
                fault = f"{chain[0]} needs env -S, which busybox's env does not have"
                return StartCheck(False, fault, Part.INTERPRETER)
            try:
                words = shlex.split(split[1])
            except ValueError:
                words = []
        search, name = _env_program(words, self.search)
        if not name:
            fault = f"{chain[0]} starts env without the name of a program"
            return StartCheck(False, fault, Part.INTERPRETER)
        there = replace(self, search=search)
        path = there.find(name)
        if self.tree.resolve(path).file is None:
            hint = "; it takes it all as one name without -S" if " " in name else ""
            fault = f"{chain[0]} needs {name} by env, which is not in the image{hint}"
            return StartCheck(False, fault, Part.INTERPRETER)
        return there.start(path, chain)

    def _carriage_return(self, path: str, program: Program) -> str:
        """Why lines that end as on Windows keep a script from starting, "" if they do not."""
        name, argument = (
            text.replace("\r", "\\r") for text in (program.interpreter, program.argument)
        )
        if name != program.interpreter:
            return f"{path} needs {name}, which does not exist: its lines end with CR LF"
        if argument != program.argument and "perl" not in name:
            return f"{path} starts {name} with {argument}: its lines end with CR LF"
        return ""

    def _is_busybox(self, path: str) -> bool:
        file = self.tree.resolve(path).file
        if file is None or "busybox" in file.name:
            return file is not None
        with self.tree.open_entry(file) as opened:
            return b"BusyBox v" in opened.read(_BUSYBOX_BYTES)


def first_program(entrypoint: str | None) -> str:
    """The program of an entrypoint with its arguments; without one Zero-OS starts /sbin/init."""
    words = (entrypoint or "").split()
    return words[0] if words else "/sbin/init"


def _empty(found: Resolution) -> str:
    return f"{found.file.path} is empty" if found.file is not None and not found.file.size else ""


def _env_program(words: list[str], search: str) -> tuple[str, str]:
    """PATH and the program's name in the arguments of env, "" without one."""
    while words and words[0].startswith("-"):
        words = words[2 if words[0] in {"-u", "-C", "--unset", "--chdir"} else 1 :]
    while words and "=" in words[0]:
        if words[0].startswith("PATH="):
            search = words[0].removeprefix("PATH=")
        words = words[1:]
    return search, words[0] if words else ""
