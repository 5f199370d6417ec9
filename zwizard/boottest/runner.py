"""The worker of a boot test: it boots the artefact in namespaces that end with it."""

import resource
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path

from zwizard.boottest import records, report
from zwizard.boottest.machine import accelerator, rootfs
from zwizard.boottest.machine.accelerator import Acceleration
from zwizard.boottest.machine.container_kernel import ContainerKernel
from zwizard.boottest.machine.qemu import (
    CONSOLE,
    DISK,
    FIRMWARE_STATE,
    KERNEL_SOCKET,
    SEED,
    Direct,
    Firmware,
    Machine,
    virtiofsd,
)
from zwizard.boottest.machine.seed import Seed, make_disk
from zwizard.boottest.request import BootTest, BootTestRequest
from zwizard.boottest.results import KvmGaveUpError, NotUpError, Results
from zwizard.boottest.watch.boot_causes import BootFailureCause
from zwizard.boottest.watch.container_monitor import ContainerMonitor
from zwizard.boottest.watch.monitor import BootMonitor, MonitorSettings
from zwizard.boottest.watch.ssh import make_key
from zwizard.checks import Mode
from zwizard.checks.mode_detection import detect, intended
from zwizard.host import tools
from zwizard.image import DirectoryTree, SingleFileTree, open_tree
from zwizard.jobs import events
from zwizard.util.errors import ZwizardError
from zwizard.util.units import GIB

_RENTED = 5 * GIB  # bytes of the disk by default, as in a recipe
_INIT = "/sbin/init"  # the default entrypoint of a container
_AS_CONTAINER = "Zero-OS would start it as a container, with a kernel that is not the image's."


@dataclass(frozen=True)
class BootSetup:
    """What is booted: as what, and from which files in the working directory."""

    mode: Mode
    boots: Direct | Firmware


def work(job: BootTest, workspace: Path) -> int:
    """Carry out a boot test; 0, since its result is in the journal and the report."""
    request = BootTestRequest.load(job.request)
    Runner(job, request, workspace).run()
    return 0


class Runner:
    """Boots one artefact in the directory ``workspace``."""

    def __init__(self, job: BootTest, request: BootTestRequest, workspace: Path) -> None:
        self._job = job
        self._request = request
        self._workspace = workspace
        self._cache = workspace.parent.parent  # of the user who started it
        self._results = Results(job.journal)
        self._machine = events.BootTestMachine(mode="", accelerator="", why="")
        self._hostname = f"test-{job.id[-6:].lower().replace('_', '0')}"

    def run(self) -> None:
        """Boot it, and write journal and report; ZwizardError if that cannot be done."""
        artefact = self._request.artefact
        self._results.note(events.BootTestStarted(artefact=str(artefact)))
        failure = None
        with ThreadPoolExecutor(1) as beside:
            digest = beside.submit(records.digest, artefact)
            try:
                self._boot_with_fallback()
            except NotUpError as error:
                failure = error
                self._results.fail(error)
            before = digest.result()
        same = records.digest(artefact) == before
        evidence = f"sha256 {before}" if same else "its bytes changed meanwhile"
        self._results.record("untouched", "pass" if same else "fail", evidence)
        made = report.make(self._job, artefact, before, self._results, self._machine, failure)
        report.write(made, self._job)
        records.remove_others(self._job, artefact)
        summary = {item.name for item in fields(events.BootTestFinished)} - {"at"}
        self._results.note(events.BootTestFinished(**{key: made[key] for key in summary}))

    def _boot_with_fallback(self) -> None:
        """Boot it, by emulation if KVM fails; raises NotUpError if it does not come up."""
        try:
            self._boot(self._prepare(), accelerator.accelerate(self._cache))
        except KvmGaveUpError as error:
            why = f"KVM failed with this guest ({error})"
            self._results.restart(f"{why}: restarting with software emulation")
            self._workspace /= "again"
            self._workspace.mkdir()
            accelerator.distrust_kvm(self._cache, why.replace("this guest", "another guest"))
            self._boot(self._prepare(), accelerator.emulation(why))

    # --- before it starts ---

    def _prepare(self) -> BootSetup:
        """Lay out what is booted; raises NotUpError if a node would not start it."""
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)  # virtiofsd's notes
        (self._workspace / CONSOLE).symlink_to(self._job.console)
        self._job.console.write_bytes(b"")
        artefact = self._request.artefact
        ours = artefact.is_file()
        if ours and not _is_gzip(artefact):
            with open_tree(artefact) as view:
                if not isinstance(view, SingleFileTree):
                    raise ZwizardError(
                        f"{artefact.name} is not compressed with gzip: the hub refuses it",
                        "Pack it again: zwizard repair does.",
                    )
            return self._from_disk(artefact, ours=False)
        root = (
            rootfs.unpack(artefact, self._workspace)
            if ours
            else rootfs.overlay_directory(artefact, self._workspace)
        )
        view = DirectoryTree(root)
        found = detect(view)
        if found.refused:
            refused = found.refused
            message = f"Zero-OS refuses it: {refused.path} is not a file."
            raise NotUpError(BootFailureCause("start", message, "mode"), refused.why)
        if found.mode is Mode.IMAGE:
            image = found.image.entry
            assert image is not None
            return self._from_disk(root / image.path[1:], ours=ours)
        kernel, initrd = found.kernel, found.initrd
        if kernel.entry is None and intended(view) is Mode.VM:
            rule = "kernel-link-relative" if "leads out of" in kernel.why else "kernel-resolves"
            raise NotUpError(BootFailureCause("start", _AS_CONTAINER, rule), kernel.why)
        rootfs.mount_as_flist(root)
        if kernel.entry is None:
            return self._contained()
        boots = Direct(
            f"root{kernel.entry.path}",
            f"root{initrd.entry.path}" if initrd.entry else "",
            self._request.entrypoint,
        )
        return BootSetup(Mode.VM, boots)

    def _contained(self) -> BootSetup:
        """A container with a kernel and an init in place of Zero-OS's own."""
        kernel = ContainerKernel(self._request.layers)
        if not kernel.take():
            self._results.note(events.BootTestPreparing(mode=Mode.CONTAINER.value))
            kernel.build(f"boot-test-{self._job.id}", self._job.directory / "kernel.log")
        boots = Direct(str(kernel.boot / "vmlinuz"), str(kernel.boot / "initrd.img"))
        return BootSetup(Mode.CONTAINER, boots)

    def _from_disk(self, image: Path, *, ours: bool) -> BootSetup:
        code, state = accelerator.firmware()
        rented = self._request.disk_size or _RENTED
        rootfs.write_disk(image, self._workspace / DISK, rented, ours=ours)
        (self._workspace / FIRMWARE_STATE).write_bytes(state.read_bytes())
        return BootSetup(Mode.IMAGE, Firmware(str(code)))

    # --- while it runs ---

    def _boot(self, setup: BootSetup, acceleration: Acceleration) -> None:
        """Run the machine to its end; raises NotUpError if it does not come up."""
        self._results.mode = setup.mode.value
        contained = setup.mode is Mode.CONTAINER
        entrypoint = self._request.entrypoint or (_INIT if contained else "")
        machine = Machine(acceleration.by, setup.boots, observed=contained)
        seed = Seed(
            instance=self._job.id,
            hostname=self._hostname,
            key=make_key(self._workspace),
            entrypoint=entrypoint,
            environment=self._request.environment,
        )
        make_disk(seed, self._workspace / SEED)
        command = machine.qemu(tools.find("qemu-system-x86_64") or "")
        self._machine = events.BootTestMachine(
            mode=setup.mode.value,
            accelerator=acceleration.by,
            why=acceleration.why,
            differs=list(machine.differs()),
            command=list(command),
            seconds=self._results.elapsed,
        )
        self._results.note(self._machine)
        if isinstance(setup.boots, Direct):
            self._serve()
        with (self._workspace / "qemu.log").open("wb") as log:
            # Its processes end with this namespace, however the test ends.
            qemu = subprocess.Popen(
                command, cwd=self._workspace, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        task = MonitorSettings(
            self._workspace,
            self._job.console,
            self._hostname,
            setup.mode,
            acceleration.patience,
            self._request.timeout,
            by_kvm=acceleration.by == "kvm",
            entrypoint=entrypoint,
            environment=self._request.environment,
        )
        monitor = ContainerMonitor if contained else BootMonitor
        try:
            monitor(task, self._results, qemu).run()
        finally:
            qemu.kill()
            qemu.wait()

    def _serve(self) -> None:
        """Start virtiofsd for the root file system, and wait until it listens."""
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        program = tools.find("virtiofsd") or ""
        rust = accelerator.is_rust_virtiofsd(program)
        command = virtiofsd(program, str(self._workspace / "root"), rust=rust)
        log = self._workspace / "virtiofsd.log"
        with log.open("wb") as output:
            server = subprocess.Popen(
                command,
                cwd=self._workspace,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        while not (self._workspace / KERNEL_SOCKET).exists():
            if server.poll() is not None:
                message = log.read_text("utf-8", "replace").strip()
                raise ZwizardError(f"virtiofsd ended with {server.returncode}: {message}")
            time.sleep(0.02)


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"
