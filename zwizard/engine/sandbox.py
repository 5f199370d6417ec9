"""Where a step works: its writable tree, mounted over the finished layers, and its environment."""

import contextlib
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from zwizard.engine.layers import Store, discard
from zwizard.host import tools
from zwizard.host.privileges import in_user_namespace
from zwizard.steps.step import Plan
from zwizard.util.errors import ZwizardError

_PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy")
_AS_ROOT = ",volatile,redirect_dir=off,metacopy=off,index=off"


def environment(plan: Plan) -> dict[str, str]:
    """What the commands of a plan run with: its own variables, and this process's proxies."""
    proxies = {
        name: os.environ[name]
        for proxy in _PROXIES
        for name in (proxy, proxy.upper())
        if name in os.environ
    }
    return proxies | dict(plan.environment)


@dataclass(frozen=True)
class Tree:
    """The tree of a step, ``root``."""

    root: Path
    new: Path  # what becomes the layer: all of the tree, or what differs from the parents
    whole: bool


@contextlib.contextmanager
def tree(store: Store, parents: tuple[str, ...], work: Path) -> Iterator[Tree]:
    """A writable tree on top of the layers ``parents`` (first at the bottom), made in ``work``.

    With overlayfs if it can be mounted, else a copy of the parents. ``work`` must be on the file
    system of the store; its contents are discarded. The caller needs its own mount namespace.
    """
    discard(work)
    new, root = work / "layer" / "tree", work / "root"
    for directory in (new, root, work / "overlay"):
        directory.mkdir(parents=True)
    lower = _chain(store, parents)
    # Relative names keep the option short, and without characters that overlayfs splits at.
    layers = [f"{fingerprint}/tree" for fingerprint in reversed(lower)]
    overlaid = not lower or mount_overlay(store.directory, layers, work, upper="layer/tree")
    if not overlaid:
        _copy(store, lower, new)
    if not (lower and overlaid):
        tools.run("mount", "--bind", new, root)
    try:
        yield Tree(root, new, whole=not (lower and overlaid))
    finally:
        _unmount(root)


def _chain(store: Store, parents: tuple[str, ...]) -> tuple[str, ...]:
    """The parents that are needed: from the last one that is a whole tree."""
    layers = store.chain(parents)
    if len(layers) < len(parents):
        missing = parents[len(layers)]
        raise ZwizardError(f"layer {missing} is missing", "Build again: it is made again.")
    whole = max((number for number, layer in enumerate(layers) if layer.whole), default=0)
    return parents[whole:]


def mount_overlay(base: Path, lower: Sequence[str], work: Path, *, upper: str) -> bool:
    """Mount an overlayfs at ``work/root``; False if that is not possible.

    ``lower`` are directories relative to ``base``, the topmost first; ``work``, below ``base``,
    has the directories ``root``, ``overlay`` and ``upper``, which gets what is written.
    """
    place = os.path.relpath(work, base)
    options = f"lowerdir={':'.join(lower)},upperdir={place}/{upper},workdir={place}/overlay"
    options += ",volatile,userxattr" if in_user_namespace() else _AS_ROOT
    mounted = subprocess.run(
        ["mount", "-t", "overlay", "overlay", "-o", options, str(work / "root")],
        cwd=base,
        capture_output=True,
        check=False,
    )
    return mounted.returncode == 0


def _copy(store: Store, lower: tuple[str, ...], new: Path) -> None:
    """Copy the only layer into ``new``: without overlayfs, every layer is a whole tree."""
    if len(lower) > 1:
        raise ZwizardError(
            f"the layers in {store.directory} need overlayfs, which cannot be mounted",
            "Remove them (zwizard clean --all), or make overlayfs available again.",
        )
    tools.run("cp", "-a", "--reflink=auto", f"{store.tree(lower[0])}/.", new)


def _unmount(place: Path) -> None:
    """Unmount ``place`` with everything mounted below it.

    Lazily, as a user namespace may not unmount one by one what it inherited. Nothing uses the
    mounts any more, so that they end at once.
    """
    if _mounted(place):
        tools.run("umount", "--lazy", place)


def _mounted(place: Path) -> bool:
    # Not os.path.ismount, which cannot see a bind mount from the same file system.
    mounts = Path("/proc/self/mountinfo").read_text("utf-8", "replace").splitlines()
    return any(line.split(" ")[4] == _octal(str(place)) for line in mounts)


def _octal(path: str) -> str:
    """A path as mountinfo writes it."""
    return re.sub(r"[ \t\n\\]", lambda found: f"\\{ord(found[0]):03o}", path)
