"""The shared libraries of a program, searched for as glibc's or musl's dynamic loader does."""

from __future__ import annotations

import posixpath
import re
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from zwizard.image.executables.elf import Elf, read_elf
from zwizard.image.tree import Entry, FileTree

_CACHE = "/etc/ld.so.cache"
_CACHE_BYTES = 4 << 20
_CACHE_MAGIC = b"glibc-ld.so.cache1.1"
_CACHE_HEADER = 48
_LIBC6_X86_64 = 0x303  # the flags of an entry for glibc on x86-64 (sysdeps/generic/ldconfig.h)
_MUSL_PATH = "/etc/ld-musl-x86_64.path"
_MUSL_DIRECTORIES = "/lib:/usr/local/lib:/usr/lib"
# Names that musl's loader stands for itself (ldso/dynlink.c, load_library).
_MUSL_OWN = re.compile(r"lib(?:c|pthread|rt|m|dl|util|xnet)\.")
_DIRECTORIES = ("/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64",
                "/lib", "/usr/lib")  # fmt: skip
_DIRECTORY = re.compile(rb"/[\w./+-]*/\Z")
_TOKEN = re.compile(r"\$(?:\{(\w+)\}|(ORIGIN|LIB|PLATFORM))")
_LOADER_BYTES = 4 << 20
_TEXT = 64 << 10
_MOST = 512  # libraries of one program

READS = (
    "/lib/*.so*", "/lib/x86_64-linux-gnu/*.so*", "/lib64/*.so*",
    "/lib/systemd/*.so", "/lib/x86_64-linux-gnu/systemd/*.so", "/lib64/systemd/*.so",
    _CACHE, _MUSL_PATH,
)  # fmt: skip
"""Where distributions put the libraries of what starts first, and what leads to them."""


@dataclass(frozen=True)
class _Object:
    """A program or library in memory: where it is, and which one needs it."""

    path: str
    elf: Elf
    needed_by: _Object | None = None

    @property
    def above(self) -> Iterator[_Object]:
        """It, what needs it, what needs that, up to the program."""
        at: _Object | None = self
        while at is not None:
            yield at
            at = at.needed_by


class _Place(NamedTuple):
    """A file that a loader finds: the path that it uses ($ORIGIN is there), and the file."""

    path: str
    file: Entry


_Search = Callable[[_Object, str, str], Iterator[str]]


class Libraries:
    """The shared libraries of a tree, each read once.

    ``readable`` is why the program's user cannot read the file at a path, "" if it can.
    """

    def __init__(self, tree: FileTree, readable: Callable[[str], str]) -> None:
        self._tree = tree
        self._readable = readable
        self._read: dict[str, Elf | None] = {}
        self._system: dict[str, tuple[str, ...]] = {}

    def missing(self, program: Entry, elf: Elf, loader: Entry, directories: str = "") -> str:
        """The first thing that the loader does not find, in words; "" if all is there.

        ``directories`` is LD_LIBRARY_PATH. Raises UnreadableError.
        """
        musl = "musl" in loader.name or "musl" in elf.loader
        search = self._musl if musl else self._glibc(loader)
        main = _Object(program.path, elf)
        there = dict.fromkeys((loader.name, posixpath.basename(elf.loader)), self._elf(loader))
        pending = [main]
        while pending:
            wanted = [(one, name) for one in pending for name in one.elf.libraries]
            places = {
                (one.path, name): tuple(self._places(one, name, search, directories))
                for one, name in wanted
                if name not in there
            }
            self._tree.prepare([place.file for found in places.values() for place in found[:1]])
            pending = []
            for one, name in wanted:
                if name in there or (musl and _MUSL_OWN.match(name)):
                    continue
                found = next(filter(self._usable, places[one.path, name]), None)
                if found is None:
                    return self._why(one, name, places[one.path, name])
                if fault := self._readable(found.path):
                    return f"{one.path} needs {name}: {fault}"
                library = self._elf(found.file)
                if library is None:
                    return f"{one.path} needs {name}: {found.path} is not an ELF library"
                if library.end > library.size:
                    return f"{one.path} needs {name}: {found.path} is truncated"
                there |= {name: library, library.dynamic.name: library}
                pending.append(_Object(found.path, library, one))
                if len(there) > _MOST:
                    return f"{program.path} needs more than {_MOST} libraries"
            if fault := "" if musl else self._versions([main, *pending], there):
                return fault
        return ""

    def _why(self, one: _Object, name: str, places: tuple[_Place, ...]) -> str:
        if not places:
            return f"{one.path} needs {name}, which is not where its loader searches"
        other = self._elf(places[0].file)
        return f"{one.path} needs {name}: {places[0].path} is {other.words if other else 'none'}"

    def _versions(self, objects: list[_Object], there: Mapping[str, Elf | None]) -> str:
        """The first symbol version that a library does not have, as glibc's loader checks it."""
        for one in objects:
            for name, version in one.elf.dynamic.requires:
                library = there.get(name)
                if library is None or not library.dynamic.provides:
                    continue
                if version not in library.dynamic.provides:
                    return f"{one.path} needs {version}, which the image's {name} does not have"
        return ""

    def _usable(self, place: _Place) -> bool:
        """Whether a search ends with this file: one for another processor is passed over."""
        elf = self._elf(place.file)
        return elf is None or elf.x86_64

    def _places(
        self, one: _Object, name: str, search: _Search, environment: str
    ) -> Iterator[_Place]:
        """The files that a loader tries for ``name``, in order."""
        if "/" in name:
            paths: Iterator[str] = iter(_expanded(name, one.path))
        else:
            paths = (f"{place or '.'}/{name}" for place in search(one, environment, name))
        for path in paths:
            found = self._tree.resolve(path).file
            if found is not None:
                yield _Place(posixpath.normpath(path), found)

    def _musl(self, one: _Object, environment: str, name: str) -> Iterator[str]:
        """ldso/dynlink.c: the environment, RPATH and RUNPATH of all above, the system's list."""
        del name
        yield from re.split("[:\n]", environment) if environment else ()
        for above in one.above:
            paths = above.elf.dynamic.runpath or above.elf.dynamic.rpath
            yield from _directories(paths, above.path)
        yield from re.split("[:\n]", self._musl_directories)

    @cached_property
    def _musl_directories(self) -> str:
        if self._tree.resolve(_MUSL_PATH).file is None:
            return _MUSL_DIRECTORIES
        return self._tree.read(_MUSL_PATH, _TEXT).decode("utf-8", "surrogateescape").strip()

    def _glibc(self, loader: Entry) -> _Search:
        system = self._system_directories(loader)

        def search(one: _Object, environment: str, name: str) -> Iterator[str]:
            """elf/dl-load.c, _dl_map_object."""
            if not one.elf.dynamic.runpath:
                for above in one.above:
                    if not above.elf.dynamic.runpath:
                        yield from _directories(above.elf.dynamic.rpath, above.path)
            yield from _directories(environment.replace(";", ":"), one.path)
            yield from _directories(one.elf.dynamic.runpath, one.path)
            if cached := self._cache.get(name):
                yield posixpath.dirname(cached)
            yield from system

        return search

    def _system_directories(self, loader: Entry) -> tuple[str, ...]:
        """The directories that are built into glibc's loader, which distributions change."""
        if loader.path not in self._system:
            with self._tree.open_entry(loader) as file:
                self._system[loader.path] = _built_in(file.read(_LOADER_BYTES))
        return self._system[loader.path]

    @cached_property
    def _cache(self) -> Mapping[str, str]:
        """What ldconfig found: the path of each library (elf/cache.c, dl-cache.h)."""
        if self._tree.resolve(_CACHE).file is None:
            return {}
        data = self._tree.read(_CACHE, _CACHE_BYTES)
        data = data[max(data.find(_CACHE_MAGIC), 0) :]
        if not data.startswith(_CACHE_MAGIC) or len(data) < _CACHE_HEADER:
            return {}
        (count,) = struct.unpack_from("<I", data, len(_CACHE_MAGIC))
        table = data[_CACHE_HEADER : _CACHE_HEADER + count * 24]
        entries = struct.iter_unpack("<iIIIQ", table[: len(table) // 24 * 24])
        return {
            _text(data, key): _text(data, value)
            for flags, key, value, _, capabilities in entries
            if flags == _LIBC6_X86_64 and not capabilities
        }

    def _elf(self, file: Entry) -> Elf | None:
        if file.path not in self._read:
            with self._tree.open_entry(file) as opened:
                self._read[file.path] = read_elf(opened)
        return self._read[file.path]


def _directories(paths: str, path: str) -> Iterator[str]:
    """The directories in ``paths``, written in the object at ``path``; nothing for ""."""
    for place in paths.split(":") if paths else ():
        yield from _expanded(place, path)


def _expanded(place: str, path: str) -> tuple[str, ...]:
    """``place`` with the loader's tokens replaced (ld.so(8)); $LIB has one of three values."""
    libs = ("lib/x86_64-linux-gnu", "lib64", "lib") if "LIB" in place else ("",)
    values = {"ORIGIN": posixpath.dirname(path), "PLATFORM": "x86_64"}

    def one(lib: str) -> str:
        return _TOKEN.sub(lambda m: {**values, "LIB": lib}.get(m[1] or m[2], m[0]), place)

    return tuple(map(one, libs))


def _text(data: bytes, offset: int) -> str:
    end = data.find(b"\x00", offset)
    return data[offset : max(end, offset)].decode("utf-8", "surrogateescape")


def _built_in(loader: bytes) -> tuple[str, ...]:
    """The directories in a loader's text: the longest row of paths that end with a slash."""
    longest: list[bytes] = []
    row: list[bytes] = []
    for word in loader.split(b"\x00"):
        found = _DIRECTORY.search(word) if word[-1:] == b"/" and b"/lib" in word else None
        if found is not None:
            row.append(found[0])
            longest = max(longest, row, key=len)
        elif row:
            row = []
    return tuple(word.decode("ascii").rstrip("/") for word in longest) or _DIRECTORIES
