"""The kernel and initramfs that replace Zero-OS's in boot tests of containers: Debian's.

Zero-OS's are only on its hub. These are built once and kept as a layer.
"""

import os
import time
from importlib import resources
from pathlib import Path

from zwizard.engine import layers, sandbox
from zwizard.engine.executor import CommandError, Executor
from zwizard.engine.failure_causes import tail
from zwizard.engine.layers import DOWNLOADS, Store
from zwizard.host import tools
from zwizard.jobs import lock
from zwizard.steps.actions import ROOT, InTree, OnTree, Remove, Write
from zwizard.steps.step import Plan, Step, environment
from zwizard.util import manifest
from zwizard.util.errors import ZwizardError

_PACKAGES = "linux-image-cloud-amd64,busybox-static,kmod,cpio"
_SUITE = "bookworm"
_EVERYTHING_ELSE = (
    "bin", "etc", "home", "initramfs", "lib", "lib32", "lib64", "libx32", "make", "media", "mnt",
    "opt", "root", "sbin", "srv", "usr", "var",
)  # fmt: skip


def _plan() -> Plan:
    files = resources.files("zwizard.boottest").joinpath("scripts")
    init, watch, make = (
        files.joinpath(name).read_text("utf-8") for name in ("init", "watch.sh", "initramfs.sh")
    )
    bootstrap = ("mmdebstrap", "--mode=root", "--format=directory", "--variant=extract")
    skip = "--skip=check/empty,chroot/mount"
    step = Step(
        "container-kernel",
        "Build a kernel and an initramfs that replace Zero-OS's",
        (),
        (
            OnTree((*bootstrap, skip, f"--include={_PACKAGES}", _SUITE, ROOT)),
            Write("/initramfs/init", init, mode=0o755),
            Write("/initramfs/watch.sh", watch),
            Write("/make", make, mode=0o755),
            InTree(("/make",)),
            Remove(tuple(f"/{name}" for name in _EVERYTHING_ELSE)),
        ),
        network=True,
    )
    return Plan("container-kernel", "container", environment(0), (step,))


class ContainerKernel:
    """The kernel and the initramfs, among the layers in the directory ``store``."""

    def __init__(self, store: Path) -> None:
        self._store = Store(store)
        self._plan = _plan()
        (self._fingerprint,) = self._plan.fingerprints()

    def take(self) -> bool:
        """Whether they are built already; then nobody removes them while this process lives."""
        held = self._store.lock(self._fingerprint, shared=True)
        if held is None:
            return False  # they are just being built
        if not self._usable():
            os.close(held)
            return False
        return True

    def _usable(self) -> bool:
        found = self._store.get(self._fingerprint)
        return found is not None and not self._store.damage(self._fingerprint, whole=True)

    @property
    def boot(self) -> Path:
        """The directory with ``vmlinuz`` and ``initrd.img``."""
        return self._store.tree(self._fingerprint) / "boot"

    def build(self, owner: str, log: Path) -> None:
        """Build them in a private mount namespace, and take them; raises ZwizardError."""
        if missing := tools.missing(self._plan.tools()):
            raise ZwizardError(
                f"missing on this host, to build a kernel: {', '.join(sorted(missing))}",
                tools.install_command(missing),
            )
        # Never closed: held as long as this process lives.
        held = self._store.wait_for_lock(self._fingerprint, lambda _: None)
        if not self._usable():  # another boot test may have built them meanwhile
            os.write(held, owner.encode())
            self._make(owner, log)
        lock.share(held)

    def _make(self, owner: str, log: Path) -> None:
        since, (step,) = time.monotonic(), self._plan.steps
        work = self._store.work(owner)
        lock.claim(work)  # held as long as this process lives
        with log.open("wb") as output, sandbox.tree(self._store, (), work / "step") as place:
            runner = Executor(
                place,
                place.new.parent / "none",
                sandbox.environment(self._plan),
                output,
                downloads=self._store.directory / DOWNLOADS,
                network=self._plan.network(step),
            )
            try:
                for action in step.actions:
                    runner.perform(action)
            except CommandError as error:
                message = f"the kernel for boot tests of containers was not built: {error.message}"
                raise ZwizardError(message, f"Last output: {tail(log, 1)}") from None
        layer = layers.new_layer(
            self._fingerprint, step.name, place.new, whole=place.whole, since=since
        )
        self._store.remove(self._fingerprint)
        self._store.commit(place.new.parent, layer)
        manifest.write(
            self._store.tree(self._fingerprint), self._store.manifest(self._fingerprint)
        )
        layers.discard(work)
