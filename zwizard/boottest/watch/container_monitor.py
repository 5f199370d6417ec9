"""Watches a container while it starts: what the observer in it reports, and how it ended."""

import base64
import binascii
import re
import shlex
import signal
from collections.abc import Iterator, Mapping
from typing import IO

from zwizard.boottest.machine.qemu import REPORT
from zwizard.boottest.machine.qmp import QmpClient
from zwizard.boottest.stages import StageResult
from zwizard.boottest.watch import boot_causes, guest_probe
from zwizard.boottest.watch.boot_causes import BootFailureCause
from zwizard.boottest.watch.guest_probe import GuestFacts
from zwizard.boottest.watch.monitor import BootMonitor, MonitorSettings

_OUTPUT_FOLLOWS = "zwizard-init: entrypoint output follows"  # printed by scripts/init
_KERNEL = re.compile(r"\[ *\d+\.\d{6}\] .*")  # may be in the middle of a line
_PRINTED = 20  # lines of the entrypoint's output that are shown
_ENDED = re.compile(r"Attempted to kill init! exitcode=0x([0-9a-f]{8})")

_CAUSES = boot_causes.table(
    (
        r"^zwizard-init: (?:the (?:root file system|seed disk) cannot|there is no disk)",
        "root",
        "The boot test's own machine failed, not the image.",
        "",
    ),
    (
        r"^zwizard-init: \S+ is not in the image",
        "entrypoint",
        "The entrypoint is not in the image.",
        "entrypoint",
    ),
    (
        r"^zwizard-init: \S+ is not executable",
        "entrypoint",
        "The entrypoint is in the image, but is not executable.",
        "entrypoint",
    ),
    (
        r"^zwizard-init: \S+ is a link to .*, which leads nowhere from outside",
        "entrypoint",
        "Zero-OS looks for the entrypoint before it enters the image, where its link leads"
        " nowhere.",
        "entrypoint-link",
    ),
    (
        r"switch_root: can't execute '[^']*': No such file",
        "entrypoint",
        "The #! interpreter or ELF loader of the entrypoint is not in the image.",
        "entrypoint-loader",
    ),
    (
        r"switch_root: can't execute '[^']*': ",
        "entrypoint",
        "The kernel cannot run the entrypoint: it is not a program for x86-64.",
        "userland-arch",
    ),
    (
        r"error while loading shared libraries: \S+",
        "stays",
        "A shared library of the entrypoint is not in the image.",
        "",
    ),
)


class ContainerMonitor(BootMonitor):
    """Watches the console, and reads the reports of the observer in the machine."""

    def _start_login(self) -> None:
        """There is no login."""

    def _collect_facts(self) -> None:
        output = (self._settings.work / REPORT).read_text("utf-8", "replace").replace("\r", "")
        for finding in judge(GuestFacts.read(output), self._settings):
            self._results.record(finding.name, finding.outcome, finding.evidence)

    def _all_decided(self) -> bool:
        return self._results.decided("environment", "hostname", "network", "stays")

    def _finish(self, control: QmpClient, console: IO[bytes]) -> None:
        """A node does not shut a container down."""

    def _diagnose(self, output: str) -> tuple[BootFailureCause, str] | None:
        return (
            boot_causes.diagnose(output, _CAUSES)
            or diagnose_exit(output)
            or boot_causes.diagnose(output)
        )

    def _tail(self) -> str:
        """Nothing once the entrypoint prints: its output is shown separately."""
        return "" if _OUTPUT_FOLLOWS in self._console.text else super()._tail()

    def _reasons(self, now: float) -> list[tuple[bool, BootFailureCause]]:
        return self._usual_reasons(now)


def judge(facts: GuestFacts, settings: MonitorSettings) -> Iterator[StageResult]:
    """The findings from the facts received so far."""
    if facts["root"]:
        yield StageResult("root", "pass", ", ".join(facts["root"].split()[0:3:2]))
    if "environ" in facts:
        yield _started(_strings(facts["cmdline"]), shlex.split(settings.entrypoint))
        yield _environment(_strings(facts["environ"]), settings.environment)
    if "routes" in facts:
        yield from guest_probe.judge(facts, hostname=settings.hostname, image=False)
    if "running" in facts:
        running = shlex.join(_strings(facts["running"]))
        yield StageResult("stays", "pass", f"running after 5 s: {running}")


def _strings(encoded: str) -> list[str]:
    """The NUL-terminated strings of a file in /proc, which is encoded as base64."""
    try:
        decoded = base64.b64decode(encoded)
    except binascii.Error:
        return []
    return decoded.decode("utf-8", "replace").removesuffix("\0").split("\0")


def _started(found: list[str], expected: list[str]) -> StageResult:
    evidence = shlex.join(found)
    if any(found[at : at + len(expected)] == expected for at in range(len(found))):
        return StageResult("entrypoint", "pass", evidence)
    if found[:1] == expected[:1]:
        return StageResult("entrypoint", "fail", f"{evidence}; expected {shlex.join(expected)}")
    # A script that has already replaced itself by the program it starts.
    return StageResult("entrypoint", "pass", f"{expected[0]} has become {evidence}")


def _environment(found: list[str], expected: Mapping[str, str]) -> StageResult:
    """The evidence has only names: values may be secret."""
    has = dict(line.partition("=")[::2] for line in found)
    wrong = [name for name, value in expected.items() if has.get(name) != value]
    if wrong:
        return StageResult("environment", "fail", f"missing or different: {', '.join(wrong)}")
    return StageResult("environment", "pass", ", ".join(expected) or "none set")


def diagnose_exit(output: str) -> tuple[BootFailureCause, str] | None:
    """How the entrypoint ended, and the line of the kernel that shows it; None if it did not."""
    found = _ENDED.search(output)
    if not found:
        return None
    code = int(found[1], 16)
    how = f"with status {code >> 8 & 0xFF}"
    if number := code & 0x7F:
        how = f"by signal {number} ({signal.Signals(number).name})"
    message = (
        f"The entrypoint exited {how}. A container stops with its entrypoint: Zero-OS restarts it"
        " up to four times."
    )
    line = output[output.rfind("\n", 0, found.start()) + 1 : found.end()]
    return BootFailureCause("stays", message), line


def entrypoint_output(console: str) -> str:
    """The last lines that the entrypoint printed, from the output of the console."""
    _, _, output = console.partition(_OUTPUT_FOLLOWS)
    lines = (_KERNEL.sub("", line).rstrip() for line in output.replace("\r", "").splitlines())
    return "\n".join([line for line in lines if line][-_PRINTED:])
