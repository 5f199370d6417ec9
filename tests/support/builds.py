"""Build directories with journals as the worker writes them."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from zwizard.engine import builds
from zwizard.engine.builds import Build
from zwizard.jobs import journal
from zwizard.plan.targets import make
from zwizard.recipe.model import Recipe


def new_build(name: str, directory: Path, recipe: Recipe | None = None) -> Build:
    """A build that has not started; its archive goes to ``directory``."""
    recipe = replace(recipe or Recipe(), name=name)
    return builds.open_for(recipe, directory)


def begin(build: Build) -> list[str]:
    """Record that the build started; return the names of its steps."""
    steps = make(build.recipe()).steps
    described = [{"name": step.name, "title": step.title} for step in steps]
    journal.append(build.journal, "build-started", steps=described)
    return [step.name for step in steps]


def finish(build: Build, step: str, *, seconds: float = 2.0, size: int = 4096) -> None:
    """Record that a step ran."""
    journal.append(build.journal, "step-started", step=step, log="")
    journal.append(build.journal, "step-finished", step=step, seconds=seconds, bytes=size)


def fail(build: Build, step: str, **facts: str) -> None:
    """Record that a step failed, and the build with it."""
    journal.append(build.journal, "step-started", step=step, log="")
    known = {"error": f"{step}: exit status 100: chroot $CHROOT apt-get", "hint": "See the log"}
    known |= {"cause": "", "command": "", "log": "", "tail": ""} | facts
    journal.append(build.journal, "step-failed", step=step, seconds=1.0, **known)
    journal.append(build.journal, "build-failed", **known)


def end(
    build: Build,
    *,
    ready: bool = True,
    archive: bool = True,
    blocking: Sequence[dict[str, str]] = (),
) -> Path:
    """Record that the build finished; return its archive."""
    for step in begin(build):
        finish(build, step)
    file = build.archive()
    if archive:
        file.write_bytes(b"archive")
    journal.append(
        build.journal,
        "build-finished",
        build=build.id,
        artefact=str(file),
        archive=str(file),
        sha256="ab" * 32,
        bytes=7,
        ready=ready,
        blocks=0 if ready else len(blocking) or 2,
        blocking=blocking,
    )
    return file


@contextmanager
def running(build: Build) -> Iterator[None]:
    """Hold the lock of the build, as its supervisor does."""
    descriptor = os.open(build.lock, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
