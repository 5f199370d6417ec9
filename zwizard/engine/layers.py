"""The store of finished layers: a layer exists completely or not at all."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
DOWNLOADS = ".downloads"  # among the layers: what was fetched from elsewhere, whole or half
WORKSPACES = ".work"  # among the layers: a directory for each build at work
ARCHIVE = "archive.tar.gz"  # the file that a packing step leaves, instead of a tree


@dataclass(frozen=True)
class Layer:
    """The record of a finished layer.

    ``whole``: the tree is complete by itself (copied, not laid over its parents). ``bytes`` on
    disk, ``seconds`` it took, ``made`` since 1970. ``boot``: the boot during which it was made.
    """

    fingerprint: str
    step: str
    whole: bool
    bytes: int
    seconds: float
    made: float
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
        try:
            data = json.loads((self.path(fingerprint) / "layer.json").read_text("utf-8"))
            layer = Layer(**data)
        except (OSError, ValueError, TypeError):
            return None
        durable = layer.boot == boot_id() or (self.path(fingerprint) / "synced").exists()
        return layer if durable else None

    def work(self, owner: str) -> Path:
        """The workspace of ``owner``, on the file system of the layers."""
        return self.directory / WORKSPACES / owner

    def commit(self, work: Path, layer: Layer) -> None:
        """Make the finished directory ``work`` the layer; if it exists by now, keep that one."""
        (work / "layer.json").write_text(json.dumps(asdict(layer)), "utf-8")
        final = self.path(layer.fingerprint)
        if self.get(layer.fingerprint) is None:
            self.remove(layer.fingerprint)
        try:
            work.rename(final)
        except OSError:
            if self.get(layer.fingerprint) is None:
                raise
            discard(work)

    def sync(self) -> None:
        """Bring every finished layer to the disk, and mark it as lasting."""
        markers = [self.path(layer.fingerprint) / "synced" for layer in self.all()]
        unsynced = [marker for marker in markers if not marker.exists()]
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


def new_layer(fingerprint: str, step: str, tree: Path, *, whole: bool, since: float) -> Layer:
    """The record of a layer just made in ``tree``, started at the monotonic time ``since``."""
    return Layer(
        fingerprint,
        step,
        whole,
        disk_usage(tree),
        round(time.monotonic() - since, 2),
        round(time.time(), 1),
        boot_id(),
    )


def boot_id() -> str:
    """The kernel's id of the running boot."""
    return _BOOT_ID.read_text("ascii").strip()


def discard(directory: Path) -> None:
    """Delete a directory tree if it is there."""
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(directory)


def disk_usage(path: Path) -> int:
    """Bytes that ``path`` and everything below it take on the disk."""
    total = path.lstat().st_blocks * 512
    if not path.is_dir() or path.is_symlink():
        return total
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                total += disk_usage(Path(entry.path))
            else:
                total += entry.stat(follow_symlinks=False).st_blocks * 512
    return total


def _sync_filesystem(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor) != 0:
            raise OSError(ctypes.get_errno(), f"syncfs {directory}")
    finally:
        os.close(descriptor)
