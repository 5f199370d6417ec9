"""The worker of a build: it carries out the steps of a plan, then packs, checks and delivers."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from zwizard.engine import failure_causes, layers, verdicts
from zwizard.engine.builds import Build
from zwizard.engine.executor import CommandError, Executor
from zwizard.engine.layers import ARCHIVE, DOWNLOADS, Layer, Store
from zwizard.engine.requirements import forecast
from zwizard.engine.sandbox import environment, tree
from zwizard.host.io_meter import IoMeter
from zwizard.jobs import events, journal, lock
from zwizard.plan import targets
from zwizard.steps.step import IMAGE, Plan, Step
from zwizard.util import manifest, paths, places
from zwizard.util.errors import ZwizardError
from zwizard.util.places import explained
from zwizard.util.text import size
from zwizard.util.units import MIB
from zwizard.util.user_files import ForeignFileError

_TAIL_LINES = 20
_ALMOST_FULL = 16 * MIB


@dataclass
class Worker:
    """Carries out the steps of one build."""

    build: Build
    plan: Plan
    store: Store
    work: Path  # the directory that a step works in
    rebuild_all: bool

    # Locks of the layers in use: others neither change nor remove them.
    _leases: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _beside: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))
    _since: float = 0.0  # older layers are not used (seconds since 1970)
    _whole: bool = False  # whether cached layers are compared with all of their manifests
    _complete: bool = False  # whether the archive is there, so that nothing is built on the trees

    def run(self) -> bool:
        """Build; True if the archive is made (ready or not), False if a step failed.

        Resuming is the same: the steps whose layers exist are cached, the others run.
        """
        self._whole = self._was_interrupted()
        recipe, fingerprints = self.build.recipe(), self.plan.fingerprints()
        steps = [{"name": step.name, "title": step.title} for step in self.plan.steps]
        self._note(events.BuildStarted(steps=steps))
        output = Path(recipe.output.directory)
        ahead = forecast(self.plan, self.store, output, state=self.build.directory)
        if ahead.problems:
            first = ahead.problems[0]
            self._note(events.BuildFailed(error=first.message, hint=first.remedy))
            return False
        if self.rebuild_all:
            self._since = time.time()
        else:
            self._complete = ahead.cached == len(fingerprints) and not self.store.damage(
                fingerprints[-1], whole=True
            )
        with self._leases, self._beside:
            self._keep(self.store.wait_for_lock(DOWNLOADS, lambda _: None, shared=True))
            for number in range(1, len(fingerprints) + 1):
                if not self._provide(number, fingerprints[:number]):
                    return False
            self._deliver(fingerprints[-1])
        return True

    def _was_interrupted(self) -> bool:
        """Whether the last run was killed, or the machine stopped during it."""
        before = journal.replay(self.build.journal)
        return bool(before) and (
            not isinstance(before[-1], events.Last) or isinstance(before[-1], events.Interrupted)
        )

    def _provide(self, number: int, fingerprints: tuple[str, ...]) -> bool:
        """Use the layer of step ``number`` from the cache, or make it; False if that failed."""
        step, fingerprint = self.plan.steps[number - 1], fingerprints[-1]
        lease = self._lock(number, fingerprint, shared=True)
        layer, damage = self._find(fingerprints)
        if layer is None:
            os.close(lease)
            lease = self._lock(number, fingerprint, shared=False)
            layer, damage = self._find(fingerprints)  # another build may have made it meanwhile
        if layer is None:
            os.write(lease, self.build.id.encode())
            if damage:
                self._note(events.LayerDamaged(step=step.name, evidence=damage))
            self.store.remove(fingerprint)
            if not self._step(number, step, fingerprints[:-1], fingerprint):
                return False
            os.truncate(lease, 0)
            lock.share(lease)
        else:
            age = round(time.time() - layer.made)
            self._note(
                events.StepCached(
                    step=step.name, seconds=layer.seconds, bytes=layer.bytes, age=age
                )
            )
        self._keep(lease)
        return True

    def _find(self, fingerprints: tuple[str, ...]) -> tuple[Layer | None, str]:
        """The layer of the last of these; None if it must be made, and how it is damaged."""
        fingerprint = fingerprints[-1]
        found = self.store.chain(fingerprints)
        if len(found) < len(fingerprints):
            return None, self.store.record_damage(fingerprint)
        if found[-1].made < self._since:
            return None, ""
        damage = self._damage(fingerprint)
        return (None if damage else found[-1]), damage

    def _damage(self, fingerprint: str) -> str:
        """How a layer differs from what was made, or ""."""
        if self._complete:
            return ""
        if self.store.has_no_manifest_yet(fingerprint):
            self._write_manifest(fingerprint)
            return ""
        return self.store.damage(fingerprint, whole=self._whole)

    def _write_manifest(self, fingerprint: str) -> None:
        """Write the manifest of a layer, while the next step runs.

        Without it, the layer counts during this boot only, and its next user writes it.
        """
        tree, file = self.store.tree(fingerprint), self.store.manifest(fingerprint)
        self._beside.submit(manifest.write, tree, file)

    def _lock(self, number: int, fingerprint: str, *, shared: bool) -> int:
        """Lock a layer, alone or shared; say so if another process has to end first."""
        step = self.plan.steps[number - 1]
        named: list[str] = []

        def waiting(holder: str) -> None:
            if holder not in named:
                named.append(holder)
                event = events.StepWaiting(step=step.name, holder=holder)
                log = self._log(number)
                log.write_text(f"{event.message}\n", "utf-8")
                self._note(replace(event, log=str(log)))

        return self.store.wait_for_lock(fingerprint, waiting, shared=shared)

    def _keep(self, lease: int) -> None:
        """Hold a lock until the end of the build."""
        self._leases.callback(os.close, lease)

    def _log(self, number: int) -> Path:
        log = self.build.step_log(number, self.plan.steps[number - 1].name)
        log.parent.mkdir(mode=0o700, exist_ok=True)
        os.close(paths.private(str(log), os.O_WRONLY | os.O_CREAT))
        return log

    def _step(self, number: int, step: Step, parents: tuple[str, ...], fingerprint: str) -> bool:
        """Run one step; False if it failed."""
        log = self._log(number)
        self._note(events.StepStarted(step=step.name, log=str(log)))
        since = time.monotonic()
        try:
            layer = self._make(step, parents, fingerprint, log, since)
        except CommandError as error:
            self._fail(step, log, since, error, command=error.shell)
            return False
        except (ZwizardError, OSError) as error:
            self._fail(step, log, since, error, command="")
            return False
        self._note(events.StepFinished(step=step.name, seconds=layer.seconds, bytes=layer.bytes))
        return True

    def _make(
        self, step: Step, parents: tuple[str, ...], fingerprint: str, log: Path, since: float
    ) -> layers.Layer:
        with (
            log.open("wb") as output,
            tree(self.store, parents, self.work) as place,
            _kill_other_processes(),
        ):
            out = place.new.parent / ARCHIVE
            meter = IoMeter(
                lambda count: self._note(events.StepProgress(step=step.name, written=count))
            )
            executor = Executor(
                place,
                out,
                environment(self.plan),
                output,
                meter.look,
                self.store.directory / DOWNLOADS,
                self.plan.network(step),
            )
            for action in step.actions:
                executor.perform(action)
        content, whole = place.new, place.whole
        if step.leaves != "tree":
            layers.discard(place.new)
            content = out
        if step.leaves == "image":  # a tree of its own, in which there is nothing else
            content, whole = _image_tree(place.new, out), True
        below = self.store.chain(parents)[-1].made if parents else 0.0
        layer = layers.new_layer(
            fingerprint, step.name, content, whole=whole, since=since, below=below
        )
        self.store.commit(place.new.parent, layer)
        layers.discard(self.work)
        if step.leaves != "archive":
            self._write_manifest(fingerprint)
        return layer

    def _fail(self, step: Step, log: Path, since: float, error: Exception, command: str) -> None:
        message = error.message if isinstance(error, ZwizardError) else str(error)
        cause = failure_causes.likely_cause(log, step.answers)
        seconds = round(time.monotonic() - since, 2)
        tail = failure_causes.tail(log, _TAIL_LINES)
        self._note(events.StepFailed(step=step.name, seconds=seconds, tail=tail))
        self._note(
            events.BuildFailed(
                error=f"{step.name}: {message}{self._full()}",
                hint=getattr(error, "hint", "") or f"The whole log: {log}",
                cause=cause.message,
                key=cause.key,
                command=command,
                log=str(log),
            )
        )

    def _full(self) -> str:
        """How the directory of the layers is full, or ""."""
        if (free := places.free_space(self.store.directory)) > _ALMOST_FULL:
            return ""
        needs = f"the step needs more than {size(layers.disk_usage(self.work))}"
        return f" ({self.store.directory} has {size(free)} free, and {needs})"

    def _deliver(self, fingerprint: str) -> None:
        """Put the archive where the recipe wants it, check it, and report the result."""
        files, archive, note = self.build.user_files, self.build.archive(), self.build.note()
        try:
            files.require(*self.build.targets())
        except ForeignFileError as error:
            error.hint = f"Move it away and resume, or: zwizard resume {self.build.id} --replace"
            raise
        packed = self.store.archive(fingerprint)
        if files.state(archive, self.store.kept_sum(fingerprint)) != "same":
            try:
                files.copy(packed, archive)
            except OSError as error:
                raise explained(error, packed.stat().st_size) from None
        files.write(note, self.plan.note)
        verdict = verdicts.of_archive(
            self.build, checking=lambda: self._note(events.CheckStarted())
        )
        self.store.keep_sum(fingerprint, verdict.sha256)
        self._note(
            events.BuildFinished(
                build=self.build.id,
                artefact=str(archive),
                archive=str(archive),
                sha256=verdict.sha256,
                bytes=archive.stat().st_size,
                ready=verdict.report.ready,
                blocks=len(verdict.blocking),
                blocking=verdict.blocking,
                warnings=verdict.warnings,
                note=str(note),
            )
        )

    def _note(self, event: events.Event) -> None:
        journal.append(self.build.journal, event)


def _image_tree(tree: Path, image: Path) -> Path:
    """Make ``tree`` a directory that holds only the disk image, by its name on Zero-OS."""
    tree.mkdir()
    image.rename(tree / IMAGE)
    return tree


@contextmanager
def _kill_other_processes() -> Iterator[None]:
    """End everything that is still running in this PID namespace, such as a stray daemon."""
    try:
        yield
    finally:
        if os.getpid() == 1:
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, 0):
                    pass


def work(build: Build, workspace: Path, *options: str) -> int:
    """Carry out the steps of ``build``; 0 if the archive is made. Options: ``rebuild-all``."""
    plan = targets.make(build.recipe())
    worker = Worker(build, plan, Store.of(workspace), workspace / "step", "rebuild-all" in options)
    return 0 if worker.run() else 1
