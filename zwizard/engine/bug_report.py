"""A bug report about a build in one file, without anything private."""

import io
import json
import os
import platform
import sys
import tarfile
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from zwizard import __version__
from zwizard.engine import builds, redact, status
from zwizard.engine.builds import Build
from zwizard.engine.redact import Redactor
from zwizard.engine.sandbox import environment
from zwizard.host import tools
from zwizard.jobs import journal
from zwizard.steps.step import Plan
from zwizard.util import paths, places, user_files
from zwizard.util.documents import document
from zwizard.util.text import size
from zwizard.util.units import MIB

_MOST = 4 * MIB  # bytes of one log: half from its beginning, half from its end
_LIBRARIES = ("textual", "rich", "questionary", "sh", "humanize", "platformdirs", "click")

_ABOUT = """\
A bug report about the zwizard build {build}, made by `zwizard bundle`.

{files}
Removed as far as they were recognised: the names of user and host, the home directory, names and
passwords in URLs, and values beside words such as password, token or key. Read it before you send
it: only you know what else is private.
"""


@dataclass(frozen=True)
class Bundle:
    """The file that was made, and what each file in it is."""

    path: Path
    files: tuple[tuple[str, str], ...]


def make(build: Build, directory: Path) -> Bundle:
    """Write the report of ``build`` to ``directory``, or beside the builds if that is read-only.

    Only this user can read the file.
    """
    texts = _texts(build)
    redactor = _redactor(build)
    cleaned = {name: (what, redactor.clean(text)) for name, (what, text) in texts.items()}
    listed = "".join(f"  {name:<28} {what}\n" for name, (what, _) in cleaned.items())
    about = redactor.clean(_ABOUT.format(build=build.id, files=listed))
    everything = {"README.txt": ("what this is", about), **cleaned}
    stamp = time.strftime("%Y%m%d-%H%M%S")
    place = directory if os.access(directory, os.W_OK | os.X_OK) else builds.directory()
    names = paths.numbered(f"{build.id}-report-{stamp}")
    path = next(p for name in names if not os.path.lexists(p := place / f"{name}.tar.gz"))
    packed = _pack(path, {name: text for name, (_, text) in everything.items()})
    user_files.here().write(path, packed, mode=0o600)
    return Bundle(path, tuple((name, what) for name, (what, _) in everything.items()))


def describe(bundle: Bundle) -> str:
    """The file and its contents as text."""
    lines = [f"saved to {bundle.path} ({size(bundle.path.stat().st_size)}); contents:"]
    lines += [f"  {name:<28} {what}" for name, what in bundle.files]
    return "\n".join([*lines, "Names, paths and secrets are removed; read it before you send it."])


def _redactor(build: Build) -> Redactor:
    """A redactor that knows the secrets in the recipe and in the proxies."""
    redactor = Redactor(redact.here())
    redactor.learn(_read(build.recipe_file))
    if recipe := builds.recipe_of(build):
        for command in recipe.system.run:
            redactor.learn(command)
        for name, value in recipe.container.env.items():
            redactor.learn(f'{name}="{value}"')
    for value in environment(Plan("", "", (), ())).values():
        redactor.learn(value)
    return redactor


def _texts(build: Build) -> dict[str, tuple[str, str]]:
    state = status.details(build, status.of(build))
    found = {
        "versions.txt": ("versions and the machine", _versions()),
        "doctor.json": ("tools and privilege of this host", document(tools.report())),
        "status.json": ("the status of the build", document(state)),
    }
    for path, what in (
        (build.recipe_file, "the recipe"),
        (build.report_file, "the checklist's report"),
        (build.log, "output of the build process itself"),
    ):
        if path.exists():
            found[path.name] = (what, _read(path))
    found["journal.jsonl"] = ("the events", _journal(build))
    for log in sorted((build.directory / "logs").glob("*.log")):
        found[f"logs/{log.name}"] = ("the log of a step", _read(log))
    return found


def _journal(build: Build) -> str:
    events = journal.replay(build.journal)
    return "".join(json.dumps(event.to_json(), ensure_ascii=False) + "\n" for event in events)


def _read(path: Path) -> str:
    """A text file without its middle if it is very long."""
    with path.open("rb") as file:
        length = os.fstat(file.fileno()).st_size
        if length <= _MOST:
            return file.read().decode("utf-8", "replace")
        head = file.read(_MOST // 2)
        file.seek(length - _MOST // 2)
        tail = file.read()
    left_out = f"\n[… {length - len(head) - len(tail)} bytes left out …]\n"
    return head.decode("utf-8", "replace") + left_out + tail.decode("utf-8", "replace")


def _versions() -> str:
    facts: dict[str, Any] = {
        "zwizard": __version__,
        "python": sys.version.replace("\n", " "),
        **{name: _version(name) for name in _LIBRARIES},
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "distribution": _distribution(),
        "processors": os.cpu_count(),
        "free": size(places.free_space(paths.cache())),
        "terminal": os.environ.get("TERM", ""),
        "locale": os.environ.get("LC_ALL") or os.environ.get("LANG", ""),
    }
    return "".join(f"{name:<14} {value}\n" for name, value in facts.items())


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        return "unknown"


def _pack(path: Path, texts: dict[str, str]) -> bytes:
    """A tar.gz of these files in one directory called as ``path``, owned by root."""
    folder, packed = path.name.removesuffix(".tar.gz"), io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in texts.items():
            data = text.encode("utf-8", "replace")
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size, member.mtime = len(data), int(time.time())
            archive.addfile(member, io.BytesIO(data))
    return packed.getvalue()
