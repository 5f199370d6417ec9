"""What is told of builds wherever the user is: the terminal's title, and a bell when one ends."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from zwizard.console.tables import MARKS, WORDS
from zwizard.engine import builds
from zwizard.engine.status import Status
from zwizard.jobs.follower import Watch
from zwizard.util.text import one_line

# The terminal keeps its title for us, and takes it back.
KEEP, RESTORE = "\x1b[22;2t", "\x1b[23;2t"


def titles(terminal: str) -> bool:
    """Whether the terminal called so (TERM) has a title: consoles and dumb ones have none."""
    return terminal not in {"", "dumb", "linux"} and not terminal.startswith("vt")


class Title:
    """The terminal's title; ``write`` sends to the terminal. Nothing is sent twice."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._shown = ""

    def show(self, text: str) -> None:
        """Let the title be ``text``."""
        if text == self._shown or not titles(os.environ.get("TERM", "")):
            return
        keep = "" if self._shown else KEEP
        self._shown = text
        self._write(f"{keep}\x1b]2;{one_line(text)}\x07")

    @property
    def ending(self) -> str:
        """What gives the terminal its own title back."""
        return RESTORE if self._shown else ""


@dataclass(frozen=True)
class Ended:
    """A build that has ended since the last look."""

    name: str
    status: Status

    @property
    def said(self) -> str:
        """In a few words: ``✓ web: ready``."""
        return f"{MARKS[self.status.state]} {self.name}: {WORDS[self.status.state]}"


class Notifications:
    """The builds at work, whoever started them: each :meth:`look` says which have ended."""

    def __init__(self) -> None:
        self._watched: dict[str, Watch[Status]] = {}
        self._running: dict[str, Status] = {}
        self._last = ""

    def look(self) -> tuple[Ended, ...]:
        """The builds that ended since the last look. It reads the disk."""
        for build in builds.everything():
            if build.id not in self._watched and build.running():
                self._watched[build.id] = Watch(build, Status())
        ended = []
        self._running = {}
        for name, watch in list(self._watched.items()):
            told = watch.look()
            if told.state == "running":
                self._running[name] = told
            else:
                del self._watched[name]
                ended.append(Ended(name, told))
        if ended:
            self._last = ended[-1].said
        return tuple(ended)

    @property
    def title(self) -> str:
        """What the terminal's title is to say now."""
        if not self._running:
            return self._last or "zwizard"
        name, told = next(iter(self._running.items()))
        more = f" and {len(self._running) - 1} more" if len(self._running) > 1 else ""
        place = f"{told.step.number}/{len(told.steps)} {told.step.name} " if told.step else ""
        return f"{MARKS['running']} {place}· {name}{more}"
