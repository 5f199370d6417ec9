"""Remove layers that no build uses, and workspaces of builds that were killed."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from zwizard.engine import builds
from zwizard.engine.builds import Build
from zwizard.engine.layers import DOWNLOADS, WORKSPACES, Store, discard, disk_usage
from zwizard.engine.requirements import store_of
from zwizard.host.privileges import Privilege, find_privilege
from zwizard.jobs.lock import is_held
from zwizard.plan import targets
from zwizard.util.errors import UsageError, ZwizardError


@dataclass(frozen=True)
class Freed:
    """What a clean-up removed; bytes on disk."""

    layers: int
    bytes: int


def clean(*, everything: bool = False) -> Freed:
    """Remove the layers that no build uses; all of them with ``everything``.

    It runs in a namespace like the builder's, since file owners are mapped there.
    """
    running = {build.id for build in builds.everything() if build.running()}
    if everything and running:
        raise UsageError(
            f"running now: {', '.join(sorted(running))}", "Wait, or stop it: zwizard cancel BUILD"
        )
    privilege = find_privilege()
    store = store_of(privilege).directory
    if not store.is_dir():
        return Freed(0, 0)
    keep = frozenset() if everything else used()
    done = subprocess.run(
        [*privilege.launch_isolated(), sys.executable, "-m", __name__, str(store)],
        input=json.dumps({"keep": sorted(keep), "running": bool(running)}),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ZwizardError(f"cleaning {store} failed: {done.stderr.strip()}")
    return Freed(**json.loads(done.stdout))


@dataclass(frozen=True)
class Frees:
    """Bytes that deleting a build would free: its directory, and layers of no other build."""

    build: int
    layers: int


def frees(build: Build, privilege: Privilege) -> Frees:
    """What deleting ``build`` would free; nothing is removed."""
    store = store_of(privilege)
    keep = used(without=build)
    idle = sum(layer.bytes for layer in store.all() if layer.fingerprint not in keep)
    return Frees(disk_usage(build.directory), idle)


def used(without: Build | None = None) -> frozenset[str]:
    """The fingerprints of the layers of all builds but ``without``."""
    found: set[str] = set()
    for build in builds.everything():
        if build == without:
            continue
        try:
            found.update(targets.make(build.recipe()).fingerprints())
        except UsageError:
            continue  # an unreadable recipe uses no layers
    return frozenset(found)


def _clean(store: Store, keep: frozenset[str], *, running: bool) -> Freed:
    layers = size = 0
    workspaces = list((store.directory / WORKSPACES).glob("*"))
    for entry in [*workspaces, *store.directory.iterdir()]:
        used = entry.name in keep or (entry.name == DOWNLOADS and running)
        if used or entry.name == WORKSPACES or is_held(entry):
            continue
        size += disk_usage(entry)
        if entry.name.startswith(".") or entry in workspaces:
            discard(entry)
        else:
            layers += 1
            store.remove(entry.name)
    return Freed(layers, size)


if __name__ == "__main__":
    request = json.load(sys.stdin)
    freed = _clean(
        Store(Path(sys.argv[1])), frozenset(request["keep"]), running=request["running"]
    )
    sys.stdout.write(json.dumps(asdict(freed)))
