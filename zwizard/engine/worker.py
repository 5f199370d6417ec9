"""The worker of a build: it carries out the steps of a plan, then packs, checks and delivers."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from zwizard import __version__, checks
from zwizard.engine import failure_causes, layers
from zwizard.engine.builds import Build
from zwizard.engine.executor import CommandError, Executor
from zwizard.engine.io_meter import IoMeter
from zwizard.engine.layers import ARCHIVE, DOWNLOADS, Store
from zwizard.engine.requirements import forecast
from zwizard.engine.sandbox import tree
from zwizard.jobs import events, journal
from zwizard.plan import targets
from zwizard.sources import deployment
from zwizard.steps.step import IMAGE, Plan, Step
from zwizard.util import paths
from zwizard.util.errors import ZwizardError
from zwizard.util.hashing import sha256_of
from zwizard.util.text import parse_size

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
        archive = self.build.archive()
        packed = self.store.archive(fingerprint)
        if not (archive.exists() and archive.samefile(packed)):
            _place(packed, archive)
        note = self.build.note()
        if note:
            paths.write_atomically(note, self.plan.note)
        with ThreadPoolExecutor(1) as beside:
            hashed = beside.submit(
                _sync_and_hash, packed
            )  # on one core, while it is checked on the other
            report = self._report(archive, fingerprint)
            sha256 = hashed.result()
        blocking = _blocking(report)
        self._note(
            events.BuildFinished(
                build=self.build.id,
                artefact=str(archive),
                archive=str(archive),
                sha256=sha256,
                bytes=archive.stat().st_size,
                ready=report["ready"],
                blocks=len(blocking),
                blocking=[{key: f[key] for key in ("rule", "evidence", "fix")} for f in blocking],
                note=str(note or ""),
            )
        )

    def _report(self, archive: Path, fingerprint: str) -> dict[str, Any]:
        """The checklist's report of the archive; the cached one if nothing has changed since."""
        recipe = self.build.recipe()
        settings: dict[str, Any] = {
            "mode": recipe.target,
            "waive": recipe.checklist.waive,
            "disk_size": parse_size(recipe.checklist.disk_size),
            "entrypoint": deployment.entrypoint(recipe),
        }
        basis = [fingerprint, str(archive), __version__, json.loads(json.dumps(settings))]
        try:
            cached = json.loads(self.build.report_file.read_text("utf-8"))
            if cached["basis"] == basis:
                return cast("dict[str, Any]", cached["report"])
        except (OSError, ValueError, KeyError, TypeError):
            pass  # there is none, or it cannot be used
        self._note(events.CheckStarted())
        report = checks.check(archive, **settings)
        data = report.to_json()
        paths.write_atomically(
            self.build.report_file, json.dumps({"basis": basis, "report": data}, indent=1)
        )
        return data

    def _intact(self, fingerprint: str) -> bool:
        """Whether the stored archive has its sum: a user may change it through its hard link.

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


def _sync_and_hash(packed: Path) -> str:
    """Sync a packed archive and write its SHA-256 beside it; return the SHA-256."""
    kept = packed.parent / _SUM
    if not kept.exists():
        with packed.open("rb") as file:
            os.fsync(file.fileno())
        paths.write_atomically(kept, sha256_of(packed))
    return kept.read_text("ascii")


def _blocking(report: dict[str, Any]) -> list[dict[str, Any]]:
    wrong = ("fail", "unknown")
    findings = report["findings"]
    return [f for f in findings if f["severity"] == "must" and f["outcome"] in wrong]


def _place(packed: Path, archive: Path) -> None:
    """Make ``archive`` the file ``packed``: a link to it, or a copy on another file system."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    part = archive.with_name(f".{archive.name}.part")
    part.unlink(missing_ok=True)
    try:
        part.hardlink_to(packed)
    except OSError:
        shutil.copyfile(packed, part)
    part.replace(archive)


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
