"""Builds made by hand, with journals as a worker writes them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from zwizard.engine import builds
from zwizard.engine.builds import Build
from zwizard.jobs import events, journal
from zwizard.plan.targets import make
from zwizard.recipe.model import Recipe


def new_build(name: str, directory: Path, recipe: Recipe | None = None) -> Build:
    """A build that has not started; its archive goes to ``directory``."""
    recipe = replace(recipe or Recipe(), name=name)
    return builds.open_for(recipe, directory)


def begin(build: Build) -> list[str]:
    """Record that the build started; return the names of its steps."""
    steps = make(build.recipe()).steps
    told = [{"name": step.name, "title": step.title} for step in steps]
    journal.append(build.journal, events.BuildStarted(steps=told))
    return [step.name for step in steps]


def finish(build: Build, step: str, *, seconds: float = 2.0, size: int = 4096) -> None:
    """Write that a step ran."""
    journal.append(build.journal, events.StepStarted(step=step, log=""))
    journal.append(build.journal, events.StepFinished(step=step, seconds=seconds, bytes=size))


def fail(build: Build, step: str, *, tail: str = "", **facts: str) -> None:
    """Write that a step failed, and the build with it."""
    journal.append(build.journal, events.StepStarted(step=step))
    journal.append(build.journal, events.StepFailed(step=step, seconds=1.0, tail=tail))
    error = facts.pop("error", f"{step}: exit status 100: in_tree apt-get")
    hint = facts.pop("hint", "See the log")
    failed = replace(events.BuildFailed(error=error, hint=hint), **facts)  # type: ignore[arg-type]
    journal.append(build.journal, failed)


def deliver(build: Build, data: bytes = b"archive") -> str:
    """Write the archive of ``build`` as its worker does; return its SHA-256."""
    build.user_files.write(build.archive(), data)
    return build.user_files.digest(build.archive())


def end(
    build: Build,
    *,
    ready: bool = True,
    blocking: Sequence[dict[str, str]] = (),
    warnings: Sequence[dict[str, str]] = (),
) -> Path:
    """Record that the build finished; return its archive."""
    for step in begin(build):
        finish(build, step)
    file, sha256 = build.archive(), deliver(build)
    journal.append(
        build.journal,
        events.BuildFinished(
            build=build.id,
            artefact=str(file),
            archive=str(file),
            sha256=sha256,
            bytes=7,
            ready=ready,
            blocks=0 if ready else len(blocking) or 2,
            blocking=list(blocking),
            warnings=list(warnings),
        ),
    )
    return file


@contextmanager
def running(build: Build, since: int | None = None) -> Iterator[None]:
    """Hold the build's lock as its supervisor does; in the journal its run starts at ``since``."""
    descriptor = build.hold()
    assert descriptor is not None
    if since is not None:
        build.lock.write_text(str(since))
    try:
        yield
    finally:
        os.close(descriptor)
