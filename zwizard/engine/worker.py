"""The worker of a build: it carries out the steps of a plan, then packs, checks and delivers."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from zwizard.engine import failure_causes, layers, verdicts
from zwizard.engine.builds import Build
from zwizard.engine.executor import CommandError, Executor
from zwizard.engine.layers import ARCHIVE, DOWNLOADS, Store
from zwizard.engine.requirements import forecast
from zwizard.engine.sandbox import tree
from zwizard.host.io_meter import IoMeter
from zwizard.jobs import events, journal
from zwizard.plan import targets
from zwizard.steps.step import IMAGE, Plan, Step
from zwizard.util import paths
from zwizard.util.errors import ZwizardError
from zwizard.util.hashing import sha256_of
from zwizard.util.user_files import ForeignFileError

_PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy")
_TAIL_LINES = 20
_SUM = "sha256"  # the file beside a packed archive that holds its sum


@dataclass(frozen=True)
class Worker:
    """Carries out the steps of one build."""

    build: Build
    plan: Plan
    store: Store
    work: Path  # the directory that a step works in
    rebuild_all: bool

    def run(self) -> bool:
        """Build; True if the archive is made (ready or not), False if a step failed.

        Resuming is the same: the steps whose layers exist are cached, the others run.
        """
        recipe = self.build.recipe()
        steps = [{"name": step.name, "title": step.title} for step in self.plan.steps]
        self._note(events.BuildStarted(steps=steps))
        ahead = forecast(self.plan, self.store, Path(recipe.output.directory))
        if ahead.problems:
            first = ahead.problems[0]
            self._note(events.BuildFailed(error=first.message, hint=first.remedy))
            return False
        fingerprints = self.plan.fingerprints()
        cached = 0 if self.rebuild_all else ahead.cached
        if cached == len(fingerprints) and not self._intact(fingerprints[-1]):
            self.store.remove(fingerprints[-1])
            cached = forecast(self.plan, self.store, Path(recipe.output.directory)).cached
        for state in ahead.steps[:cached]:
            assert state.layer is not None
            self._note(
                events.StepCached(
                    step=state.step.name,
                    seconds=state.layer.seconds,
                    bytes=state.layer.bytes,
                    age=round(time.time() - state.layer.made),
                )
            )
        for number, step in enumerate(self.plan.steps[cached:], cached + 1):
            if not self._step(number, step, fingerprints[: number - 1], fingerprints[number - 1]):
                return False
        self._deliver(fingerprints[-1])
        return True

    def _step(self, number: int, step: Step, parents: tuple[str, ...], fingerprint: str) -> bool:
        """Run one step; False if it failed."""
        log = self.build.step_log(number, step.name)
        log.parent.mkdir(exist_ok=True)
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
        layer = layers.new_layer(fingerprint, step.name, content, whole=whole, since=since)
        if self.rebuild_all:
            self.store.remove(fingerprint)
        self.store.commit(place.new.parent, layer)
        layers.discard(self.work)
        return layer

    def _fail(self, step: Step, log: Path, since: float, error: Exception, command: str) -> None:
        message = error.message if isinstance(error, ZwizardError) else str(error)
        cause = failure_causes.likely_cause(log, step.answers)
        seconds = round(time.monotonic() - since, 2)
        tail = failure_causes.tail(log, _TAIL_LINES)
        self._note(events.StepFailed(step=step.name, seconds=seconds, tail=tail))
        self._note(
            events.BuildFailed(
                error=f"{step.name}: {message}",
                hint=getattr(error, "hint", "") or f"The whole log: {log}",
                cause=cause.message,
                key=cause.key,
                command=command,
                log=str(log),
            )
        )

    def _deliver(self, fingerprint: str) -> None:
        """Put the archive where the recipe wants it, check it, and report the result."""
        files, archive, note = self.build.user_files, self.build.archive(), self.build.note()
        try:
            files.require(*self.build.targets())
        except ForeignFileError as error:
            error.hint = f"Move it away and resume, or: zwizard resume {self.build.id} --replace"
            raise
        packed = self.store.archive(fingerprint)
        if files.state(archive, _kept_sum(packed)) != "same":
            files.copy(packed, archive)
        if note:
            files.write(note, self.plan.note)
        verdict = verdicts.of_archive(
            self.build, checking=lambda: self._note(events.CheckStarted())
        )
        _keep_sum(packed, verdict.sha256)
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
                note=str(note or ""),
            )
        )

    def _intact(self, fingerprint: str) -> bool:
        """Whether the stored archive has its sum.

        Without a sum the build was stopped before it was computed; the archive is whole.
        """
        packed = self.store.archive(fingerprint)
        kept = packed.parent / _SUM
        try:
            return (
                sha256_of(packed) == kept.read_text("ascii") if kept.exists() else packed.exists()
            )
        except (OSError, UnicodeDecodeError):
            return False

    def _note(self, event: events.Event) -> None:
        journal.append(self.build.journal, event)


def environment(plan: Plan) -> dict[str, str]:
    """What the commands of a plan run with: its own variables, and this process's proxies."""
    proxies = {
        name: os.environ[name]
        for proxy in _PROXIES
        for name in (proxy, proxy.upper())
        if name in os.environ
    }
    return proxies | dict(plan.environment)


def _image_tree(tree: Path, image: Path) -> Path:
    """Make ``tree`` a directory that holds only the disk image, by its name on Zero-OS."""
    tree.mkdir()
    image.rename(tree / IMAGE)
    return tree


def _kept_sum(packed: Path) -> str:
    """The SHA-256 beside a packed archive, "" if there is none."""
    kept = packed.parent / _SUM
    return kept.read_text("ascii") if kept.exists() else ""


def _keep_sum(packed: Path, sha256: str) -> None:
    """Write the SHA-256 of the copy of a packed archive beside it; ZwizardError for another."""
    if not (kept := _kept_sum(packed)):
        with packed.open("rb") as file:
            os.fsync(file.fileno())
        paths.write_atomically(packed.parent / _SUM, sha256)
    elif kept != sha256:
        raise ZwizardError(
            f"the delivered archive is not the packed one: its SHA-256 is {sha256}, not {kept}",
            "Something changed it at once, or the disk is damaged: resume the build.",
        )


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
