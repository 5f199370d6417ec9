"""OCI images and archives of ``docker save``, a directory or a tar: configuration and layers."""

import hashlib
import json
import posixpath
import re
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from zwizard.image.archive.byte_stream import ArchiveError, ByteStream
from zwizard.image.archive.decompress import decompressed, is_compressed
from zwizard.image.archive.tar_reader import members
from zwizard.image.layered_tree import LayeredTree

_MOST = 1 << 22  # bytes of a manifest or a configuration
_NESTED = 8  # indexes that lead to each other
_UNPACKED = 64 << 30  # bytes of an archive that is packed as a whole
_DIGEST = re.compile(r"(sha256|sha512):([0-9a-f]{64,128})")
_BLOB = re.compile(r"blobs/(sha256|sha512)/([0-9a-f]+)")
_WANTED = ("linux", "amd64")
_SHELLS = {"bin/sh", "usr/bin/sh"}
_ATTESTS = "vnd.docker.reference.type"  # an annotation
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

    def json(self, name: str, title: str = "") -> Any:
        """The JSON in the file called ``name``; raises OciError if it is not what it is named."""
        with self.required(name, title) as file:
            data = file.read(_MOST)
        if (found := _BLOB.fullmatch(name)) and hashlib.new(found[1], data).hexdigest() != found[
            2
        ]:
            raise OciError(f"damaged: {name} does not have the checksum that names it")
        return json.loads(data)

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
def opened_layers(path: Path) -> Iterator[Iterator[tuple[str, ByteStream]]]:
    """The layers of the image at ``path``, the lowest first: the checksum that each must have
    when it is decompressed, as ``sha256:…``, and its contents. Raises OciError, OSError.
    """
    with _understood(), _opened(path) as store:
        name, layers = _described(store)
        sums = _configuration(store, name)["rootfs"]["diff_ids"]
        if len(sums) != len(layers):
            raise OciError(f"damaged: it has {len(layers)} layers and {len(sums)} checksums")
        yield _decompressed(store, zip(sums, layers, strict=True))


def _decompressed(
    store: _Store, layers: Iterable[tuple[str, str]]
) -> Iterator[tuple[str, ByteStream]]:
    for checksum, layer in layers:
        with store.required(layer, f"the layer {layer}") as file:
            yield checksum, decompressed(file)


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
        saved.close()
        return _saved(store.json("manifest.json"))
    return _of_index(store)


def _configuration(store: _Store, name: str) -> Any:
    """The configuration called ``name``; raises OciError if it is for another platform."""
    described = store.json(name)
    platform = (described["os"], described["architecture"])
    if platform != _WANTED:
        raise OciError(_other([platform]))
    return described


def _read(store: _Store) -> OciImage:
    name, layers = _described(store)
    described = _configuration(store, name)
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
    if index := store.open("index.json"):
        index.close()
    else:
        raise OciError(_NEITHER)
    found = store.json("index.json")
    for _ in range(_NESTED):
        if "manifests" not in found:
            break  # otherwise an index, perhaps of an image a processor
        found = store.json(store.blob(_wanted(found["manifests"])), "the image's manifest")
    layers = [store.blob(described) for described in found["layers"]]
    return store.blob(found["config"]), layers


def _wanted(described: list[dict[str, Any]]) -> dict[str, Any]:
    """The one image for the nodes; beside it may be others, and attestations of BuildKit."""
    images = [
        image
        for image in described
        if _platform(image) != ("unknown", "unknown")
        and _ATTESTS not in (image.get("annotations") or {})
    ]
    if len(images) == 1:
        return images[0]
    fitting = [image for image in images if _platform(image) == _WANTED]
    plain = [image for image in fitting if not image["platform"].get("variant")] or fitting
    if len(plain) == 1:
        return plain[0]
    if not fitting and all(image.get("platform") for image in images):
        raise OciError(_other([_platform(image) for image in images]))
    raise OciError(
        f"it holds {len(images)} images: copy the one you mean (skopeo copy --override-arch amd64)"
    )


def _platform(described: dict[str, Any]) -> tuple[str, str]:
    settings = described.get("platform") or {}
    return settings.get("os", "linux"), settings.get("architecture", "unknown")


def _other(platforms: list[tuple[str, str]]) -> str:
    names = sorted({"/".join(platform) for platform in platforms if "unknown" not in platform})
    return (
        f"it is for {', '.join(names) or 'no known platform'}; the nodes are linux/amd64. Pull it"
        " with --platform linux/amd64"
    )


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
