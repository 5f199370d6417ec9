"""The events of journals: what each one says, and which of them end a job.

Times are in seconds since 1970 (``at``) or durations (``seconds``); sizes are in bytes.
"""

from __future__ import annotations

import functools
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar, dataclass_transform, get_origin, get_type_hints

EVENTS: dict[str, type[Event]] = {}


@dataclass_transform(kw_only_default=True, frozen_default=True)
@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened; ``at`` is 0 until the event is in a journal."""

    name: ClassVar[str] = ""
    synced: ClassVar[bool] = True  # on the disk before the job continues

    at: float = 0.0

    def __init_subclass__(cls, *, name: str = "") -> None:
        dataclass(frozen=True, kw_only=True)(cls)
        if name:
            cls.name = name
            EVENTS[name] = cls

    def to_json(self) -> dict[str, Any]:
        """The event as plain data."""
        return {"event": self.name, **asdict(self)}


def parse(data: object) -> Event | None:
    """The event that a line of a journal holds; None if it is not one of these."""
    if not isinstance(data, dict) or (kind := EVENTS.get(str(data.get("event")))) is None:
        return None
    types = _types(kind.name)
    values = {name: data[name] for name in types if name in data}
    if "at" not in data or not all(isinstance(values[name], types[name]) for name in values):
        return None
    try:
        return kind(**values)
    except TypeError:
        return None  # a field is missing


@functools.cache
def _types(name: str) -> dict[str, tuple[type, ...]]:
    """The fields of the events called ``name``, with what JSON may hold in each."""
    kind = EVENTS[name]
    hints = get_type_hints(kind)
    plain = {item.name: hints[item.name] for item in fields(kind)}
    return {
        name: (int, float) if hint is float else (get_origin(hint) or hint,)
        for name, hint in plain.items()
    }


# --- ends of any job -----------------------------------------------------------------------------


class Last(Event):
    """An event that ends a job."""

    @property
    def exit_code(self) -> int:
        """The exit code that it means."""
        return 1


class Failed(Last):
    """The job could not be done: why, and what to do."""

    error: str
    hint: str = ""
    code: int = 1

    @property
    def exit_code(self) -> int:
        """As the error says."""
        return self.code


class Cancelled(Last):
    """The user stopped the job."""

    exit_code = 130  # that of an interrupt


class Interrupted(Last):
    """The job's process ended before the job did."""

    error: str = "The process died (killed, or the host went down)."
    hint: str = ""


# --- builds --------------------------------------------------------------------------------------


class BuildStarted(Event, name="build-started"):
    """A build started or resumed; each step has a ``name`` and a ``title``."""

    steps: list[dict[str, str]]


class StepCached(Event, name="step-cached"):
    """A step's layer exists; it took ``seconds`` to make, ``age`` seconds ago."""

    step: str
    seconds: float
    bytes: int
    age: float = 0.0


class StepWaiting(Event, name="step-waiting"):
    """Another process makes the step's layer (the build ``holder``), or uses an older one."""

    step: str
    holder: str = ""
    log: str = ""

    @property
    def message(self) -> str:
        """What is waited for."""
        if self.holder:
            return f"Waiting for {self.holder}, which is making the same layer."
        return "Waiting until no other build, shell or boot test uses the layer to be replaced."


class LayerDamaged(Event, name="layer-damaged"):
    """A step's cached layer is not as it was made (``evidence``); the step runs again."""

    step: str
    evidence: str


class StepStarted(Event, name="step-started"):
    """A step started; its output goes to ``log``."""

    step: str
    log: str = ""


class StepProgress(Event, name="step-progress"):
    """The running step has ``written`` so many bytes to the disk."""

    synced = False

    step: str
    written: int


class StepFinished(Event, name="step-finished"):
    """A step is done; its layer takes ``bytes``."""

    step: str
    seconds: float
    bytes: int


class StepFailed(Event, name="step-failed"):
    """A step failed; ``tail`` are the last lines of its log."""

    step: str
    seconds: float = 0.0
    tail: str = ""


class CheckStarted(Event, name="check-started"):
    """The checklist started."""


class BuildFinished(Last, name="build-finished"):
    """The archive is made; ``blocks`` counts the ``must`` rules that failed or are unknown.

    ``blocking`` has their ``rule``, ``evidence`` and ``fix``, ``warnings`` those of the ``should``
    rules that failed; ``note`` is the deployment note.
    """

    ready: bool
    build: str = ""
    artefact: str = ""
    archive: str = ""
    sha256: str = ""
    bytes: int = 0
    blocks: int = 0
    blocking: list[dict[str, str]] = field(default_factory=list)
    warnings: list[dict[str, str]] = field(default_factory=list)
    note: str = ""

    @property
    def exit_code(self) -> int:
        """0 if the archive is ready, 3 if not."""
        return 0 if self.ready else 3


class ArchiveChecked(Last, name="archive-checked"):
    """The archive of a finished build was checked again: what it is now, and the verdict."""

    ready: bool
    sha256: str
    bytes: int
    blocks: int

    @property
    def exit_code(self) -> int:
        """0 if the archive is ready, 3 if not."""
        return 0 if self.ready else 3


class BuildFailed(Failed, name="build-failed"):
    """A build failed: by which ``command``, the likely ``cause`` and the recipe's ``key``."""

    cause: str = ""
    key: str = ""
    command: str = ""
    log: str = ""


class BuildCancelled(Cancelled, name="build-cancelled"):
    """The user stopped the build; finished steps are kept."""


class BuildInterrupted(Interrupted, name="build-interrupted"):
    """The build process died; finished steps are kept."""

    error: str = "The build process died (killed, or the host went down)."
    hint: str = "Resume it: finished steps are kept."


# --- boot tests ----------------------------------------------------------------------------------


class BootTestStarted(Event, name="boot-test-started"):
    """A boot test of ``artefact`` started."""

    artefact: str


class BootTestPreparing(Event, name="boot-test-preparing"):
    """A kernel to boot containers with is being made; ``mode`` is the artefact's."""

    mode: str


class BootTestMachine(Event, name="boot-test-machine"):
    """The machine starts: by which accelerator and why, and how it ``differs`` from a node."""

    mode: str
    accelerator: str
    why: str
    differs: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    seconds: float = 0.0


class BootTestRestarted(Event, name="boot-test-restarted"):
    """The machine is started again from the beginning."""

    why: str


class BootTestStage(Event, name="boot-test-stage"):
    """A stage is decided: ``pass``, ``fail`` or ``unknown``, ``seconds`` after the start."""

    stage: str
    outcome: str
    evidence: str = ""
    seconds: float = 0.0


class BootTestFinished(Last, name="boot-test-finished"):
    """The boot test passed, or not: ``reason``, the ``rule`` it breaks and its ``remedy``.

    ``tail`` are the console's last lines, ``printed`` what a container's entrypoint printed.
    """

    passed: bool
    artefact: str = ""
    sha256: str = ""
    seconds: float = 0.0
    reason: str = ""
    rule: str = ""
    remedy: str = ""
    tail: str = ""
    printed: str = ""
    console: str = ""
    report: str = ""

    @property
    def exit_code(self) -> int:
        """0 if it passed."""
        return 0 if self.passed else 1


class BootTestFailed(Failed, name="boot-test-failed"):
    """The boot test could not be carried out."""


class BootTestCancelled(Cancelled, name="boot-test-cancelled"):
    """The user stopped the boot test."""


class BootTestInterrupted(Interrupted, name="boot-test-interrupted"):
    """The boot test's process died."""

    error: str = "The boot test's process died (killed, or the host went down)."
    hint: str = "Start it again; the image is unchanged."


# --- uploads -------------------------------------------------------------------------------------


class UploadStarted(Event, name="upload-started"):
    """An upload of ``artefact`` started: it becomes ``flist`` on ``hub``."""

    artefact: str
    hub: str
    flist: str


class UploadPhase(Event, name="upload-phase"):
    """An upload has reached ``phase``: ``temporary`` is the name under which it is sent.

    Phases: reading, asking, sending, unpacking, polling, waiting, comparing, asking-store,
    publishing, removing.
    ``why``: why it waits, polls or removes.
    """

    phase: str
    temporary: str = ""
    why: str = ""


class UploadProgress(Event, name="upload-progress"):
    """The phase has come to ``done`` of ``total`` bytes."""

    synced = False

    done: int
    total: int


class UploadRemoved(Event, name="upload-removed"):
    """Nothing named ``temporary`` is on the hub any more."""

    temporary: str


class UploadFinished(Last, name="uploaded"):
    """The flist is at ``url``, and holds exactly what the archive holds.

    ``sent`` is false if it was there already; ``chunks`` counts the blocks compared,
    ``stored`` those that the hub's store was asked for and has, each once.
    """

    url: str
    md5: str
    hub: str = ""
    user: str = ""
    flist: str = ""
    artefact: str = ""
    archive_sha256: str = ""
    entries: int = 0
    chunks: int = 0
    unpacked: int = 0
    seconds: float = 0.0
    sent: bool = True
    stored: int = 0
    verified: bool = True
    exit_code = 0


class UploadFailed(Failed, name="upload-failed"):
    """The upload failed; a flist of the same name is as it was. ``differences``: the first."""

    differences: list[dict[str, str]] = field(default_factory=list)


class UploadCancelled(Cancelled, name="upload-cancelled"):
    """The user stopped the upload; nothing of it stays on the hub."""


class UploadInterrupted(Interrupted, name="upload-interrupted"):
    """The upload's process died."""

    error: str = "The upload's process died (killed, or the host went down)."
    hint: str = "Upload again: it resumes, and removes what was left on the hub."
