"""Show builds outside their screens: in the terminal's title, and by a bell when one ends."""

import os
from collections.abc import Callable, Mapping

from zwizard.console.tables import MARKS, WORDS
from zwizard.engine import builds
from zwizard.engine.status import Status
from zwizard.jobs.follower import Watch
from zwizard.util.text import one_line

# The terminal saves its title, and restores it.
SAVE, RESTORE = "\x1b[22;2t", "\x1b[23;2t"
NO_PROGRESS = "\x1b]9;4;0\x07"


def has_title(terminal: str) -> bool:
    """Whether a terminal of this type (TERM) has a title: consoles and dumb ones have none."""
    return terminal not in {"", "dumb", "linux"} and not terminal.startswith("vt")


def has_progress(environment: Mapping[str, str]) -> bool:
    """Whether the terminal shows a progress (OSC 9;4); others would show it as a message."""
    if "TMUX" in environment or environment.get("TERM", "").startswith(("screen", "tmux")):
        return False
    is_ghostty = environment.get("TERM_PROGRAM") == "ghostty"
    return is_ghostty or not environment.keys().isdisjoint({"WT_SESSION", "ConEmuPID"})


class Title:
    """The terminal's title and progress; ``write`` sends them. Nothing is sent twice."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._shown = ""
        self._percent: int | None = None

    def show_progress(self, percent: int | None) -> None:
        """Show the progress of a build at the terminal's tab or task bar; None removes it."""
        if percent != self._percent and has_progress(os.environ):
            self._percent = percent
            self._write(NO_PROGRESS if percent is None else f"\x1b]9;4;1;{percent}\x07")

    def show(self, text: str) -> None:
        """Set the title."""
        if text == self._shown or not has_title(os.environ.get("TERM", "")):
            return
        save = "" if self._shown else SAVE
        self._shown = text
        self._write(f"{save}\x1b]2;{one_line(text)}\x07")

    @property
    def ending(self) -> str:
        """The sequence that restores the terminal's own title; "" if nothing was changed."""
        progress = "" if self._percent is None else NO_PROGRESS
        return progress + (RESTORE if self._shown else "")


class Notifications:
    """The running builds, whoever started them; :meth:`look` returns those that have ended."""

    def __init__(self) -> None:
        self._watched: dict[str, Watch[Status]] = {}
        self._running: dict[str, Status] = {}
        self._last = ""

    def look(self) -> dict[str, str]:
        """``✓ web: ready`` by name, for each build that ended since the last call."""
        for build in builds.everything():
            if build.id not in self._watched and build.running():
                self._watched[build.id] = Watch(build, Status())
        now = {name: watch.look() for name, watch in list(self._watched.items())}
        self._running = {name: status for name, status in now.items() if status.state == "running"}
        ended = {
            name: f"{MARKS[status.state]} {name}: {WORDS[status.state]}"
            for name, status in now.items()
            if name not in self._running
        }
        for name in ended:
            self._watched.pop(name, None)
            self._last = ended[name]
        return ended

    @property
    def percent(self) -> int | None:
        """How many of the steps of the running builds are done, in per cent; None if none runs."""
        steps = [step for status in self._running.values() for step in status.steps]
        done = sum(step.state in {"done", "cached"} for step in steps)
        return 100 * done // len(steps) if steps else None

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
