"""The serial console, read as it grows: milestones of the boot, and where it ends."""

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

_MILESTONES: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("kernel", re.compile(r"Linux version \S+")),
    (
        "root",
        re.compile(
            r"VFS: Mounted root|Running /scripts/init-bottom|Switching root|"
            r"Mounted .*/sysroot|Run /(?!init\b)\S+ as init process"
        ),
    ),
    # systemd in an initramfs and GRUB print such a line too, with their own names.
    ("init", re.compile(r"Welcome to (?!GRUB|.*(?:dracut|[Ii]nitramfs|[Ii]nitrd))\S+")),
    ("init", re.compile(r"^INIT: version|OpenRC \S+ is starting up|runit: enter stage")),
    # systemd prints what it starts, even where cloud-init's own output goes elsewhere.
    ("cloud-init", re.compile(r"Cloud-init v\. \S+ running '|Starting .*[cC]loud-init")),
    ("network", re.compile(r"Reached target (?:network\.target - )?Network\.")),
    ("cloud-init-over", re.compile(r"Cloud-init v\. \S+ finished at")),
    ("prompt", re.compile(r"^\S+ login:(?: *$| +\[)")),
)

# After these the boot does not continue.
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
    r"|^zwizard-init: (?!entrypoint output)"  # our replacement of Zero-OS's init
)
# Prompts at the end of the console, without a newline.
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
    """The output of a console so far, of which the last lines are kept.

    ``silent``: nothing was printed at all.
    """

    lines: deque[str] = field(default_factory=lambda: deque(maxlen=_KEPT))
    silent: bool = True
    _rest: str = ""
    _seen: set[Kind] = field(default_factory=set)

    def feed(self, data: bytes) -> list[Milestone]:
        """The milestones that ``data`` shows for the first time; it may end within a line."""
        *whole, rest = (self._rest + data.decode("utf-8", "replace")).split("\n")
        lines = [_shown(line) for line in whole]
        self.lines += lines
        self._rest = rest[-_LONGEST:]
        waiting = _shown(rest)
        self.silent = self.silent and not any(lines) and not waiting
        if _PROMPT.search(waiting):
            lines.append(waiting)
        return [milestone for line in lines for milestone in self._milestones_in(line)]

    def _milestones_in(self, line: str) -> Iterator[Milestone]:
        for kind, pattern in _MILESTONES:
            if kind not in self._seen and pattern.search(line):
                self._seen.add(kind)
                yield Milestone(kind, line)
        if "end" not in self._seen and _END.search(line):
            self._seen.add("end")
            yield Milestone("end", line)

    @property
    def text(self) -> str:
        """Everything that is kept."""
        return "\n".join([*self.lines, _shown(self._rest)])

    def tail(self, count: int) -> str:
        """The last ``count`` lines that are not empty."""
        lines = [line for line in self.text.split("\n") if line.strip()]
        return "\n".join(lines[-count:])


def _shown(line: str) -> str:
    """A line as a terminal shows it: text before a carriage return is overwritten."""
    return one_line(line.rstrip("\r").rpartition("\r")[2]).replace("\ufffd", "").rstrip()
