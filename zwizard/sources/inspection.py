"""What the files are that a recipe, or answers to its questions, name: inspected once."""

import os
import re
from pathlib import Path

from zwizard import sources
from zwizard.recipe.relevance import SOURCES, Values
from zwizard.sources.base import FileKind, InputReport
from zwizard.sources.file_cache import FileCache
from zwizard.sources.kernel_files import inspect_initrd, inspect_kernel
from zwizard.util.text import one_line

LOCATION, KERNEL, INITRD = "source.location", "kernel.file", "kernel.initrd"
FILES = (LOCATION, KERNEL, INITRD)
"""The keys that name a file which is inspected."""

_BESIDE = {
    KERNEL: FileKind(
        inspect=inspect_kernel, slow=True, names=re.compile(r"vmlinu|bzimage|kernel")
    ),
    INITRD: FileKind(inspect=inspect_initrd, slow=True, names=re.compile(r"initr")),
}
_reports = FileCache[InputReport](64)


def report(values: Values, key: str = LOCATION, *, wait: bool = True) -> InputReport:
    """What the file is that ``key`` names, from the working directory; nothing of a URL.

    Without ``wait`` the report says so where inspecting takes a while and was not done yet.
    """
    file = file_of(values, key)
    if file is None:
        return InputReport()
    if not wait and takes_long(values, key):
        return InputReport("Inspecting the file …")
    return inspect(kind_of(values, key), file)


def takes_long(values: Values, key: str = LOCATION) -> bool:
    """Whether the file that ``key`` names was not inspected yet, and that takes a while."""
    file, kind = file_of(values, key), kind_of(values, key)
    return file is not None and record(kind).slow and file.exists() and not is_known(values, key)


def is_known(values: Values, key: str = LOCATION) -> bool:
    """Whether the file that ``key`` names was inspected already."""
    file = file_of(values, key)
    return file is not None and _reports.has(kind_of(values, key), file)


def file_of(values: Values, key: str = LOCATION) -> Path | None:
    """The path that ``key`` names, if it names one."""
    location = values.get(key, "").strip()
    if not location or "://" in location:
        return None
    try:
        return Path(location).expanduser().absolute()
    except RuntimeError:
        return None  # a "~" of no user, which is reported elsewhere


def kind_of(values: Values, key: str) -> str:
    """What the file of ``key`` should be: a kind of source, or ``key`` itself."""
    return str(values.get("source.kind", "")) if key == LOCATION else key


def record(kind: str) -> FileKind:
    """The record of a kind of source, or of the file of a key; an empty one for other kinds."""
    return _BESIDE.get(kind) or (sources.of(kind) if kind in SOURCES else FileKind())


def may_be(kind: str, file: Path) -> bool:
    """Whether ``file`` is worth offering for this ``kind``, by its name or by its mode.

    Its content is inspected once it is chosen.
    """
    names = record(kind).names
    return bool(names.search(file.name.lower())) if names else os.access(file, os.X_OK)


def inspect(kind: str, file: Path) -> InputReport:
    """What ``file`` is to a source of this ``kind``, or to the key; nothing of other kinds."""
    look = record(kind).inspect
    if look is None:
        return InputReport()
    try:
        return _reports.get(kind, file, look)
    except OSError as error:
        return InputReport(wrong=one_line(f"{file}: {error.strerror or error}"))
