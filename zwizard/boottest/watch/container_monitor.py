"""A container while it runs: what its watcher tells, and what the entrypoint came to."""

from __future__ import annotations

import base64
import binascii
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from zwizard.boottest.machine.qemu import ADDRESS, GATEWAY, TOLD
from zwizard.boottest.machine.qmp import QmpClient
from zwizard.boottest.results import Results
from zwizard.boottest.stages import Finding
from zwizard.boottest.watch import failure_causes, guest_probe
from zwizard.boottest.watch.failure_causes import BootFailureCause
from zwizard.boottest.watch.guest_probe import GuestFacts
from zwizard.boottest.watch.monitor import BootMonitor, MonitorSettings

_SPEAKS = "zwizard-init: from here on the entrypoint speaks"  # as the stand-in's init says
_KERNEL = re.compile(r"\[ *\d+\.\d{6}\] .*")  # it may fall into the middle of a line
_PRINTED = 20  # lines of what the entrypoint printed that are shown
_ENDED = re.compile(r"Attempted to kill init! exitcode=0x([0-9a-f]{8})")

_CAUSES = failure_causes.table(
    (
        r"^zwizard-init: (?:the (?:root file system|seed disk) cannot|there is no disk)",
        "root",
        "The machine that stands in for a node's is wrong; the image is not.",
        "",
    ),
    (
        r"^zwizard-init: \S+ is not in the image",
        "entrypoint",
        "The entrypoint is not in the image: Zero-OS finds nothing there to start.",
        "entrypoint",
    ),
    (
        r"^zwizard-init: \S+ is there, and not executable",
        "entrypoint",
        "The entrypoint is in the image, and is not executable.",
        "entrypoint",
    ),
    (
        r"^zwizard-init: \S+ is a link to .*, which leads nowhere from outside",
        "entrypoint",
        "Zero-OS looks for the entrypoint before it enters the image, and its link leads nowhere"
        " there.",
        "entrypoint-link",
    ),
    (
        r"switch_root: can't execute '[^']*': No such file",
        "entrypoint",
        "The entrypoint is there, and what it needs to run is not: its #! interpreter, or its ELF"
        " loader.",
        "entrypoint-loader",
    ),
    (
        r"switch_root: can't execute '[^']*': ",
        "entrypoint",
        "The kernel cannot run the entrypoint: it is no program for x86-64.",
        "userland-arch",
    ),
    (
        r"error while loading shared libraries: \S+",
        "stays",
        "A library that the entrypoint is linked with is not in the image.",
        "",
    ),
)


@dataclass(frozen=True)
class ContainerStart:
    """What the deployment gives: the entrypoint as one line, and its environment."""

    entrypoint: str
    environment: Mapping[str, str]


class ContainerMonitor(BootMonitor):
    """Watches the console, and hears what the watcher inside tells."""

    def __init__(
        self,
        task: MonitorSettings,
        ledger: Results,
        qemu: subprocess.Popen[bytes],
        given: ContainerStart,
    ) -> None:
        super().__init__(task, ledger, qemu)
        self._given = given

    def _begin(self) -> None:
        """Nobody logs in."""

    def _ask(self) -> None:
        heard = (self._task.work / TOLD).read_text("utf-8", "replace").replace("\r", "")
        for finding in judge(GuestFacts.read(heard), self._given, self._task.hostname):
            self._ledger.record(finding.stage, finding.outcome, finding.evidence)

    def _complete(self) -> bool:
        return self._ledger.decided("environment", "hostname", "network", "stays")

    def _finish(self, control: QmpClient) -> None:
        """A node does not ask a container to end."""

    def _diagnose(self, shown: str) -> tuple[BootFailureCause, str] | None:
        return (
            failure_causes.diagnose(shown, _CAUSES)
            or how_it_ended(shown)
            or failure_causes.diagnose(shown)
        )

    def _tail(self) -> str:
        """What the entrypoint has printed is told by itself; the kernel's death throes are not."""
        return "" if _SPEAKS in self._console.text else super()._tail()

    def _reasons(self, now: float) -> list[tuple[bool, BootFailureCause]]:
        return self._usual_reasons(now)


def judge(told: GuestFacts, given: ContainerStart, hostname: str) -> Iterator[Finding]:
    """What the answers given so far come to."""
    if told["root"]:
        yield Finding("root", "pass", ", ".join(told["root"].split()[0:3:2]))
    if "environ" in told.said:
        yield _started(_strings(told["cmdline"]), shlex.split(given.entrypoint))
        yield _environment(_strings(told["environ"]), given.environment)
    if "routes" in told.said:
        yield from guest_probe.judge(
            told, hostname=hostname, address=ADDRESS, gateway=GATEWAY, image=False
        )
    if "running" in told.said:
        running = shlex.join(_strings(told["running"]))
        yield Finding("stays", "pass", f"it runs, after 5 s: {running}")


def _strings(encoded: str) -> list[str]:
    """The strings of a file in /proc that ends each with a NUL, as base64."""
    try:
        decoded = base64.b64decode(encoded)
    except binascii.Error:
        return []
    return decoded.decode("utf-8", "replace").removesuffix("\0").split("\0")


def _started(found: list[str], wanted: list[str]) -> Finding:
    said = shlex.join(found)
    if any(found[at : at + len(wanted)] == wanted for at in range(len(found))):
        return Finding("entrypoint", "pass", said)
    if found[:1] == wanted[:1]:
        return Finding("entrypoint", "fail", f"{said}; given was {shlex.join(wanted)}")
    # A script: by the time that it is looked at, it is what it starts.
    return Finding("entrypoint", "pass", f"{wanted[0]} has become {said}")


def _environment(found: list[str], wanted: Mapping[str, str]) -> Finding:
    """Only names are told: values may be secret."""
    has = dict(line.partition("=")[::2] for line in found)
    wrong = [name for name, value in wanted.items() if has.get(name) != value]
    if wrong:
        return Finding("environment", "fail", f"not as given: {', '.join(wrong)}")
    return Finding("environment", "pass", ", ".join(wanted) or "none was given")


def how_it_ended(shown: str) -> tuple[BootFailureCause, str] | None:
    """Why a machine ended whose first process did, and the line that shows it."""
    found = _ENDED.search(shown)
    if not found:
        return None
    code = int(found[1], 16)
    how = f"with status {code >> 8 & 0xFF}"
    if number := code & 0x7F:
        how = f"by signal {number} ({signal.Signals(number).name})"
    said = (
        f"The entrypoint ended by itself, {how}. A container lives as long as its entrypoint:"
        " Zero-OS starts it again, and gives it up after four times."
    )
    return BootFailureCause("stays", said), shown[
        shown.rfind("\n", 0, found.start()) + 1 : found.end()
    ]


def printed(console: str) -> str:
    """What the entrypoint printed, of everything that the console shows: its last lines."""
    _, _, spoken = console.partition(_SPEAKS)
    lines = (_KERNEL.sub("", line).rstrip() for line in spoken.replace("\r", "").splitlines())
    said = [line for line in lines if line]
    return "\n".join(said[-_PRINTED:])
