"""One proof, inside its namespaces: everything it starts ends with it."""

from __future__ import annotations

import resource
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from zwizard.boottest import records, report
from zwizard.boottest.machine import accelerator, rootfs
from zwizard.boottest.machine.accelerator import Acceleration
from zwizard.boottest.machine.container_kernel import ContainerKernel
from zwizard.boottest.machine.qemu import (
    ADDRESS,
    CONSOLE,
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
from zwizard.boottest.machine.seed import Seed, make_disk
from zwizard.boottest.results import KvmGaveUpError, NotUpError, Results
from zwizard.boottest.session import BootTestDirectory, BootTestRequest
from zwizard.boottest.watch.container_monitor import ContainerMonitor, ContainerStart, printed
from zwizard.boottest.watch.failure_causes import BootFailureCause
from zwizard.boottest.watch.monitor import BootMonitor, MonitorSettings
from zwizard.boottest.watch.ssh import make_key
from zwizard.checks import Mode
from zwizard.checks.mode_detection import DISK_IMAGE, INITRD, KERNEL, detect, intended
from zwizard.host import tools
from zwizard.image import DirectoryTree, SingleFileTree, open_tree
from zwizard.jobs import journal
from zwizard.util.errors import ZwizardError

_GIB = 1 << 30
_RENTED = 5 * _GIB  # bytes of the disk, where nobody says; as a recipe's
_INIT = "/sbin/init"  # what a container starts, where nobody says


@dataclass(frozen=True)
class BootSetup:
    """What is booted: as what, and from which files in the working directory."""

    mode: Mode
    boots: Direct | Firmware
    shared: str = ""  # the directory that virtiofsd serves


class BootTest:
    """A proof of one artefact in the working directory ``work``."""

    def __init__(self, run: BootTestDirectory, wish: BootTestRequest, work: Path) -> None:
        self._run = run
        self._wish = wish
        self._work = work
        self._notes = work.parent.parent  # the cache, of whoever began this
        self._ledger = Results(run.journal)
        self._hostname = f"proof-{run.directory.name[-6:].lower().replace('_', '0')}"

    def carry_out(self) -> None:
        """Boot it, tell the journal, and leave the report; ZwizardError if that cannot be done."""
        artefact = self._wish.artefact
        self._ledger.note("proof-started", artefact=str(artefact))
        with ThreadPoolExecutor(1) as beside:
            summed = beside.submit(records.digest, artefact)
            ground, failure = self._prove()
            before = summed.result()
        same = records.digest(artefact) == before
        said = f"sha256 {before}" if same else "its bytes have changed meanwhile"
        self._ledger.record("untouched", "pass" if same else "fail", said)
        self._conclude(ground.mode if ground else Mode.VM, before, failure)

    def _prove(self) -> tuple[BootSetup | None, NotUpError | None]:
        """Boot it; what was booted, if anything was, and why it did not come up, if so."""
        acceleration = accelerator.accelerate(self._notes)
        while True:
            ground = self._prepare()
            if isinstance(ground, NotUpError):
                return None, ground
            try:
                return ground, self._boot(ground, acceleration)
            except KvmGaveUpError as error:
                why = f"KVM did not get through with this guest ({error})"
                self._ledger.again(f"{why}: once more, by software emulation")
                acceleration = accelerator.emulation(why)
                self._work /= "again"
                self._work.mkdir()
                accelerator.distrust_kvm(self._notes, why.replace("this guest", "another guest"))

    # --- before it starts ---

    def _prepare(self) -> BootSetup | NotUpError:
        """Lay out what is booted; the reason for which a node would not start it as it is."""
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)  # virtiofsd's notes
        (self._work / CONSOLE).symlink_to(self._run.console)
        self._run.console.write_bytes(b"")
        try:
            return self._lay_out()
        except NotUpError as error:
            self._ledger.fail(error)
            return error

    def _lay_out(self) -> BootSetup:
        artefact = self._wish.artefact
        ours = artefact.is_file()
        if ours and not _is_gzip(artefact):
            with open_tree(artefact) as view:
                assert isinstance(view, SingleFileTree)  # else it is not readable, and says so
            return self._from_disk(artefact, ours=False)
        root = (
            rootfs.unpack(artefact, self._work)
            if ours
            else rootfs.overlay_directory(artefact, self._work)
        )
        view = DirectoryTree(root)
        found = detect(view)
        if found.refused:
            refused = found.refused
            said = f"Zero-OS refuses it: {refused.path} is not a file."
            raise NotUpError(BootFailureCause("start", said, "mode"), refused.why)
        if found.mode is Mode.IMAGE:
            image = found.at(DISK_IMAGE).entry
            assert image is not None
            return self._from_disk(root / image.path[1:], ours=ours)
        kernel, initrd = found.at(KERNEL), found.at(INITRD)
        if kernel.entry is None and intended(view) is Mode.VM:
            _refuse_as_container(kernel.why)
        rootfs.mount_as_flist(root)
        if kernel.entry is None:
            return self._contained()
        boots = Direct(
            f"root{kernel.entry.path}",
            f"root{initrd.entry.path}" if initrd.entry else "",
            self._wish.entrypoint,
        )
        return BootSetup(Mode.VM, boots, shared="root")

    def _contained(self) -> BootSetup:
        """With a kernel and an init that stand in for Zero-OS's own."""
        stand_in = ContainerKernel(self._wish.layers)
        if not stand_in.there:
            self._ledger.note("proof-preparing", mode=Mode.CONTAINER.value)
            stand_in.make(f"proof-{self._run.directory.name}", self._run.directory / "kernel.log")
        boots = Direct(str(stand_in.boot / "vmlinuz"), str(stand_in.boot / "initrd.img"))
        return BootSetup(Mode.CONTAINER, boots, shared="root")

    def _from_disk(self, image: Path, *, ours: bool) -> BootSetup:
        code, state = accelerator.firmware()
        try:
            rootfs.write_disk(image, self._work / DISK, self._wish.disk_size or _RENTED, ours=ours)
        except rootfs.TooLargeError as error:
            said = f"{error.message}. {error.hint}"
            raise NotUpError(BootFailureCause("start", said, "image-fits-disk")) from None
        (self._work / FIRMWARE_STATE).write_bytes(state.read_bytes())
        return BootSetup(Mode.IMAGE, Firmware(str(code)))

    # --- while it runs ---

    def _boot(self, ground: BootSetup, acceleration: Acceleration) -> NotUpError | None:
        """Start the machine, and watch it to its end; why it did not come up, if so."""
        self._ledger.mode = ground.mode.value
        contained = ground.mode is Mode.CONTAINER
        entrypoint = self._wish.entrypoint or (_INIT if contained else "")
        machine = Machine(acceleration.by, ground.boots, watched=contained)
        seed = Seed(
            instance=self._run.directory.name,
            hostname=self._hostname,
            mac=MAC,
            address=ADDRESS,
            gateway=GATEWAY,
            key=make_key(self._work),
            entrypoint=entrypoint,
            environment=self._wish.environment,
        )
        make_disk(seed, self._work / SEED)
        command = machine.qemu(tools.find("qemu-system-x86_64") or "")
        self._ledger.note(
            "proof-machine",
            mode=ground.mode.value,
            accelerator=acceleration.by,
            why=acceleration.why,
            differs=machine.differs(),
            command=list(command),
            seconds=self._ledger.elapsed,
        )
        if ground.shared:
            self._serve(ground.shared)
        with (self._work / "qemu.log").open("wb") as log:
            # The processes are ended with this proof's namespace, however it ends.
            qemu = subprocess.Popen(
                command, cwd=self._work, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        task = MonitorSettings(
            self._work,
            self._run.console,
            self._hostname,
            ground.mode,
            acceleration.patience,
            self._wish.timeout,
            by_kvm=acceleration.by == "kvm",
        )
        attendant = (
            ContainerMonitor(
                task, self._ledger, qemu, ContainerStart(entrypoint, self._wish.environment)
            )
            if contained
            else BootMonitor(task, self._ledger, qemu)
        )
        try:
            attendant.to_the_end()
        except NotUpError as error:
            self._ledger.fail(error)
            return error
        finally:
            qemu.kill()
            qemu.wait()
        return None

    def _serve(self, shared: str) -> None:
        """Start virtiofsd, and wait until it listens."""
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        program = tools.find("virtiofsd") or ""
        rust = accelerator.is_rust_virtiofsd(program)
        command = virtiofsd(program, str(self._work / shared), rust=rust)
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

    def _conclude(self, mode: Mode, sha256: str, failure: NotUpError | None) -> None:
        told = journal.replay(self._run.journal)
        machines = [event for event in told if event["event"] == "proof-machine"]
        made = report.make(
            artefact=self._wish.artefact,
            mode=mode,
            sha256=sha256,
            size=records.total(self._wish.artefact),
            findings=self._ledger.findings,
            times=self._ledger.times,
            cause=failure.cause if failure else None,
            tail=failure.tail if failure else "",
            machine=machines[-1] if machines else {},
            seconds=self._ledger.elapsed,
            console=self._run.console,
            printed=printed(self._run.console.read_text("utf-8", "replace")),
        )
        report.write(made, self._run)
        records.remove_superseded(self._run.directory, str(self._wish.artefact))
        self._ledger.note("proof-finished", **{key: made[key] for key in report.TOLD})


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _refuse_as_container(why: str) -> NoReturn:
    rule = "kernel-link-relative" if "leads out of" in why else "kernel-resolves"
    said = "Zero-OS would start it as a container, with a kernel that is not the image's."
    raise NotUpError(BootFailureCause("start", said, rule), why)
