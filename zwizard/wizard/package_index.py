"""The package index of an archive, downloaded once a day and cached.

For suggestions only. An index of apt's is checked against its InRelease, whose signature the build
verifies; one of pacman's is not checked, as the build verifies each package.
"""

import contextlib
import hashlib
import json
import lzma
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from zwizard.steps import programs
from zwizard.util import paths, state_files
from zwizard.util.errors import ZwizardError
from zwizard.util.state_files import DamagedError
from zwizard.util.text import one_line
from zwizard.util.units import MIB
from zwizard.wizard.suggestions.package_catalogue import PackageCatalogue

DAY = 86400.0  # seconds for which a list is used without asking again
_PART = "{}/binary-amd64/Packages.xz"
_MOST = 64 * MIB  # bytes of a compressed index
_MOST_UNPACKED = 512 * MIB
_MOST_STANZA = MIB
_PATIENCE = {"STALLED": "10", "TRIES": "2"}  # seconds without a byte; of fetch.sh
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]*")
_FIELD = re.compile(rb"^(Package|Version|Description|Provides): *(.*)$", re.MULTILINE)
_ENTRY = re.compile(rb"^%(NAME|VERSION|DESC|PROVIDES)%\n((?:.+\n)*)", re.MULTILINE)
_SUMMARY = 90  # characters of a summary that are kept


def load(mirror: str, suite: str, components: tuple[str, ...]) -> PackageCatalogue | None:
    """The list in the cache, however old; None if there is none that can be read."""
    try:
        file = _cached(mirror, suite, components)
        head, *lines = state_files.read(file, "Read the list again.").split("\n")[:-1]
        data = json.loads(head)
        if any(line.count("\t") != 2 for line in lines):
            return None
        return PackageCatalogue(_called(suite), float(data["read"]), tuple(lines))
    except (OSError, DamagedError, ValueError, KeyError, TypeError):
        return None


def fetch(mirror: str, suite: str, components: tuple[str, ...]) -> PackageCatalogue:
    """The list as ``mirror`` has it now, kept in the cache; ZwizardError if it cannot be read.

    Without a ``suite`` it is pacman's, and ``components`` are its repositories.
    """
    base = mirror.removesuffix("/$repo/os/$arch").rstrip("/")
    base = f"{base}/dists/{suite}" if suite else base
    try:
        lines = _of_suite(base, components) if suite else _of_repositories(base, components)
    except (OSError, ValueError, EOFError, tarfile.TarError) as error:
        raise ZwizardError(one_line(f"{base}: {error}")) from None
    real = {line.partition("\t")[0] for line in lines if not line.endswith("\t\t")}
    whole = (line for line in lines if not line.endswith("\t\t") or line[:-2] not in real)
    found = PackageCatalogue(_called(suite), time.time(), tuple(sorted(whole)))
    _keep(_cached(mirror, suite, components), found)
    return found


def fetch_apart(mirror: str, suite: str, components: tuple[str, ...]) -> PackageCatalogue:
    """The same in another process, so that it does not slow down the screens of this one."""
    done = subprocess.run(
        [sys.executable, "-m", "zwizard.wizard.package_index", mirror, suite, *components],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        check=False,
    )
    found = load(mirror, suite, components)
    if done.returncode != 0 or found is None:
        message = one_line(done.stderr.strip()) or f"{paths.cache()}: cannot write the list"
        raise ZwizardError(message)
    return found


def _cached(mirror: str, suite: str, components: tuple[str, ...]) -> Path:
    name = hashlib.sha256("\n".join((mirror, suite, *components)).encode()).hexdigest()[:32]
    return paths.cache() / "lists" / name


def _keep(file: Path, found: PackageCatalogue) -> None:
    head = json.dumps({"suite": found.suite, "read": found.read})
    try:
        state_files.write(file, "".join(f"{line}\n" for line in (head, *found.lines)))
    except OSError:
        return  # with a full disk the next reader downloads it again


@contextlib.contextmanager
def _open(url: str, most: int = _MOST) -> Iterator[IO[bytes]]:
    """The file at ``url``, downloaded as a build does, but for someone who waits for it."""
    with tempfile.TemporaryDirectory(prefix="zwizard-list-") as place:
        file = Path(place) / "file"
        script = f'{programs.script("fetch.sh")}\ntake "$(cat)" "$1" "$2"'
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script, "take", file, str(most)],
            input=url,  # not an argument: it may hold a password
            env={**os.environ, **_PATIENCE},
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode != 0:
            raise ZwizardError(one_line((done.stderr.splitlines() or [""])[-1]))
        with file.open("rb") as opened:
            yield opened


def _called(suite: str) -> str:
    return suite or "the archive"


def _lines(name: str, version: str, summary: str, provided: Iterable[str]) -> Iterator[str]:
    """The lines of a catalogue for one package and for what it provides."""
    if _NAME.fullmatch(name) and (version := one_line(version)):
        yield f"{name}\t{version}\t{one_line(summary)[:_SUMMARY]}"
    yield from (f"{word}\t\t" for word in provided if _NAME.fullmatch(word))


# --- pacman: a tar a repository, with a directory a package ---


def _of_repositories(base: str, repositories: tuple[str, ...]) -> set[str]:
    lines: set[str] = set()
    for name in repositories:
        url, read = f"{base}/{name}/os/x86_64/{name}.db", 0
        with _open(url) as answer, tarfile.open(fileobj=answer, mode="r|*") as database:
            for member in database:
                read += member.size
                if read > _MOST_UNPACKED or member.size > _MOST_STANZA:
                    raise ValueError(f"{name}.db grows beyond any known archive's")
                file = database.extractfile(member) if member.name.endswith("/desc") else None
                lines.update(_of_desc(file.read()) if file else ())
    return lines


def _of_desc(desc: bytes) -> Iterator[str]:
    fields = {name: text.decode("utf-8", "replace") for name, text in _ENTRY.findall(desc)}
    name, version, summary = (fields.get(f, "").strip() for f in (b"NAME", b"VERSION", b"DESC"))
    provided = fields.get(b"PROVIDES", "").split()
    return _lines(name, version, summary, (word.partition("=")[0] for word in provided))


# --- apt: an index a component, whose SHA-256 is in InRelease ---


def _of_suite(base: str, components: tuple[str, ...]) -> set[str]:
    with _open(f"{base}/InRelease", 4 * MIB) as answer:
        release = answer.read().decode("utf-8", "replace").partition("\nSHA256:\n")[2]
    lines: set[str] = set()
    for part in map(_PART.format, components):
        for stanza in _unpacked(base, part, release).split(b"\n\n"):
            if len(stanza) > _MOST_STANZA:
                raise ValueError(f"{part} is not a list of packages")
            lines.update(_of_stanza(stanza))
    return lines


def _of_stanza(stanza: bytes) -> Iterator[str]:
    found = {field: value.decode("utf-8", "replace") for field, value in _FIELD.findall(stanza)}
    name, version, summary = (found.get(f, "") for f in (b"Package", b"Version", b"Description"))
    provided = re.findall(r"(?:^|,)\s*([^\s,]+)", found.get(b"Provides", ""))
    return _lines(name, version, summary, provided)


def _unpacked(base: str, part: str, release: str) -> bytes:
    """The index, which must be the one that ``release`` names, by its SHA-256 and size."""
    found = re.search(rf"^ ([0-9a-f]{{64}}) +(\d+) {re.escape(part)}$", release, re.MULTILINE)
    if not found:
        raise ValueError(f"InRelease names no {part}")
    size = int(found[2])
    if size > _MOST:
        raise ValueError(f"{part} has {size} bytes, more than any known archive's")
    with _open(f"{base}/{part}") as answer:
        packed = answer.read()
    if len(packed) != size or hashlib.sha256(packed).hexdigest() != found[1]:
        raise ValueError(f"{part} is not the one that InRelease names; the mirror may be updating")
    decompressor = lzma.LZMADecompressor()
    try:
        unpacked = decompressor.decompress(packed, _MOST_UNPACKED)
    except lzma.LZMAError:
        raise ValueError(f"{part} is damaged") from None
    if not decompressor.eof:
        raise ValueError(f"{part} is cut, or grows beyond any known archive's")
    return unpacked


def main(arguments: list[str]) -> int:
    """Fetch the list of MIRROR, SUITE and COMPONENTS into the cache; 0 if that went well."""
    mirror, suite, *components = arguments
    try:
        fetch(mirror, suite, tuple(components))
    except ZwizardError as error:
        sys.stderr.write(error.message)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
