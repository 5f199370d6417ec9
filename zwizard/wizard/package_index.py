"""The package index of an archive, downloaded once a day and cached.

For suggestions only. An index of apt's is checked against its InRelease, whose signature the build
verifies; one of pacman's is not checked, as the build verifies each package.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import re
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from zwizard.util import paths
from zwizard.util.errors import ZwizardError
from zwizard.util.text import one_line
from zwizard.util.units import MIB
from zwizard.wizard.suggestions.package_catalogue import PackageCatalogue

DAY = 86400.0  # seconds for which a list is used without asking again
_PART = "{}/binary-amd64/Packages.xz"
_MOST = 64 * MIB  # bytes of a compressed index
_MOST_UNPACKED = 512 * MIB
_MOST_STANZA = MIB
_PIECE = 2**16
_PATIENCE = 10.0  # seconds without a byte
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]*")
_FIELD = re.compile(rb"^(Package|Version|Description|Provides): *(.*)$", re.MULTILINE)
_ENTRY = re.compile(rb"^%(NAME|VERSION|DESC|PROVIDES)%\n((?:.+\n)*)", re.MULTILINE)
_SUMMARY = 90  # characters of a summary that are kept


def load(mirror: str, suite: str, components: tuple[str, ...]) -> PackageCatalogue | None:
    """The list in the cache, however old; None if there is none that can be read."""
    try:
        file = _cached(mirror, suite, components)
        head, *lines = file.read_text("utf-8").split("\n")[:-1]
        data = json.loads(head)
        if any(line.count("\t") != 2 for line in lines):
            return None
        return PackageCatalogue(_called(suite), float(data["read"]), tuple(lines))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def fetch(mirror: str, suite: str, components: tuple[str, ...]) -> PackageCatalogue:
    """The list as ``mirror`` has it now, kept in the cache; ZwizardError if it cannot be read.

    Without a ``suite`` it is pacman's, and ``components`` are its repositories.
    """
    from http.client import HTTPException
    from urllib.error import URLError

    base = mirror.removesuffix("/$repo/os/$arch").rstrip("/")
    base = f"{base}/dists/{suite}" if suite else base
    try:
        lines = _of_suite(base, components) if suite else _of_repositories(base, components)
    except URLError as error:
        raise ZwizardError(one_line(f"{base}: {error.reason}")) from None
    except (OSError, HTTPException, ValueError, EOFError, tarfile.TarError) as error:
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
        paths.write_atomically(file, "".join(f"{line}\n" for line in (head, *found.lines)))
    except OSError:
        return  # with a full disk the next reader downloads it again


def _open(url: str) -> IO[bytes]:
    from urllib.request import urlopen  # only when needed: the wizard starts without it

    answer: IO[bytes] = urlopen(url, timeout=_PATIENCE)  # noqa: S310 - http, https or file
    return answer


def _called(suite: str) -> str:
    return suite or "the archive"


def _of_suite(base: str, components: tuple[str, ...]) -> set[str]:
    release = _release(base)
    return set[str]().union(
        *(_read(base, _PART.format(component), release) for component in components)
    )


def _of_repositories(base: str, repositories: tuple[str, ...]) -> set[str]:
    """The lines of a catalogue from pacman's databases: a tar each, with a directory a package."""
    lines: set[str] = set()
    for name in repositories:
        url, read = f"{base}/{name}/os/x86_64/{name}.db", 0
        with _open(url) as answer, tarfile.open(fileobj=answer, mode="r|*") as database:
            for member in database:
                read += member.size
                if read > _MOST_UNPACKED or member.size > _MOST_STANZA:
                    raise ValueError(f"{name}.db grows beyond any known archive's")
                file = database.extractfile(member) if member.name.endswith("/desc") else None
                lines.update(_entry(file.read()) if file else ())
    return lines


def _entry(desc: bytes) -> Iterator[str]:
    fields = {name: text.decode("utf-8", "replace") for name, text in _ENTRY.findall(desc)}
    name, version = fields.get(b"NAME", "").strip(), one_line(fields.get(b"VERSION", "").strip())
    if _NAME.fullmatch(name) and version:
        yield f"{name}\t{version}\t{one_line(fields.get(b'DESC', '').strip())[:_SUMMARY]}"
    for provided in fields.get(b"PROVIDES", "").split():
        if _NAME.fullmatch(word := provided.partition("=")[0]):
            yield f"{word}\t\t"


def _release(base: str) -> str:
    """The SHA-256 sums of the suite's files, as its InRelease has them."""
    with _open(f"{base}/InRelease") as answer:
        text = answer.read(2**22).decode("utf-8", "replace")
    return text.partition("\nSHA256:\n")[2]


def _sum_and_size(part: str, release: str) -> tuple[str, int]:
    """SHA-256 and bytes of a file of the suite."""
    found = re.search(rf"^ ([0-9a-f]{{64}}) +(\d+) {re.escape(part)}$", release, re.MULTILINE)
    if not found:
        raise ValueError(f"InRelease names no {part}")
    if int(found[2]) > _MOST:
        raise ValueError(f"{part} has {found[2]} bytes, more than any known archive's")
    return found[1], int(found[2])


def _read(base: str, part: str, release: str) -> set[str]:
    """The lines of a catalogue from one index, which must be the one that ``release`` names."""
    lines: set[str] = set()
    for stanza in _stanzas(_unpacked(base, part, *_sum_and_size(part, release)), part):
        fields = {name: value.decode("utf-8", "replace") for name, value in _FIELD.findall(stanza)}
        name, version = fields.get(b"Package", ""), one_line(fields.get(b"Version", ""))
        if _NAME.fullmatch(name) and version:
            lines.add(f"{name}\t{version}\t{one_line(fields.get(b'Description', ''))[:_SUMMARY]}")
        for provided in fields.get(b"Provides", "").split(","):
            if (words := provided.split()) and _NAME.fullmatch(words[0]):
                lines.add(f"{words[0]}\t\t")
    return lines


def _unpacked(base: str, part: str, sha256: str, size: int) -> Iterator[bytes]:
    """The index in pieces; ValueError at its end if its SHA-256 or size is another."""
    digest, decompressor, arrived, unpacked = hashlib.sha256(), lzma.LZMADecompressor(), 0, 0
    with _open(f"{base}/{part}") as answer:
        while piece := answer.read(_PIECE):
            digest.update(piece)
            arrived += len(piece)
            if arrived > size:
                break
            while piece or not (decompressor.needs_input or decompressor.eof):
                try:
                    out = decompressor.decompress(piece, _PIECE)
                except (lzma.LZMAError, EOFError):
                    raise ValueError(f"{part} is damaged") from None
                unpacked += len(out)
                if unpacked > _MOST_UNPACKED:
                    raise ValueError(f"{part} grows beyond any known archive's")
                yield out
                piece = b""
    if not decompressor.eof or arrived != size or digest.hexdigest() != sha256:
        raise ValueError(f"{part} is not the one that InRelease names; the mirror may be updating")


def _stanzas(pieces: Iterator[bytes], part: str) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n\n")
        if len(rest) > _MOST_STANZA:
            raise ValueError(f"{part} is not a list of packages")
        yield from whole
    yield rest


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
