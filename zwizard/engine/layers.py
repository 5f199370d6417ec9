"""The store of finished layers: a layer exists completely or not at all."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from zwizard.jobs import lock
from zwizard.util import manifest, paths
from zwizard.util.errors import ZwizardError
from zwizard.util.hashing import sha256_of

_POLL = 0.2  # seconds
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
DOWNLOADS = ".downloads"  # among the layers: what was fetched from elsewhere, whole or half
WORKSPACES = ".work"  # among the layers: a directory for each build at work
LOCKS = ".locks"  # among the layers: a lock for each, held by who makes or uses it
ARCHIVE = "archive.tar.gz"  # the file that a packing step leaves, instead of a tree


@dataclass(frozen=True)
class Layer:
    """The record of a finished layer.

    ``whole``: the tree is complete by itself (copied, not laid over its parents). ``bytes`` on
    disk, ``seconds`` it took, ``made`` since 1970, ``below``: when the layer that it was made on
    was made, 0 for none. ``boot``: the boot during which it was made.
    """

    fingerprint: str
    step: str
    whole: bool
    bytes: int
    seconds: float
    made: float
    below: float
    boot: str


class Store:
    """Layers below one directory, by fingerprint.

    A finished layer is renamed into place. Until :meth:`sync` has brought its data to the disk, it
    counts only during the boot that made it, so that no crash can leave half of a layer.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @classmethod
    def of(cls, workspace: Path) -> Store:
        """The store that a workspace belongs to."""
        return cls(workspace.parent.parent)

    def path(self, fingerprint: str) -> Path:
        """Where the layer is, or would be."""
        return self.directory / fingerprint

    def tree(self, fingerprint: str) -> Path:
        """The layer's file tree."""
        return self.path(fingerprint) / "tree"

    def archive(self, fingerprint: str) -> Path:
        """The layer's single file."""
        return self.path(fingerprint) / ARCHIVE

    def get(self, fingerprint: str) -> Layer | None:
        """The layer, or None if it does not exist or is not complete on the disk."""
        layer = self._record(fingerprint)
        return layer if layer and self._durable(layer) else None

    def _record(self, fingerprint: str) -> Layer | None:
        try:
            data = json.loads((self.path(fingerprint) / "layer.json").read_text("utf-8"))
            return Layer(**data)
        except (OSError, ValueError, TypeError):
            return None

    def _durable(self, layer: Layer) -> bool:
        return layer.boot == boot_id() or self._is_synced(layer.fingerprint)

    def _is_synced(self, fingerprint: str) -> bool:
        return (self.path(fingerprint) / "synced").exists()

    def record_damage(self, fingerprint: str) -> str:
        """Why something with the layer's name is no layer, or ""."""
        layer = self._record(fingerprint)
        if not os.path.lexists(self.path(fingerprint)) or (layer and self._durable(layer)):
            return ""
        if layer is None:
            return "its record is missing or damaged"
        return "it was not yet on the disk when the machine stopped"

    def damage(self, fingerprint: str, *, whole: bool) -> str:
        """How the layer differs from what was made, or "".

        Of a tree all is looked at if ``whole``, else its metadata and the contents of a few files.
        Without a sum the build was stopped before it was computed; the archive is whole.
        """
        archive, tree = self.archive(fingerprint), self.tree(fingerprint)
        if archive.exists():
            kept = self.sum_file(fingerprint)
            same = not kept.exists() or sha256_of(archive) == _read(kept)
            return "" if same else "the packed archive has other contents"
        if not tree.is_dir():
            return "its contents are missing"
        return manifest.difference(tree, self.manifest(fingerprint), whole=whole)

    def has_no_manifest_yet(self, fingerprint: str) -> bool:
        """Whether the layer was made, and the process ended before its manifest was written."""
        layer, file = self._record(fingerprint), self.manifest(fingerprint)
        ended = layer is not None and layer.boot == boot_id() and not self._is_synced(fingerprint)
        return ended and self.tree(fingerprint).is_dir() and not file.exists()

    def chain(self, fingerprints: Sequence[str]) -> list[Layer]:
        """The first of these layers, as far as each exists and was made on the one before it."""
        found: list[Layer] = []
        for fingerprint in fingerprints:
            layer = self.get(fingerprint)
            if layer is None or layer.below != (found[-1].made if found else 0.0):
                break
            found.append(layer)
        return found

    def sum_file(self, fingerprint: str) -> Path:
        """The SHA-256 of the layer's single file; it is missing until it has been computed."""
        return self.path(fingerprint) / "sha256"

    def kept_sum(self, fingerprint: str) -> str:
        """What is in :meth:`sum_file`, "" if it is missing."""
        return _read(self.sum_file(fingerprint))

    def keep_sum(self, fingerprint: str, sha256: str) -> None:
        """Keep the SHA-256 of the copy of a layer's single file; ZwizardError for another."""
        if not (kept := self.kept_sum(fingerprint)):
            with self.archive(fingerprint).open("rb") as file:
                os.fsync(file.fileno())
            paths.write_atomically(self.sum_file(fingerprint), sha256)
        elif kept != sha256:
            raise ZwizardError(
                f"the delivered archive, with the SHA-256 {sha256}, is not the packed one, {kept}",
                "Something changed it at once, or the disk is damaged: resume the build.",
            )

    def manifest(self, fingerprint: str) -> Path:
        """The manifest of the layer's tree; it may be missing for a while after a commit."""
        return self.path(fingerprint) / "manifest"

    def lock(self, name: str, *, shared: bool = False) -> int | None:
        """A descriptor that locks a layer (or DOWNLOADS); None if others hold it.

        Alone to make or remove it, or ``shared`` to keep it from being removed.
        """
        (self.directory / LOCKS).mkdir(parents=True, exist_ok=True)
        descriptor = lock.acquire(self.lock_file(name), shared=shared)
        if descriptor is not None:
            os.truncate(descriptor, 0)  # the name of a maker that was killed
        return descriptor

    @contextlib.contextmanager
    def using(self, fingerprints: Sequence[str]) -> Iterator[None]:
        """Keep layers from being changed; raises ZwizardError if one is just being made."""
        with contextlib.ExitStack() as held:
            for fingerprint in fingerprints:
                descriptor = self.lock(fingerprint, shared=True)
                if descriptor is None:
                    maker = _read(self.lock_file(fingerprint)) or "another build"
                    raise ZwizardError(f"{maker} is making a layer of this tree", "Wait for it.")
                held.callback(os.close, descriptor)
            yield

    def lock_file(self, name: str) -> Path:
        """What :meth:`lock` locks; it contains the name of the build that makes the layer."""
        return self.directory / LOCKS / name

    def wait_for_lock(
        self, name: str, waiting: Callable[[str], None], *, shared: bool = False
    ) -> int:
        """As :meth:`lock`; meanwhile ``waiting`` is called with the name of its maker, or ""."""
        while (descriptor := self.lock(name, shared=shared)) is None:
            waiting(_read(self.lock_file(name)))
            time.sleep(_POLL)
        return descriptor

    def work(self, owner: str) -> Path:
        """The workspace of ``owner``, on the file system of the layers."""
        return self.directory / WORKSPACES / owner

    def commit(self, work: Path, layer: Layer) -> None:
        """Make the finished directory ``work`` the layer; if it exists by now, keep that one."""
        (work / "layer.json").write_text(json.dumps(asdict(layer)), "utf-8")
        if self.get(layer.fingerprint) is None:
            self.remove(layer.fingerprint)
        try:
            work.rename(self.path(layer.fingerprint))
        except OSError:
            if self.get(layer.fingerprint) is None:
                raise
            discard(work)

    def sync(self) -> None:
        """Bring every finished layer to the disk, and mark it as lasting."""
        layers = [self.path(layer.fingerprint) for layer in self.all()]
        # Without its manifest a layer counts during this boot only.
        complete = [
            path for path in layers if any((path / n).exists() for n in ("manifest", ARCHIVE))
        ]
        unsynced = [path / "synced" for path in complete if not (path / "synced").exists()]
        if unsynced:
            _sync_filesystem(self.directory)
        for marker in unsynced:
            with contextlib.suppress(FileNotFoundError):  # it was removed meanwhile
                marker.touch()

    def all(self) -> list[Layer]:
        """Every layer that can be trusted, oldest first."""
        if not self.directory.is_dir():
            return []
        names = (entry.name for entry in self.directory.iterdir() if entry.name[0] != ".")
        found = (self.get(name) for name in names)
        return sorted((layer for layer in found if layer), key=lambda layer: layer.made)

    def remove(self, fingerprint: str) -> None:
        """Delete a layer: its name goes first, so that no half of it is ever found."""
        doomed = self.directory / f".gone-{fingerprint}-{os.getpid()}"
        with contextlib.suppress(FileNotFoundError):
            self.path(fingerprint).rename(doomed)
        discard(doomed)


def new_layer(
    fingerprint: str, step: str, tree: Path, *, whole: bool, since: float, below: float = 0.0
) -> Layer:
    """The record of a layer just made in ``tree``, started at the monotonic time ``since``."""
    return Layer(
        fingerprint,
        step,
        whole,
        disk_usage(tree),
        round(time.monotonic() - since, 2),
        time.time(),
        below,
        boot_id(),
    )


def boot_id() -> str:
    """The kernel's id of the running boot."""
    return _BOOT_ID.read_text("ascii").strip()


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8", "replace")
    except OSError:
        return ""


def discard(directory: Path) -> None:
    """Delete a directory tree, or what is in its place; ZwizardError if that fails."""
    done = subprocess.run(  # Python's own way gives up in a deep tree
        ["rm", "-rf", "--", str(directory)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise ZwizardError(f"{directory} cannot be removed: {done.stderr.strip()}")


def disk_usage(path: Path, seconds: float | None = None) -> int:
    """Bytes that ``path`` and everything below it take on the disk.

    Raises TimeoutError if counting takes longer than ``seconds``.
    """
    command = ["du", "--summarize", "--count-links", "--block-size=1", "--", str(path)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"counting what is in {path} takes too long") from None
    return int(done.stdout.split()[0])  # of all that can be read


def _sync_filesystem(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor) != 0:
            raise OSError(ctypes.get_errno(), f"syncfs {directory}")
    finally:
        os.close(descriptor)
