"""One proof, inside its namespaces: everything it starts ends with it."""

from __future__ import annotations

import resource
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from zwizard.artefact import DirectoryView, FileView, open_view
from zwizard.boot import causes, facts, probe, report, tree
from zwizard.boot.causes import Cause
from zwizard.boot.control import Control
from zwizard.boot.login import Guess, Session, answers, make_key
from zwizard.boot.machine import (
    ADDRESS,
    CONSOLE,
    CONTROL,
    DISK,
    FIRMWARE_STATE,
    GATEWAY,
    KERNEL_SOCKET,
    MAC,
    SEED,
    Direct,
    Firmware,
    Machine,
    virtiofsd,
)
from zwizard.boot.probe import Acceleration
from zwizard.boot.runs import Run, Wish
from zwizard.boot.seed import Seed, make_disk
from zwizard.boot.stages import Finding, Outcome
from zwizard.boot.watch import Console, Sight
from zwizard.checklist import Mode
from zwizard.checklist.detection import DISK_IMAGE, INITRD, KERNEL, detect, intended
from zwizard.engine import doctor, journal, proofs
from zwizard.errors import UsageError, ZwizardError

_POLL = 0.1  # seconds between looks at the machine
_LAST_WORDS = 1.0  # seconds that a machine which has given up may still print
_TAIL_LINES = 15
_GIB = 1 << 30
_RENTED = 5 * _GIB  # bytes of the disk, where nobody says; as a recipe's

# Seconds, where KVM runs guests; emulation multiplies them.
_FIRST_WORD = 15.0
_SILENCE_AFTER_LOGIN_PROMPT = 5.0
_SHUTDOWN = 20.0
_ALL = 180.0


class NotUpError(Exception):
    """The machine did not come up: why, and what the console showed last."""

    def __init__(self, cause: Cause, evidence: str = "", tail: str = "") -> None:
        super().__init__(cause.said)
        self.cause = cause
        self.evidence = evidence or cause.said
        self.tail = tail


@dataclass(frozen=True)
class Ground:
    """What is booted: as what, and from which files in the working directory."""

    mode: Mode
    boots: Direct | Firmware
    shared: str = ""  # the directory that virtiofsd serves


class Proof:
    """A proof of one artefact in the working directory ``work``."""

    def __init__(self, run: Run, wish: Wish, work: Path) -> None:
        self._run = run
        self._wish = wish
        self._work = work
        self._since = time.monotonic()
        self._findings: dict[str, Finding] = {}
        self._seconds: dict[str, float] = {}
        self._hostname = f"proof-{run.directory.name[-6:].lower().replace('_', '0')}"

    def carry_out(self) -> None:
        """Boot it, tell the journal, and leave the report; ZwizardError if that cannot be done."""
        artefact = self._wish.artefact
        self._note("proof-started", artefact=str(artefact))
        with ThreadPoolExecutor(1) as beside:
            summed = beside.submit(proofs.digest, artefact)
            ground = self._prepare()
            failure = self._boot(ground) if isinstance(ground, Ground) else ground
            before = summed.result()
        same = proofs.digest(artefact) == before
        said = f"sha256 {before}" if same else "its bytes have changed meanwhile"
        self._found("untouched", "pass" if same else "fail", said)
        self._conclude(ground.mode if isinstance(ground, Ground) else Mode.VM, before, failure)

    # --- before it starts ---

    def _prepare(self) -> Ground | NotUpError:
        """Lay out what is booted; the reason for which a node would not start it as it is."""
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)  # virtiofsd's notes
        (self._work / CONSOLE).symlink_to(self._run.console)
        self._run.console.touch()
        try:
            return self._lay_out()
        except NotUpError as error:
            self._fail(error)
            return error

    def _lay_out(self) -> Ground:
        artefact = self._wish.artefact
        ours = artefact.is_file()
        if ours and not _is_gzip(artefact):
            with open_view(artefact) as view:
                assert isinstance(view, FileView)  # else it is not readable, and says so
            return self._from_disk(artefact, ours=False)
        root = tree.unpack(artefact, self._work) if ours else tree.lay_over(artefact, self._work)
        view = DirectoryView(root)
        found = detect(view)
        if found.refused:
            refused = found.refused
            said = f"Zero-OS refuses it: {refused.path} is not a file ({refused.why})."
            raise NotUpError(Cause("start", said, "mode"))
        if found.mode is Mode.IMAGE:
            image = found.at(DISK_IMAGE).entry
            assert image is not None
            return self._from_disk(root / image.path[1:], ours=ours)
        kernel, initrd = found.at(KERNEL), found.at(INITRD)
        if kernel.entry is None:
            _refuse_container(artefact, meant=intended(view) is Mode.VM, why=kernel.why)
        tree.mount_as_flist(root)
        boots = Direct(
            f"root{kernel.entry.path}",
            f"root{initrd.entry.path}" if initrd.entry else "",
            self._wish.entrypoint,
        )
        return Ground(Mode.VM, boots, shared="root")

    def _from_disk(self, image: Path, *, ours: bool) -> Ground:
        code, state = probe.firmware()
        try:
            tree.write_disk(image, self._work / DISK, self._wish.disk_size or _RENTED, ours=ours)
        except ZwizardError as error:
            said = f"{error.message}. {error.hint}"
            raise NotUpError(Cause("start", said, "image-fits-disk")) from None
        (self._work / FIRMWARE_STATE).write_bytes(state.read_bytes())
        return Ground(Mode.IMAGE, Firmware(str(code)))

    # --- while it runs ---

    def _boot(self, ground: Ground) -> NotUpError | None:
        """Start the machine, and watch it to its end; why it did not come up, if so."""
        acceleration = probe.accelerate()
        machine = Machine(acceleration.by, ground.boots)
        seed = Seed(
            instance=self._run.directory.name,
            hostname=self._hostname,
            mac=MAC,
            address=ADDRESS,
            gateway=GATEWAY,
            key=make_key(self._work),
            entrypoint=self._wish.entrypoint,
        )
        make_disk(seed, self._work / SEED)
        command = machine.qemu(doctor.find("qemu-system-x86_64") or "")
        self._note(
            "proof-machine",
            mode=ground.mode.value,
            accelerator=acceleration.by,
            why=acceleration.why,
            differs=machine.differs(),
            command=list(command),
            seconds=self._elapsed(),
        )
        if ground.shared:
            self._serve(ground.shared)
        with (self._work / "qemu.log").open("wb") as log:
            # The processes are ended with this proof's namespace, however it ends.
            qemu = subprocess.Popen(
                command, cwd=self._work, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        watch = Watch(self, qemu, acceleration, ground.mode)
        try:
            watch.to_the_end()
        except NotUpError as error:
            self._fail(error)
            return error
        finally:
            qemu.kill()
            qemu.wait()
        return None

    def _serve(self, shared: str) -> None:
        """Start virtiofsd, and wait until it listens."""
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        program = doctor.find("virtiofsd") or ""
        command = virtiofsd(program, str(self._work / shared), rust=probe.is_rust_virtiofsd(program))
        log = self._work / "virtiofsd.log"
        with log.open("wb") as output:
            server = subprocess.Popen(
                command, cwd=self._work, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        while not (self._work / KERNEL_SOCKET).exists():
            if server.poll() is not None:
                said = log.read_text("utf-8", "replace").strip()
                raise ZwizardError(f"virtiofsd ended with {server.returncode}: {said}")
            time.sleep(0.02)

    # --- what the watch reports ---

    @property
    def work(self) -> Path:
        """The working directory."""
        return self._work

    @property
    def wish(self) -> Wish:
        """What was asked for."""
        return self._wish

    @property
    def hostname(self) -> str:
        """The name that the seed gives."""
        return self._hostname

    @property
    def console_file(self) -> Path:
        """The console's log."""
        return self._run.console

    def has(self, stage: str) -> bool:
        """Whether the stage is decided."""
        return stage in self._findings

    def record(self, finding: Finding) -> None:
        """Note what a stage came to, once."""
        if not self.has(finding.stage):
            self._findings[finding.stage] = finding
            self._seconds[finding.stage] = self._elapsed()
            self._note(
                "proof-stage",
                stage=finding.stage,
                outcome=finding.outcome,
                evidence=finding.evidence,
                seconds=self._seconds[finding.stage],
            )

    def _found(self, stage: str, outcome: Outcome, evidence: str) -> None:
        self.record(Finding(stage, outcome, evidence))

    def _fail(self, error: NotUpError) -> None:
        # A stage that has passed meanwhile stays passed: what it kept from passing comes next.
        if self.has(error.cause.stage):
            names = [stage.name for stage in report.STAGES]
            later = names[names.index(error.cause.stage) :]
            stage = next((name for name in later if not self.has(name)), "shutdown")
        else:
            stage = error.cause.stage
        self._found(stage, "fail", error.evidence)

    def _elapsed(self) -> float:
        return round(time.monotonic() - self._since, 2)

    def _note(self, event: str, **told: object) -> None:
        journal.append(self._run.journal, event, **told)

    def _conclude(self, mode: Mode, sha256: str, failure: NotUpError | None) -> None:
        made = report.make(
            artefact=self._wish.artefact,
            mode=mode,
            sha256=sha256,
            size=proofs.total(self._wish.artefact),
            findings=self._findings,
            times=self._seconds,
            cause=failure.cause if failure else None,
            tail=failure.tail if failure else "",
            machine=next(
                (e for e in journal.replay(self._run.journal) if e["event"] == "proof-machine"),
                {},
            ),
            seconds=self._elapsed(),
            console=self._run.console,
        )
        report.write(made, self._run)
        proofs.forget_others(self._run.directory, str(self._wish.artefact))
        self._note("proof-finished", **{key: made[key] for key in report.TOLD})


class Watch:
    """The machine while it runs: its console, its control socket, and SSH."""

    def __init__(
        self,
        proof: Proof,
        qemu: subprocess.Popen[bytes],
        acceleration: Acceleration,
        mode: Mode,
    ) -> None:
        self._proof = proof
        self._qemu = qemu
        self._patience = acceleration.patience
        self._mode = mode
        self._console = Console()
        self._began = time.monotonic()
        self._seen: dict[str, float] = {}  # when the console first showed what
        self._greeted = threading.Event()
        self._port = 0
        self._session: Session | None = None
        self._guess: Guess | None = None
        self._refused = ""
        self._refusals = 0

    def to_the_end(self) -> None:
        """Watch until everything is told and the machine is off; NotUpError if it gets stuck."""
        control = self._connect()
        self._port = control.port()
        self._proof.record(Finding("start", "pass", self._qemu_said() or "QEMU started it"))
        threading.Thread(target=self._wait_for_greeting, daemon=True).start()
        with self._proof.console_file.open("rb") as console:
            while not self._complete():
                self._look(console.read())
                if self._qemu.poll() is not None:
                    self._look(console.read())
                    self._gone(control.look())
                control.look()
                self._log_in()
                self._give_up_on_time()
                time.sleep(_POLL)
            self._shut_down(control)

    def _connect(self) -> Control:
        try:
            return Control(self._proof.work / CONTROL)
        except (OSError, ValueError):
            self._qemu.kill()
            self._qemu.wait()
            self._gone("")

    # --- the console ---

    def _look(self, data: bytes) -> None:
        for sight in self._console.feed(data) if data else ():
            self._seen[sight.kind] = time.monotonic()
            self._reached(sight)

    def _reached(self, sight: Sight) -> None:
        """What was reached implies what comes before it."""
        order = ("kernel", "root", "init")
        last = {"cloud-init": "init", "cloud-init-over": "init", "prompt": "init"}
        reached = last.get(sight.kind, sight.kind)
        if reached in order:
            for stage in order[: order.index(reached) + 1]:
                self._proof.record(Finding(stage, "pass", sight.line))

    # --- SSH ---

    def _wait_for_greeting(self) -> None:
        while self._qemu.poll() is None:
            begun = "kernel" in self._seen or self._mode is Mode.IMAGE
            if begun and answers(self._port):
                self._greeted.set()
                return
            time.sleep(0.5)

    def _log_in(self) -> None:
        if not self._greeted.is_set():
            return
        if self._session is None:
            self._session = Session(self._proof.work, self._port, 10 * self._patience)
        told = self._session.facts()
        if told.said:
            self._reached(Sight("init", f"{told['release']}, {told['init']}".strip(", ")))
            self._proof.record(Finding("login", "pass", f"{told['release']}: key accepted"))
            judged = facts.judge(
                told,
                hostname=self._proof.hostname,
                address=ADDRESS,
                gateway=GATEWAY,
                image=self._mode is Mode.IMAGE,
            )
            for finding in judged:
                self._proof.record(finding)
            self._try_passwords(told)
        if self._session.ended and not told.over:
            self._refused, self._session = self._session.said, None
            self._refusals += 1
            time.sleep(_POLL)

    def _try_passwords(self, told: facts.Facts) -> None:
        if self._guess is None:
            self._guess = Guess(self._proof.work, self._port)
        elif self._guess.ended and "sshd" in told.said:
            found = facts.judge_password(told, self._guess.said, self._guess.accepted)
            self._proof.record(found)

    def _complete(self) -> bool:
        return all(map(self._proof.has, ("login", "network", "password", "cloud-init")))

    # --- the end ---

    def _shut_down(self, control: Control) -> None:
        assert self._session is not None
        self._session.write(facts.POWER_OFF)
        deadline = time.monotonic() + _SHUTDOWN * self._patience
        while self._qemu.poll() is None and time.monotonic() < deadline:
            control.look()
            time.sleep(_POLL)
        reason = control.look()
        with self._proof.console_file.open("rb") as console:
            last = Console()
            last.feed(console.read())
        if reason != "guest-shutdown":
            raise NotUpError(causes.NO_SHUTDOWN, reason, last.tail(_TAIL_LINES))
        self._proof.record(Finding("shutdown", "pass", last.tail(1)))

    def _gone(self, reason: str) -> NoReturn:
        """QEMU has ended before its time."""
        shown = f"{self._console.text}\n{self._qemu_said()}"
        cause = causes.diagnose(shown)
        if cause is None and self._qemu_said() and not self._console.text.strip():
            cause = Cause("start", f"QEMU does not start it: {self._qemu_said()}")
        last = self._console.tail(1) or self._qemu_said() or f"QEMU ended: {reason}"
        raise NotUpError(cause or causes.RESET, last, self._console.tail(_TAIL_LINES))

    def _give_up_on_time(self) -> None:
        now = time.monotonic()
        for over, cause in self._reasons(now):
            if over:
                shown = causes.diagnose(self._console.text)
                evidence = self._evidence(cause)
                tail = self._console.tail(_TAIL_LINES)
                particular = shown if shown and not self._proof.has(shown.stage) else None
                raise NotUpError(particular or cause, evidence, tail)

    def _reasons(self, now: float) -> list[tuple[bool, Cause]]:
        def since(kind: str) -> float:
            return now - self._seen[kind] if kind in self._seen else 0.0

        quiet = _SILENCE_AFTER_LOGIN_PROMPT * self._patience
        silent = not self._console.text.strip()
        outside = not self._proof.has("login")
        greeted = self._greeted.is_set()
        ran = "cloud-init" in self._seen or "cloud-init-over" in self._seen
        limit = self._proof.wish.timeout or _ALL * self._patience
        return [
            (since("end") > _LAST_WORDS, self._stuck(f"The machine gave up: {self._evidence()}")),
            (silent and now - self._began > _FIRST_WORD * self._patience, causes.NO_CONSOLE),
            (not greeted and not ran and since("prompt") > quiet, causes.NO_CLOUD_INIT),
            (not greeted and since("cloud-init-over") > quiet, causes.NO_NETWORK),
            (outside and self._refusals > 1 and since("cloud-init-over") > quiet, causes.NO_LOGIN),
            (now - self._began > limit, self._stuck(f"It has not come so far in {limit:.0f} s.")),
        ]

    def _stuck(self, said: str) -> Cause:
        """At the first stage that has not passed."""
        names = [stage.name for stage in report.STAGES if stage.name != "start"]
        return Cause(next((name for name in names if not self._proof.has(name)), "shutdown"), said)

    def _evidence(self, cause: Cause | None = None) -> str:
        if cause is causes.NO_LOGIN:
            return self._refused
        return self._console.tail(1) or "nothing was printed"

    def _qemu_said(self) -> str:
        said = (self._proof.work / "qemu.log").read_text("utf-8", "replace").strip()
        return said.splitlines()[-1] if said else ""


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _refuse_container(artefact: Path, *, meant: bool, why: str) -> NoReturn:
    if not meant:
        raise UsageError(
            f"{artefact.name} is a container: it has no /boot/vmlinuz and no /image.raw",
            "What can be booted here are VMs; containers run on the kernel of Zero-OS.",
        )
    rule = "kernel-link-relative" if "leads out of" in why else "kernel-resolves"
    said = f"Zero-OS would start it as a container, without its own kernel: {why}."
    raise NotUpError(Cause("start", said, rule))
