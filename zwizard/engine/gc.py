"""Look after the cache: remove what no build uses and what killed builds left; find damage."""

import json
import os
import subprocess
import sys
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from zwizard.engine import builds
from zwizard.engine.builds import Build
from zwizard.engine.layers import LOCKS, WORKSPACES, Store, discard, disk_usage
from zwizard.engine.requirements import store_of
from zwizard.host.privileges import Privilege, find_privilege
from zwizard.jobs import lock
from zwizard.plan import targets
from zwizard.util.errors import UsageError, ZwizardError


@dataclass(frozen=True)
class Freed:
    """What a clean-up removed; bytes on disk. ``in_use``: layers kept, as they are in use now."""

    layers: int
    bytes: int
    in_use: int = 0


@dataclass(frozen=True)
class Verified:
    """The layers looked at; of those ``damaged``, step and evidence. They are removed."""

    layers: int
    damaged: tuple[tuple[str, str], ...]


def clean(*, everything: bool = False) -> Freed:
    """Remove the layers that no build uses; all of them with ``everything``, but those in use."""
    running = {build.id for build in builds.everything() if build.running()}
    if everything and running:
        raise UsageError(
            f"running now: {', '.join(sorted(running))}", "Wait, or stop it: zwizard cancel BUILD"
        )
    found = _inside("clean", [] if everything else sorted(used()))
    return Freed(**found) if found else Freed(0, 0)


def verify() -> Verified:
    """Compare every layer with its manifest, and remove those that are damaged."""
    found = _inside("verify", [])
    return Verified(**found) if found else Verified(0, ())


def _inside(task: str, keep: Sequence[str]) -> dict[str, Any] | None:
    """The result of a task in namespaces like the builder's; None if there is no cache yet.

    File owners are mapped there.
    """
    privilege = find_privilege()
    store = store_of(privilege).directory
    if not store.is_dir():
        return None
    done = subprocess.run(
        [*privilege.launch_isolated(), sys.executable, "-m", __name__, str(store), task],
        input=json.dumps(keep),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ZwizardError(f"looking after {store} failed: {done.stderr.strip()}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


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


def _clean(store: Store, keep: Collection[str]) -> Freed:
    layers = size = in_use = 0
    with lock.alone(store.directory / WORKSPACES):  # none is made and not locked yet
        for workspace in list((store.directory / WORKSPACES).iterdir()):
            if not lock.is_held(workspace):
                size += disk_usage(workspace)
                discard(workspace)
    for entry in list(store.directory.iterdir()):
        if entry.name in keep or entry.name in {WORKSPACES, LOCKS}:
            continue
        held = store.lock(entry.name)
        if held is None:
            in_use += not entry.name.startswith(".")
            continue
        size += disk_usage(entry)
        if entry.name.startswith("."):
            discard(entry)
        else:
            layers += 1
            store.remove(entry.name)
        os.close(held)
    for file in list((store.directory / LOCKS).iterdir()):
        held = None if store.path(file.name).exists() else store.lock(file.name)
        if held is not None:
            file.unlink()
            os.close(held)
    return Freed(layers, size, in_use)


def _verify(store: Store) -> Verified:
    layers, damaged = 0, []
    for entry in sorted(store.directory.iterdir()):
        # One that is just being made is not there yet.
        if entry.name.startswith(".") or (held := store.lock(entry.name, shared=True)) is None:
            continue
        layers += 1
        damage = store.record_damage(entry.name) or store.damage(entry.name, whole=True)
        os.close(held)
        if damage:
            layer = store.get(entry.name)
            damaged.append((layer.step if layer else entry.name, damage))
            if (held := store.lock(entry.name)) is not None:  # else its next build removes it
                store.remove(entry.name)
                os.close(held)
    return Verified(layers, tuple(damaged))


def main(directory: str, task: str) -> None:
    """``DIRECTORY TASK``, the layers to keep on standard input: print the result as JSON."""
    store, keep = Store(Path(directory)), json.load(sys.stdin)
    done = _clean(store, frozenset(keep)) if task == "clean" else _verify(store)
    sys.stdout.write(json.dumps(asdict(done)))


if __name__ == "__main__":
    main(*sys.argv[1:])
