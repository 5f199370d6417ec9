"""The serial console read as it grows: what was reached, and what nothing good comes after."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from zwizard.util.text import one_line

Kind = Literal[
    "kernel", "root", "init", "cloud-init", "network", "cloud-init-over", "prompt", "end"
]

_LONGEST = 4096  # characters of a line that has no end yet
_KEPT = 20_000  # lines

_SIGHTS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("kernel", re.compile(r"Linux version \S+")),
    (
        "root",
        re.compile(
            r"VFS: Mounted root|Running /scripts/init-bottom|Switching root|"
            r"Mounted .*/sysroot|Run /(?!init\b)\S+ as init process"
        ),
    ),
    # An initramfs with systemd welcomes too, naming itself, and so does GRUB.
    ("init", re.compile(r"Welcome to (?!GRUB|.*(?:dracut|[Ii]nitramfs|[Ii]nitrd))\S+")),
    ("init", re.compile(r"^INIT: version|OpenRC \S+ is starting up|runit: enter stage")),
    # systemd names what it starts, whatever cloud-init's own output goes to.
    ("cloud-init", re.compile(r"Cloud-init v\. \S+ running '|Starting .*[cC]loud-init")),
    ("network", re.compile(r"Reached target (?:network\.target - )?Network\.")),
    ("cloud-init-over", re.compile(r"Cloud-init v\. \S+ finished at")),
    ("prompt", re.compile(r"^\S+ login:(?: *$| +\[)")),
)

# After these a guest does nothing more by itself.
_END = re.compile(
    r"Kernel panic - not syncing"
    r"|No init found\. Try passing init="
    r"|ALERT! .* does not exist|^\(initramfs\)"
    r"|Failed to mount \S+ as root file system"
    r"|ERROR: Failed to mount|being dropped (?:in)?to an emergency shell|^\[rootfs ?\S*\]#"
    r"|[Ee]ntering emergency mode|You are in emergency mode|for maintenance\b.*:"
    r"|the root account is locked|^(?:dracut|sh):/#|can't access tty; job control turned off"
    r"|^grub(?: rescue)?>|error: (?:no such device|unknown filesystem|no such partition)"
    r"|BdsDxe: No bootable option|>>Start PXE|^Shell>"
    r"|^zwizard-init: (?!from here on)"  # the stand-in of Zero-OS's init
)
# What stands at the end of a console that waits for somebody, without a newline.
_PROMPT = re.compile(
    r"\S login: *$|^\(initramfs\) *$|^grub(?: rescue)?> *$|^Shell> *$|^\[rootfs ?\S*\]# *$"
    r"|^(?:dracut|sh):/# *$|for maintenance\b.*: *$|>>Start PXE"
)


@dataclass(frozen=True)
class Milestone:
    """Something the console showed, and the line that showed it (safe to show)."""

    kind: Kind
    line: str


@dataclass
class Console:
    """What a console has shown so far; of its text, the last lines are kept.

    ``silent``: it has shown nothing at all.
    """

    lines: deque[str] = field(default_factory=lambda: deque(maxlen=_KEPT))
    silent: bool = True
    _rest: str = ""
    _seen: set[Kind] = field(default_factory=set)

    def feed(self, data: bytes) -> list[Milestone]:
        """What ``data`` shows for the first time; a line's end may come with the next call."""
        *whole, rest = (self._rest + data.decode("utf-8", "replace")).split("\n")
        lines = [_shown(line) for line in whole]
        self.lines += lines
        self._rest = rest[-_LONGEST:]
        waiting = _shown(rest)
        self.silent = self.silent and not any(lines) and not waiting
        if _PROMPT.search(waiting):
            lines.append(waiting)
        return [sight for line in lines for sight in self._look(line)]

    def _look(self, line: str) -> Iterator[Milestone]:
        for kind, pattern in _SIGHTS:
            if kind not in self._seen and pattern.search(line):
                self._seen.add(kind)
                yield Milestone(kind, line)
        if "end" not in self._seen and _END.search(line):
            self._seen.add("end")
            yield Milestone("end", line)

    @property
    def text(self) -> str:
        """Everything shown so far."""
        return "\n".join([*self.lines, _shown(self._rest)])

    def tail(self, count: int) -> str:
        """The last ``count`` lines that say something."""
        said = [line for line in self.text.split("\n") if line.strip()]
        return "\n".join(said[-count:])


def _shown(line: str) -> str:
    """A line as it stands on the screen: what was written over is gone."""
    return one_line(line.rstrip("\r").rpartition("\r")[2]).replace("\ufffd", "").rstrip()
