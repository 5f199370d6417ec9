"""OCI images and archives of ``docker save``, a directory or a tar: their configuration.

Only what is needed before it is unpacked; the tool that unpacks it verifies the layers' checksums.
"""

from __future__ import annotations

import json
import posixpath
import re
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from zwizard.image.archive.byte_stream import ArchiveError
from zwizard.image.archive.decompress import decompressed, is_compressed
from zwizard.image.archive.tar_reader import members
from zwizard.image.layered_tree import LayeredTree

_MOST = 1 << 22  # bytes of a manifest or a configuration
_NESTED = 8  # indexes that lead to each other
_UNPACKED = 64 << 30  # bytes of an archive that is packed as a whole
_DIGEST = re.compile(r"(sha256|sha512):([0-9a-f]{64,128})")
_WANTED = ("linux", "amd64")
_SHELLS = {"bin/sh", "usr/bin/sh"}
_NEITHER = (
    "it is neither an OCI image nor what docker save writes (what docker export writes is a root"
    " file system)"
)


class OciError(Exception):
    """Why a file is not an image, or not one for x86-64."""


@dataclass(frozen=True)
class OciImage:
    """An image's settings (OCI image specification, "Image Configuration").

    ``command`` follows the entrypoint unless other arguments are given. ``shell``: one of
    its layers has a /bin/sh.
    """

    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    directory: str
    user: str
    shell: bool


class _Store:
    """The files of an image, whether they lie in a directory or in a tar."""

    def __init__(self, path: Path, tar: tarfile.TarFile | None) -> None:
        self._path = path
        self._tar = tar

    def open(self, name: str) -> BinaryIO | None:
        """The file called ``name``, None if it does not exist."""
        if self._tar is None:
            file = self._path / name
            return file.open("rb") if file.is_file() else None
        for spelling in (name, f"./{name}"):
            try:
                return cast("BinaryIO | None", self._tar.extractfile(spelling))
            except KeyError:
                continue
        return None

    def required(self, name: str, title: str = "") -> BinaryIO:
        """The file called ``name``; raises OciError if it does not exist."""
        file = self.open(name)
        if file is None:
            raise OciError(f"incomplete: {title or name} is missing")
        return file

    def blob(self, described: dict[str, Any]) -> str:
        """The name of the blob that a descriptor describes."""
        found = _DIGEST.fullmatch(described["digest"])
        if not found:
            raise OciError(f"it names a blob by {described['digest']!r}")
        return f"blobs/{found[1]}/{found[2]}"


def read_oci(path: Path) -> OciImage:
    """The configuration of the image at ``path``; raises OciError or OSError."""
    with _understood(), _opened(path) as store:
        return _read(store)


def layered_tree(path: Path) -> LayeredTree:
    """The tree that the layers of the image at ``path`` make; raises OciError or OSError."""
    with _understood(), _opened(path) as store:
        found = LayeredTree(path)
        for layer in _described(store)[1]:
            with store.required(layer, f"the layer {layer}") as file:
                try:
                    found.add_archive(decompressed(file), layer=True)
                except ArchiveError:
                    found.complete = False
        return found


@contextmanager
def _understood() -> Iterator[None]:
    """Turn errors of an image that cannot be read into OciError."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError):
        raise OciError("damaged: the image's description cannot be read") from None
    except (tarfile.TarError, EOFError):
        raise OciError(_NEITHER) from None


@contextmanager
def _opened(path: Path) -> Iterator[_Store]:
    if path.is_dir():
        yield _Store(path, None)
        return
    with path.open("rb") as file, tempfile.TemporaryFile() as room:
        plain: IO[bytes] = file
        if is_compressed(file):  # its description may be last, so it is read several times
            _unpack(file, room)
            plain = room
        with tarfile.open(fileobj=plain, mode="r:") as tar:
            yield _Store(path, tar)


def _unpack(file: BinaryIO, room: IO[bytes]) -> None:
    taken = 0
    try:
        for piece in decompressed(file).pieces():
            taken += len(piece)
            if taken > _UNPACKED:
                raise OciError(f"it unpacks to more than {_UNPACKED >> 30} GiB")
            room.write(piece)
    except ArchiveError as error:
        raise OciError(str(error)) from None
    room.seek(0)


def _described(store: _Store) -> tuple[str, list[str]]:
    """The configuration and the layers of the image, by name."""
    if saved := store.open("manifest.json"):  # of docker save, even if there is an index too
        return _saved(_json(saved))
    return _of_index(store)


def _read(store: _Store) -> OciImage:
    name, layers = _described(store)
    described = _json(store.required(name))
    platform = (described["os"], described["architecture"])
    if platform != _WANTED:
        raise OciError(_other([platform]))
    settings = described.get("config") or {}
    return OciImage(
        _words(settings.get("Entrypoint")),
        _words(settings.get("Cmd")),
        tuple(line.partition("=")[::2] for line in _words(settings.get("Env"))),
        posixpath.normpath(str(settings.get("WorkingDir") or "/")),
        str(settings.get("User") or ""),
        any(_has_shell(store, layer) for layer in layers),
    )


def _saved(saved: list[dict[str, Any]]) -> tuple[str, list[str]]:
    """The configuration and the layers of the one image that docker save wrote."""
    if len(saved) != 1:
        names = [str(name) for image in saved for name in image.get("RepoTags") or ["one"]]
        raise OciError(f"it holds {len(saved)} images ({', '.join(names)}): save the one you mean")
    return saved[0]["Config"], [str(layer) for layer in saved[0]["Layers"]]


def _of_index(store: _Store) -> tuple[str, list[str]]:
    index = store.open("index.json")
    if index is None:
        raise OciError(_NEITHER)
    found = _json(index)["manifests"]
    if len(found) != 1:
        raise OciError(
            f"it holds {len(found)} images: copy the one you mean (skopeo copy --override-arch"
            " amd64)"
        )
    manifest = _json(store.required(store.blob(found[0]), "the image's manifest"))
    for _ in range(_NESTED):
        if "manifests" not in manifest:
            break  # otherwise an index: an image a processor
        platforms = [_platform(described) for described in manifest["manifests"]]
        if _WANTED not in platforms:
            raise OciError(_other(platforms))
        chosen = manifest["manifests"][platforms.index(_WANTED)]
        manifest = _json(store.required(store.blob(chosen), "the image's manifest"))
    layers = [store.blob(described) for described in manifest["layers"]]
    return store.blob(manifest["config"]), layers


def _platform(described: dict[str, Any]) -> tuple[str, str]:
    settings = described.get("platform") or {}
    return settings.get("os", "linux"), settings.get("architecture", "unknown")


def _other(platforms: list[tuple[str, str]]) -> str:
    names = sorted({"/".join(platform) for platform in platforms if "unknown" not in platform})
    return (
        f"it is for {', '.join(names) or 'no known platform'}; the nodes are linux/amd64. Pull it"
        " with --platform linux/amd64"
    )


def _json(file: BinaryIO) -> Any:
    with file:
        return json.loads(file.read(_MOST))


def _words(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()


def _has_shell(store: _Store, layer: str) -> bool:
    """Whether the layer ``layer`` has a shell; one that cannot be read is assumed to have one."""
    with store.required(layer, f"the layer {layer}") as file:
        try:
            names = (member.name.removeprefix("./") for member in members(decompressed(file)))
            return any(name in _SHELLS for name in names)
        except ArchiveError:
            return True
