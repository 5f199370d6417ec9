"""Builds, logs and tools as text and as JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterator
from pathlib import Path

from zwizard.boottest import records
from zwizard.engine import builds, status
from zwizard.engine.builds import Build
from zwizard.engine.status import State, Status, StepState
from zwizard.host import tools as tools
from zwizard.host.privileges import privilege
from zwizard.recipe.model import Recipe
from zwizard.util.errors import UsageError
from zwizard.util.text import ago, duration, one_line, sanitise, size

MARKS: dict[State | StepState, str] = {
    "new": "○",
    "running": "●",
    "ready": "✓",
    "not-ready": "!",
    "failed": "✗",
    "cancelled": "■",
    "interrupted": "■",
    "waiting": "○",
    "done": "✓",
    "reused": "✓",
    "stopped": "■",
}
WORDS: dict[State | StepState, str] = {
    "new": "new",
    "running": "running",
    "ready": "ready",
    "not-ready": "NOT ready",
    "failed": "failed",
    "cancelled": "cancelled",
    "interrupted": "interrupted",
    "waiting": "to come",
    "done": "done",
    "reused": "there already",
    "stopped": "stopped",
}


def what(recipe: Recipe | None) -> str:
    """What a recipe makes, in a few words: ``vm · Debian bookworm``."""
    if recipe is None:
        return "a recipe of another version"
    source = recipe.source
    if source.kind != "distro":
        return f"{recipe.target} · {source.kind} {Path(source.location).name}"
    return f"{recipe.target} · {source.distro.title()} {source.suite}".rstrip()


def where(told: Status) -> str:
    """How far a build is: the step it is in, or the archive's size."""
    if told.step:
        return f"{told.step.number}/{len(told.steps)} {told.step.name}"
    return size(told.bytes) if told.state in {"ready", "not-ready"} else ""


def word(told: Status, proven: Collection[str]) -> str:
    """A build's state as glyph and word; ready is ``proven`` where that very archive was booted.

    ``proven`` are the sums of what was, as :func:`zwizard.boottest.records.proven` has them.
    """
    if told.state == "ready" and told.sha256 in proven:
        return "◆ proven"
    return f"{MARKS[told.state]} {WORDS[told.state]}"


def everything(*, as_json: bool) -> str:
    """All builds, the latest first."""
    found = [(build, builds.recipe_of(build), status.of(build)) for build in builds.everything()]
    proven = records.tested_digests()
    if as_json:
        entries = [_summary(*entry, proven) for entry in found]
        return json.dumps(entries, indent=1) + "\n"
    if not found:
        return "no builds yet; `zwizard` begins one\n"
    now = time.time()
    return "".join(
        f"{word(told, proven):<14} {build.id:<20} {what(recipe):<26}"
        f" {where(told):<18} {ago(told.at or now, now)}\n"
        for build, recipe, told in found
    )


def one(build: Build, *, as_json: bool) -> str:
    """One build, with its steps."""
    recipe, told = builds.recipe_of(build), status.of(build)
    if as_json:
        steps = [
            {"name": s.name, "state": s.state, "seconds": s.seconds, "bytes": s.bytes}
            for s in told.steps
        ]
        summary = _summary(build, recipe, told, records.tested_digests()) | {"step_states": steps}
        return json.dumps(summary, indent=1) + "\n"
    lines = [f"{build.id}: {what(recipe)}, {WORDS[told.state]}"]
    lines += [
        f"  {MARKS[step.state]} {step.name:<14} {WORDS[step.state]:<14}"
        f" {duration(step.seconds) if step.seconds else '':>12}"
        f" {size(step.bytes) if step.bytes else '':>12}"
        for step in told.steps
    ]
    if told.error and told.state in {"failed", "interrupted"}:
        lines += ["", told.error, told.cause or told.hint]
    if told.archive:
        lines += ["", f"archive  {told.archive}", f"sha256   {told.sha256}"]
        if proof := records.last_test_of(told.sha256):
            lines.append(f"proof    {records.told(proof, time.time())}")
        if recipe and (note := build.note()):
            lines.append(f"deploy   {note}")
    lines += ["", f"build    {build.directory}"]
    return sanitise("\n".join(lines)) + "\n"


def _summary(
    build: Build, recipe: Recipe | None, told: Status, proven: Collection[str]
) -> dict[str, object]:
    is_proven = told.state == "ready" and told.sha256 in proven
    return status.summary(build, recipe, told) | {"proven": is_proven}


def log(build: Build, step: str | None) -> Iterator[str]:
    """The lines of a step's log, or of all of them in order, safe to show."""
    logs = sorted((build.directory / "logs").glob("*.log"))
    names = [path.stem.partition("-")[2] for path in logs]
    if step is not None:
        if step not in names:
            raise UsageError(
                f"{build.id} has no log of a step {step!r}",
                f"It has: {', '.join(names) or 'none yet'}.",
            )
        logs = [path for path, name in zip(logs, names, strict=True) if name == step]
    for path in logs:
        if step is None:
            yield f"== {path.stem}"
        yield from _lines(path)


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
        for line in file:
            # What a progress display wrote over is not part of the log.
            yield one_line(line.rstrip("\r\n").rpartition("\r")[2])


def doctor(*, as_json: bool) -> str:
    """Which tools are there, what is missing, and by which right a build would run."""
    right = privilege()
    lacking = tools.missing(tools.TOOLS)
    if as_json:
        data = {
            "privilege": right.mode,
            "why": right.description,
            "tools": {name: tools.find(name) for name in tools.TOOLS},
            "missing": sorted(lacking),
            "install": list(tools.install_argv(lacking)) if lacking else [],
        }
        return json.dumps(data, indent=1) + "\n"
    lines = [
        f"{'✗ missing' if tool.name in lacking else '✓ here   '}  {tool.name:<18} {tool.purpose}"
        for tool in tools.TOOLS.values()
    ]
    lines += ["", f"Builds run as: {right.description}"]
    if right.remedy:
        lines.append(f"  {right.remedy}")
    if lacking:
        lines += [
            "",
            f"To install: {tools.install_command(lacking)}",
            "or: zwizard doctor --install",
        ]
    return "\n".join(lines) + "\n"
