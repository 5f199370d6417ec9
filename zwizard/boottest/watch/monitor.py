"""The machine while it runs: what is waited for, how long, and what ends it early."""

from __future__ import annotations

import re
import subprocess
import threading
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from zwizard.boottest.machine.qemu import ADDRESS, CONTROL, GATEWAY
from zwizard.boottest.machine.qmp import QmpClient
from zwizard.boottest.results import KvmGaveUpError, NotUpError, Results
from zwizard.boottest.watch import failure_causes, guest_probe
from zwizard.boottest.watch.console import Console, Kind, Milestone
from zwizard.boottest.watch.failure_causes import BootFailureCause
from zwizard.boottest.watch.ssh import PasswordGuess, Session, answers
from zwizard.checks import Mode

_KVM_BROKE = "internal-error"  # the state that QEMU calls it
_KVM_FAILED = re.compile(r"KVM internal error|kvm run failed|KVM: entry failed")
_POLL = 0.1  # seconds between looks at the machine
_LAST_WORDS = 1.0  # seconds that a machine which has given up may still print
_TAIL_LINES = 15

# Seconds, where KVM runs guests; emulation multiplies them.
_FIRST_WORD = 15.0
_GRACE = 8.0  # for what should have come before what was seen
_SHUTDOWN = 20.0
_ALL = 180.0


@dataclass(frozen=True)
class MonitorSettings:
    """What is to be attended to: the working directory, the console's log, what was given.

    ``patience`` multiplies every limit; ``timeout`` is seconds for all, as they are. ``by_kvm``:
    a guest that says nothing at all may have been given nothing to run on.
    """

    work: Path
    console: Path
    hostname: str
    mode: Mode
    patience: float
    timeout: float | None = None
    by_kvm: bool = False


class BootMonitor:
    """Watches the console and the control socket, and goes in by SSH."""

    def __init__(
        self, task: MonitorSettings, ledger: Results, qemu: subprocess.Popen[bytes]
    ) -> None:
        self._task = task
        self._ledger = ledger
        self._qemu = qemu
        self._console = Console()
        self._began = time.monotonic()
        self._seen: dict[Kind, float] = {}  # when the console first showed what
        self._lines: dict[Kind, str] = {}
        self._greeted = threading.Event()
        self._port = 0
        self._session: Session | None = None
        self._guess: PasswordGuess | None = None
        self._refused = ""
        self._refusals = 0

    def to_the_end(self) -> None:
        """Watch until everything is told and the machine is off.

        NotUpError if it gets stuck, KvmGaveUpError if that is not the image's fault.
        """
        control, self._port = self._connect()
        self._ledger.record("start", "pass", self._qemu_said() or "QEMU started it")
        self._begin()
        with closing(control), self._task.console.open("rb") as console:
            while not self._complete():
                self._look(console.read())
                if self._qemu.poll() is not None:
                    self._look(console.read())
                    self._gone(control.look())
                if control.look() == _KVM_BROKE:
                    raise KvmGaveUpError(self._kvm_said())
                self._ask()
                self._give_up_on_time()
                time.sleep(_POLL)
            self._look(console.read())
            self._finish(control)

    def _connect(self) -> tuple[QmpClient, int]:
        """QEMU's control socket, and the port of this machine that leads into the guest."""
        try:
            control = QmpClient(self._task.work / CONTROL, lambda: self._qemu.poll() is None)
            return control, control.port()
        except (OSError, ValueError):
            self._qemu.kill()
            self._qemu.wait()
            self._gone("")

    # --- the console ---

    def _look(self, data: bytes) -> None:
        for sight in self._console.feed(data) if data else ():
            self._seen[sight.kind] = time.monotonic()
            self._lines[sight.kind] = sight.line
            self._reached(sight)

    def _reached(self, sight: Milestone) -> None:
        """What was reached implies what comes before it."""
        order = ("kernel", "root", "init")
        last = {"cloud-init": "init", "cloud-init-over": "init", "prompt": "init"}
        reached = last.get(sight.kind, sight.kind)
        if reached in order:
            for stage in order[: order.index(reached) + 1]:
                self._ledger.record(stage, "pass", sight.line)

    # --- SSH ---

    def _begin(self) -> None:
        threading.Thread(target=self._wait_for_greeting, daemon=True).start()

    def _wait_for_greeting(self) -> None:
        while self._qemu.poll() is None:
            begun = "kernel" in self._seen or self._task.mode is Mode.IMAGE
            if begun and answers(self._port):
                self._greeted.set()
                return
            time.sleep(0.5)

    def _ask(self) -> None:
        """Go in, as soon as that can be done, and have the guest tell of itself."""
        if not self._greeted.is_set():
            return
        if self._session is None:
            self._session = Session(self._task.work, self._port, 10 * self._task.patience)
        told = self._session.facts()
        if told.said:
            self._reached(Milestone("init", f"{told['release']}, {told['init']}".strip(", ")))
            self._ledger.record("login", "pass", f"{told['release']}: key accepted")
            judged = guest_probe.judge(
                told,
                hostname=self._task.hostname,
                address=ADDRESS,
                gateway=GATEWAY,
                image=self._task.mode is Mode.IMAGE,
            )
            for finding in judged:
                self._ledger.record(finding.stage, finding.outcome, finding.evidence)
            self._try_passwords(told)
        if self._session.ended and not told.over:
            self._refused, self._session = self._session.said, None
            self._refusals += 1
            time.sleep(_POLL)

    def _try_passwords(self, told: guest_probe.GuestFacts) -> None:
        if self._guess is None:
            self._guess = PasswordGuess(self._task.work, self._port)
        elif self._guess.ended and "sshd" in told.said:
            found = guest_probe.judge_password(told, self._guess.said, self._guess.accepted)
            self._ledger.record(found.stage, found.outcome, found.evidence)

    def _complete(self) -> bool:
        return self._ledger.decided("login", "network", "password", "cloud-init")

    # --- the end ---

    def _finish(self, control: QmpClient) -> None:
        """Have it power off."""
        assert self._session is not None
        self._session.write(guest_probe.POWER_OFF)
        deadline = time.monotonic() + _SHUTDOWN * self._task.patience
        while self._qemu.poll() is None and time.monotonic() < deadline:
            control.look()
            time.sleep(_POLL)
        reason = control.look()
        with self._task.console.open("rb") as console:
            last = Console()
            last.feed(console.read())
        if reason != "guest-shutdown":
            raise NotUpError(failure_causes.NO_SHUTDOWN, reason, last.tail(_TAIL_LINES))
        self._ledger.record("shutdown", "pass", last.tail(1))

    def _gone(self, reason: str) -> NoReturn:
        """QEMU has ended before its time."""
        if said := self._kvm_said():
            raise KvmGaveUpError(said)
        shown = f"{self._console.text}\n{self._qemu_said()}"
        tail, said = self._tail(), self._qemu_said()
        if known := self._diagnose(shown):
            raise NotUpError(*known, tail)
        if said and not tail:
            raise NotUpError(BootFailureCause("start", "QEMU does not start it."), said)
        last = self._console.tail(1) or said or f"QEMU ended: {reason}"
        raise NotUpError(failure_causes.RESET, last, tail)

    def _give_up_on_time(self) -> None:
        now = time.monotonic()
        for over, cause in self._reasons(now):
            if over and cause is failure_causes.NO_CONSOLE and self._task.by_kvm:
                raise KvmGaveUpError("nothing was printed by then")
            if over:
                tail, evidence = self._tail(), self._evidence(cause)
                known = self._diagnose(self._console.text)
                if known and not self._ledger.decided(known[0].stage):
                    cause, evidence = known
                raise NotUpError(cause, evidence, tail)

    def _tail(self) -> str:
        return self._console.tail(_TAIL_LINES)

    def _diagnose(self, shown: str) -> tuple[BootFailureCause, str] | None:
        return failure_causes.diagnose(shown)

    def _reasons(self, now: float) -> list[tuple[bool, BootFailureCause]]:
        """Why to wait no longer, each with whether that is so by now."""

        def since(kind: Kind) -> float:
            return now - self._seen[kind] if kind in self._seen else 0.0

        quiet = _GRACE * self._task.patience
        unheard = not self._greeted.is_set()
        refused = not self._ledger.decided("login") and self._refusals > 1
        ran = "cloud-init" in self._seen or "cloud-init-over" in self._seen
        return [
            *self._usual_reasons(now),
            (not ran and unheard and since("prompt") > quiet, failure_causes.NO_CLOUD_INIT),
            # It prepares the network, so that it comes before it.
            (not ran and unheard and since("network") > quiet, failure_causes.NO_CLOUD_INIT),
            (unheard and since("cloud-init-over") > quiet, failure_causes.NO_NETWORK),
            (refused and since("cloud-init-over") > quiet, failure_causes.NO_LOGIN),
            (refused and since("prompt") > 4 * quiet, failure_causes.NO_LOGIN),
        ]

    def _usual_reasons(self, now: float) -> list[tuple[bool, BootFailureCause]]:
        patience, took = self._task.patience, now - self._began
        limit = self._task.timeout or _ALL * patience
        over = "end" in self._seen and now - self._seen["end"] > _LAST_WORDS
        return [
            (over, self._stuck("The machine gave up.")),
            (self._console.silent and took > _FIRST_WORD * patience, failure_causes.NO_CONSOLE),
            (took > limit, self._stuck(f"It has not come so far in {limit:.0f} s.")),
        ]

    def _stuck(self, said: str) -> BootFailureCause:
        """At the first stage that has not passed."""
        return BootFailureCause(self._ledger.first_open(), said)

    def _evidence(self, cause: BootFailureCause) -> str:
        if cause is failure_causes.NO_LOGIN:
            return self._refused
        if cause is failure_causes.NO_CLOUD_INIT:
            return self._lines.get("prompt") or self._lines["network"]
        return self._lines.get("end") or self._console.tail(1) or "nothing was printed"

    def _qemu_said(self) -> str:
        return (self._qemu_log() or [""])[-1]

    def _kvm_said(self) -> str:
        """What QEMU says when KVM cannot go on with a guest, or ""."""
        log = self._qemu_log()
        begun = next((n for n, line in enumerate(log) if _KVM_FAILED.search(line)), None)
        # The words come first, and then every register.
        return "" if begun is None else ", ".join(line for line in log[begun : begun + 2])

    def _qemu_log(self) -> list[str]:
        return (self._task.work / "qemu.log").read_text("utf-8", "replace").strip().splitlines()
