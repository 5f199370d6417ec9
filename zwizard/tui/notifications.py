"""Show builds outside their screens: in the terminal's title, and by a bell when one ends."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from zwizard.console.tables import MARKS, WORDS
from zwizard.engine import builds
from zwizard.engine.status import Status
from zwizard.jobs.follower import Watch
from zwizard.util.text import one_line

# The terminal saves its title, and restores it.
SAVE, RESTORE = "\x1b[22;2t", "\x1b[23;2t"


def has_title(terminal: str) -> bool:
    """Whether a terminal of this type (TERM) has a title: consoles and dumb ones have none."""
    return terminal not in {"", "dumb", "linux"} and not terminal.startswith("vt")


class Title:
    """The terminal's title; ``write`` sends to the terminal. Nothing is sent twice."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._shown = ""

    def show(self, text: str) -> None:
        """Set the title."""
        if text == self._shown or not has_title(os.environ.get("TERM", "")):
            return
        save = "" if self._shown else SAVE
        self._shown = text
        self._write(f"{save}\x1b]2;{one_line(text)}\x07")

    @property
    def ending(self) -> str:
        """The sequence that restores the terminal's own title; "" if it was not changed."""
        return RESTORE if self._shown else ""


@dataclass(frozen=True)
class EndedBuild:
    """A build that ended since the last call of :meth:`Notifications.look`."""

    name: str
    status: Status

    @property
    def message(self) -> str:
        """Its end in a few words: ``✓ web: ready``."""
        return f"{MARKS[self.status.state]} {self.name}: {WORDS[self.status.state]}"


class Notifications:
    """The running builds, whoever started them; :meth:`look` returns those that have ended."""

    def __init__(self) -> None:
        self._watched: dict[str, Watch[Status]] = {}
        self._running: dict[str, Status] = {}
        self._last = ""

    def look(self) -> tuple[EndedBuild, ...]:
        """The builds that ended since the last call. Reads the disk."""
        for build in builds.everything():
            if build.id not in self._watched and build.running():
                self._watched[build.id] = Watch(build, Status())
        ended = []
        self._running = {}
        for name, watch in list(self._watched.items()):
            status = watch.look()
            if status.state == "running":
                self._running[name] = status
            else:
                del self._watched[name]
                ended.append(EndedBuild(name, status))
        if ended:
            self._last = ended[-1].message
        return tuple(ended)

    @property
    def title(self) -> str:
        """The text for the terminal's title now."""
        if not self._running:
            return self._last or "zwizard"
        name, status = next(iter(self._running.items()))
        more = f" and {len(self._running) - 1} more" if len(self._running) > 1 else ""
        place = (
            f"{status.step.number}/{len(status.steps)} {status.step.name} " if status.step else ""
        )
        return f"{MARKS['running']} {place}· {name}{more}"
