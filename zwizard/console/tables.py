"""Builds, logs and tools as text and as JSON."""

import shlex
import time
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from zwizard.boottest import records
from zwizard.engine import builds, status
from zwizard.engine.builds import Build
from zwizard.engine.status import CHECKED, State, Status, StepState
from zwizard.host import tools
from zwizard.hub import records as uploads
from zwizard.hub.records import UploadRecord
from zwizard.recipe.model import Recipe
from zwizard.util.documents import document
from zwizard.util.errors import UsageError
from zwizard.util.text import ago, duration, one_line, sanitise, size

MARKS: dict[State | StepState, str] = {
    "running": "●",
    "ready": "✓",
    "not-ready": "!",
    "changed": "!",
    "missing": "!",
    "failed": "✗",
    "stopped": "■",
    "waiting": "○",
    "done": "✓",
    "cached": "✓",
}
WORDS = {state: state.replace("-", " ") for state in MARKS}


def what(recipe: Recipe | None) -> str:
    """What a recipe makes, in a few words: ``vm · Debian bookworm``."""
    if recipe is None:
        return "an unreadable recipe"
    source = recipe.source
    if source.location:
        return f"{recipe.target} · {source.kind} {Path(source.location).name}"
    return f"{recipe.target} · {source.distro.title()} {source.suite}".rstrip()


def where(status: Status) -> str:
    """How far a build is: the step it is in, or the archive's size."""
    if status.step:
        return f"{status.step.number}/{len(status.steps)} {status.step.name}"
    return size(status.bytes) if status.state in CHECKED else ""


def word(status: Status, tested: Collection[str], uploaded: Collection[str]) -> str:
    """The state of a build as glyph and word.

    ``tested`` and ``uploaded`` have the SHA-256 of archives: see ``tested_digests`` and
    ``uploaded_digests`` of the records.
    """
    if status.state in CHECKED and status.sha256 in uploaded:
        return "◆ uploaded"
    if status.state == "ready" and status.sha256 in tested:
        return "◆ tested"
    return f"{MARKS[status.state]} {WORDS[status.state]}"


def lost(build: Build, status: Status) -> str:
    """What happened to the archive since it was checked, and what to do; "" if nothing did."""
    archive = shlex.quote(status.archive)
    texts = {
        "changed": f"was changed since it was checked; check it again: zwizard check {archive}",
        "missing": f"is missing; make it again from the cache: zwizard resume {build.id}",
    }
    return texts.get(status.state, "")


def everything(*, as_json: bool) -> str:
    """All builds, the latest first."""
    found = [(build, status.of(build)) for build in builds.everything()]
    tested, uploaded = records.tested_digests(), uploads.uploaded_digests()
    if as_json:
        entries = [status.summary(*one) | _reached(one[1], tested, uploaded) for one in found]
        return document({"builds": entries}) + "\n"
    if not found:
        return "no builds yet; `zwizard` starts one\n"
    now = time.time()
    return "".join(
        f"{word(state, tested, uploaded):<14} {build.id:<20} {what(builds.recipe_of(build)):<26}"
        f" {where(state):<18} {ago(state.at or now, now)}\n"
        for build, state in found
    )


def one(build: Build, *, as_json: bool) -> str:
    """One build, with its steps."""
    recipe, state = builds.recipe_of(build), status.of(build)
    if as_json:
        reached = _reached(state, records.tested_digests(), uploads.uploaded_digests())
        return document(status.details(build, state) | reached) + "\n"
    lines = [f"{build.id}: {what(recipe)}, {WORDS[state.state]}"]
    lines += [
        f"  {MARKS[step.state]} {step.name:<14} {WORDS[step.state]:<14}"
        f" {duration(step.seconds) if step.seconds else '':>12}"
        f" {size(step.bytes) if step.bytes else '':>12}"
        for step in state.steps
    ]
    if state.error:
        lines += ["", state.error, state.cause or state.hint]
    try:
        build.recipe()
    except UsageError as error:
        lines += ["", error.message, error.hint]
    if state.archive:
        lines += ["", f"archive    {state.archive}"]
        lines += [f"           {text}"] if (text := lost(build, state)) else []
        lines += [f"sha256     {state.sha256}"]
        if state.state in CHECKED and (record := records.last_test_of(state.sha256)):
            lines.append(f"boot test  {records.describe(record, time.time())}")
        if state.state in CHECKED and (upload := uploads.last_upload_of(state.sha256)):
            lines.append(f"uploaded   {uploads.describe(upload, time.time())}")
        if state.note:
            lines.append(f"deploy     {state.note}")
    lines += ["", f"build      {build.directory}"]
    return sanitise("\n".join(lines)) + "\n"


def _reached(
    state: Status, tested: Collection[str], uploaded: Mapping[str, UploadRecord]
) -> dict[str, object]:
    """What is known of exactly these bytes: whether they are tested, and where uploaded."""
    upload = uploaded.get(state.sha256) if state.state in CHECKED else None
    return {
        "tested": state.state == "ready" and state.sha256 in tested,
        "uploaded": upload.to_json() if upload else None,
    }


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
            # What a progress display overwrote is not part of the log.
            yield one_line(line.rstrip("\r\n").rpartition("\r")[2])


def doctor(*, as_json: bool) -> str:
    """Which tools there are, which are missing, and with what privilege a build runs."""
    data = tools.report()
    if as_json:
        return document(data) + "\n"
    missing = data["missing"]
    lines = [
        f"{'✗ missing' if tool.name in missing else '✓ found  '}  {tool.name:<18} {tool.purpose}"
        for tool in tools.TOOLS.values()
    ]
    lines += ["", f"Builds run as: {data['description']}"]
    if reason := data["shared_network"]:
        lines += [f"Programs of an image share this machine's network in a build: {reason}"]
    if data["remedy"]:
        lines.append(f"  {data['remedy']}")
    if missing:
        command = tools.install_command(missing)
        lines += ["", f"To install: {command}", "or: zwizard doctor --install"]
    return "\n".join(lines) + "\n"
