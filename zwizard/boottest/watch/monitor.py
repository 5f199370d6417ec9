"""Watches a machine while it boots: what it waits for, how long, and when it gives up."""

import re
import subprocess
import threading
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NoReturn

from zwizard.boottest.machine.qemu import CONTROL
from zwizard.boottest.machine.qmp import QmpClient
from zwizard.boottest.results import KvmGaveUpError, NotUpError, Results
from zwizard.boottest.watch import boot_causes, guest_probe
from zwizard.boottest.watch.boot_causes import BootFailureCause
from zwizard.boottest.watch.console import Console, Kind, Milestone
from zwizard.boottest.watch.ssh import PasswordGuess, SshSession, has_ssh_server
from zwizard.checks import Mode

_KVM_BROKE = "internal-error"  # QEMU's name of the state
_KVM_FAILED = re.compile(r"KVM internal error|kvm run failed|KVM: entry failed")
_POLL = 0.1  # seconds between looks at the machine
_LAST_OUTPUT = 1.0  # seconds that a machine may still print after a failure
_TAIL_LINES = 15

# Seconds with KVM; emulation multiplies them.
_FIRST_OUTPUT = 15.0
_GRACE = 8.0  # after a milestone, for what should have come before it
_SHUTDOWN = 20.0
_ALL = 180.0


@dataclass(frozen=True)
class MonitorSettings:
    """A boot test's settings: working directory, log of the console, host name, mode, limits.

    ``patience`` multiplies every limit; ``timeout`` is the limit for everything, in seconds.
    ``by_kvm``: where nothing at all is printed, KVM may be the reason. A container's deployment
    sets ``entrypoint`` (one line) and ``environment``.
    """

    work: Path
    console: Path
    hostname: str
    mode: Mode
    patience: float
    timeout: float | None = None
    by_kvm: bool = False
    entrypoint: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)


class BootMonitor:
    """Watches the console and QEMU's control socket, and logs in over SSH."""

    def __init__(
        self, settings: MonitorSettings, results: Results, qemu: subprocess.Popen[bytes]
    ) -> None:
        self._settings = settings
        self._results = results
        self._qemu = qemu
        self._console = Console()
        self._started = time.monotonic()
        self._seen: dict[Kind, float] = {}  # when each milestone was first shown
        self._lines: dict[Kind, str] = {}
        self._greeted = threading.Event()
        self._port = 0
        self._session: SshSession | None = None
        self._guess: PasswordGuess | None = None
        self._refusal = ""
        self._refusals = 0

    def run(self) -> None:
        """Watch until every stage has its result and the machine is off.

        Raises NotUpError if it gets stuck, KvmGaveUpError if KVM is the reason.
        """
        control, self._port = self._connect()
        self._results.record("start", "pass", self._qemu_error() or "QEMU started")
        self._start_login()
        with closing(control), self._settings.console.open("rb") as console:
            while not self._all_decided():
                self._read_console(console.read())
                if self._qemu.poll() is not None:
                    self._read_console(console.read())
                    self._collect_facts()  # what the guest reported last
                    self._exited(control.poll())
                if control.poll() == _KVM_BROKE:
                    raise KvmGaveUpError(self._kvm_error())
                self._collect_facts()
                self._check_limits()
                time.sleep(_POLL)
            self._read_console(console.read())
            self._finish(control, console)

    def _connect(self) -> tuple[QmpClient, int]:
        """QEMU's control socket, and the host's port that leads to the guest's SSH server."""
        try:
            control = QmpClient(self._settings.work / CONTROL, lambda: self._qemu.poll() is None)
            return control, control.port()
        except (OSError, ValueError) as error:
            self._qemu.kill()
            self._qemu.wait()
            self._exited(f"no answer on its control socket: {error}")

    # --- the console ---

    def _read_console(self, data: bytes) -> None:
        for milestone in self._console.feed(data) if data else ():
            self._seen[milestone.kind] = time.monotonic()
            self._lines[milestone.kind] = milestone.line
            self._reached(milestone)

    def _reached(self, milestone: Milestone) -> None:
        """Record a stage as passed, and those before it."""
        order = ("kernel", "root", "init")
        last = {"cloud-init": "init", "cloud-init-over": "init", "prompt": "init"}
        reached = last.get(milestone.kind, milestone.kind)
        if reached in order:
            for stage in order[: order.index(reached) + 1]:
                self._results.record(stage, "pass", milestone.line)

    # --- SSH ---

    def _start_login(self) -> None:
        threading.Thread(target=self._wait_for_greeting, daemon=True).start()

    def _wait_for_greeting(self) -> None:
        while self._qemu.poll() is None:
            booting = "kernel" in self._seen or self._settings.mode is Mode.IMAGE
            if booting and has_ssh_server(self._port):
                self._greeted.set()
                return
            time.sleep(0.5)

    def _collect_facts(self) -> None:
        """Log in as soon as possible, and record what the guest reports."""
        if not self._greeted.is_set():
            return
        if self._session is None:
            self._session = SshSession(
                self._settings.work, self._port, 10 * self._settings.patience
            )
        facts = self._session.facts()
        if facts:
            self._reached(Milestone("init", f"{facts['release']}, {facts['init']}".strip(", ")))
            self._results.record("login", "pass", f"{facts['release']}: key accepted")
            image = self._settings.mode is Mode.IMAGE
            for finding in guest_probe.judge(facts, hostname=self._settings.hostname, image=image):
                self._results.record(finding.name, finding.outcome, finding.evidence)
            self._try_passwords(facts)
        if self._session.ended and not facts.complete:
            self._refusal, self._session = self._session.error, None
            self._refusals += 1
            time.sleep(_POLL)

    def _try_passwords(self, facts: guest_probe.GuestFacts) -> None:
        if self._guess is None:
            self._guess = PasswordGuess(self._settings.work, self._port)
        elif self._guess.ended and "sshd" in facts:
            found = guest_probe.judge_password(facts, self._guess.output, self._guess.accepted)
            self._results.record(found.name, found.outcome, found.evidence)

    def _all_decided(self) -> bool:
        """Whether the guest is up and every stage until the shutdown has a result."""
        return self._results.decided("login", "network", "password", "cloud-init")

    # --- the end ---

    def _finish(self, control: QmpClient, console: IO[bytes]) -> None:
        """Power the machine off."""
        assert self._session is not None
        self._session.write(guest_probe.POWER_OFF)
        deadline = time.monotonic() + _SHUTDOWN * self._settings.patience
        while self._qemu.poll() is None and time.monotonic() < deadline:
            control.poll()
            time.sleep(_POLL)
        reason = control.poll()
        self._console.feed(console.read())
        if reason != "guest-shutdown":
            raise NotUpError(boot_causes.NO_SHUTDOWN, reason, self._tail())
        self._results.record("shutdown", "pass", self._console.tail(1))

    def _exited(self, reason: str) -> NoReturn:
        """Raise the error for QEMU ending too early."""
        if error := self._kvm_error():
            raise KvmGaveUpError(error)
        shown = f"{self._console.text}\n{self._qemu_error()}"
        tail, error = self._tail(), self._qemu_error()
        if diagnosis := self._diagnose(shown):
            raise NotUpError(*diagnosis, tail)
        if error and not tail:
            raise NotUpError(BootFailureCause("start", "QEMU did not start."), error)
        last = self._console.tail(1) or error or f"QEMU ended: {reason}"
        raise NotUpError(boot_causes.RESET, last, tail)

    def _check_limits(self) -> None:
        now = time.monotonic()
        for over, cause in self._reasons(now):
            if over and cause is boot_causes.NO_CONSOLE and self._settings.by_kvm:
                raise KvmGaveUpError("nothing was printed")
            if over:
                tail, evidence = self._tail(), self._evidence(cause)
                diagnosis = self._diagnose(self._console.text)
                if diagnosis and not self._results.decided(diagnosis[0].stage):
                    cause, evidence = diagnosis
                raise NotUpError(cause, evidence, tail)

    def _tail(self) -> str:
        return self._console.tail(_TAIL_LINES)

    def _diagnose(self, shown: str) -> tuple[BootFailureCause, str] | None:
        return boot_causes.diagnose(shown)

    def _reasons(self, now: float) -> list[tuple[bool, BootFailureCause]]:
        """Reasons to give up, each with whether it applies now."""

        def since(kind: Kind) -> float:
            return now - self._seen[kind] if kind in self._seen else 0.0

        grace = _GRACE * self._settings.patience
        no_ssh = not self._greeted.is_set()
        refused = not self._results.decided("login") and self._refusals > 1
        started = "cloud-init" in self._seen or "cloud-init-over" in self._seen
        return [
            *self._usual_reasons(now),
            (not started and no_ssh and since("prompt") > grace, boot_causes.NO_CLOUD_INIT),
            # cloud-init prepares the network, so it comes first.
            (not started and no_ssh and since("network") > grace, boot_causes.NO_CLOUD_INIT),
            (no_ssh and since("cloud-init-over") > grace, boot_causes.NO_NETWORK),
            (refused and since("cloud-init-over") > grace, boot_causes.NO_LOGIN),
            (refused and since("prompt") > 4 * grace, boot_causes.NO_LOGIN),
        ]

    def _usual_reasons(self, now: float) -> list[tuple[bool, BootFailureCause]]:
        patience, took = self._settings.patience, now - self._started
        limit = self._settings.timeout or _ALL * patience
        over = "end" in self._seen and now - self._seen["end"] > _LAST_OUTPUT
        return [
            (over, self._stuck("The boot failed.")),
            (self._console.silent and took > _FIRST_OUTPUT * patience, boot_causes.NO_CONSOLE),
            (took > limit, self._stuck(f"This stage was not reached in {limit:.0f} s.")),
        ]

    def _stuck(self, message: str) -> BootFailureCause:
        return BootFailureCause(self._results.first_open(), message)

    def _evidence(self, cause: BootFailureCause) -> str:
        if cause is boot_causes.NO_LOGIN:
            return self._refusal
        if cause is boot_causes.NO_CLOUD_INIT:
            return self._lines.get("prompt") or self._lines["network"]
        return self._lines.get("end") or self._console.tail(1) or "nothing was printed"

    def _qemu_error(self) -> str:
        return (self._qemu_log() or [""])[-1]

    def _kvm_error(self) -> str:
        """QEMU's message if KVM cannot run a guest any more, or ""."""
        log = self._qemu_log()
        start = next((n for n, line in enumerate(log) if _KVM_FAILED.search(line)), None)
        # The message comes first, then every register.
        return "" if start is None else ", ".join(log[start : start + 2])

    def _qemu_log(self) -> list[str]:
        log = self._settings.work / "qemu.log"
        return log.read_text("utf-8", "replace").strip().splitlines()
