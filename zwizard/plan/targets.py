"""Recipe to plan: pure data; nothing runs and nothing is read from the host."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NoReturn

from zwizard import distros
from zwizard.distros.base import Distro, Suite
from zwizard.families import guest
from zwizard.plan import container, disk, grub, kernel, pack, repair
from zwizard.recipe.model import Recipe
from zwizard.recipe.problems import Problem, RecipeError
from zwizard.sources import cloud_image, rootfs
from zwizard.sources import distro as sources
from zwizard.steps.step import Plan, Step

__all__ = ["Plan", "Step", "make"]


def make(recipe: Recipe) -> Plan:
    """The plan of ``recipe``; RecipeError if this version cannot build it yet."""
    return _PLANS[recipe.source.kind, recipe.target](recipe)


def _plan(recipe: Recipe, epoch: int, *steps: Step) -> Plan:
    environment = (
        ("DEBIAN_FRONTEND", "noninteractive"),
        ("HOME", "/root"),
        ("LC_ALL", "C.UTF-8"),
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("SOURCE_DATE_EPOCH", str(epoch)),
    )
    note = container.note(recipe) if recipe.target == "container" else ""
    return Plan(recipe.name, recipe.target, environment, steps, note)


def _cloud_to_image(recipe: Recipe) -> Plan:
    """The document's "Use one of ubuntu cloud-images"."""
    return _plan(recipe, 0, cloud_image.convert(recipe), pack.pack(recipe, 0))


def _distro_to_vm(recipe: Recipe) -> Plan:
    """The document's "Building an ubuntu VM flist"."""
    distro, suite = _known(recipe)
    return _plan(
        recipe,
        suite.epoch,
        sources.bootstrap(recipe, distro, suite),
        sources.packages(recipe, distro, suite),
        kernel.initramfs(recipe, distro),
        kernel.kernel(distro),
        *sources.more_packages(recipe, distro),
        guest.settings(recipe, distro),
        *guest.commands(recipe, distro),
        guest.clean(distro),
        pack.pack(recipe, suite.epoch),
    )


def _distro_to_image(recipe: Recipe) -> Plan:
    """The document's "Create an image from scratch"."""
    distro, suite = _known(recipe)
    where = disk.layout(recipe, distro)
    tree = (
        sources.bootstrap(recipe, distro, suite),
        sources.packages(recipe, distro, suite),
        kernel.initramfs(recipe, distro),
        *sources.more_packages(recipe, distro),
        guest.settings(recipe, distro),
        *guest.commands(recipe, distro),
        grub.grub(recipe, where, distro.title),
        guest.clean(distro),
    )
    disk.must_hold(where, tree)
    last = (disk.disk(where, suite.epoch), pack.pack(recipe, suite.epoch))
    return _plan(recipe, suite.epoch, *tree, *last)


def _binary_to_container(recipe: Recipe) -> Plan:
    """The document's "A container can be a single binary"."""
    last = replace(pack.pack(recipe, rootfs.EPOCH), size=container.SMALL)
    return _plan(recipe, rootfs.EPOCH, container.program(recipe), last)


def _oci_to_container(recipe: Recipe) -> Plan:
    """What Docker would run, as Zero-OS runs it."""
    settings = recipe.container
    if not (settings.entrypoint or settings.start):
        said = "which program is started; the image itself says it only where its file is at hand"
        raise RecipeError((Problem("container.entrypoint", None, said),))
    last = pack.pack(recipe, rootfs.EPOCH)
    return _plan(recipe, rootfs.EPOCH, container.image(recipe), *container.start(recipe), last)


def _distro_to_container(recipe: Recipe) -> Plan:
    """The document's "or a complete filesystem": without kernel, init and cloud-init."""
    distro, suite = _known(recipe)
    return _plan(
        recipe,
        suite.epoch,
        sources.bootstrap(recipe, distro, suite),
        *sources.more_packages(container.with_what_it_needs(recipe, distro), distro),
        container.settings(recipe, distro),
        *guest.commands(recipe, distro),
        guest.clean(distro, cloud_init=False),
        pack.pack(recipe, suite.epoch),
    )


def _rootfs_to_vm(recipe: Recipe) -> Plan:
    """Another's tree, made what the document's guide ends with."""
    return _mended(recipe) if recipe.source.repair else _others_to_vm(recipe, rootfs.start(recipe))


def _cloud_to_vm(recipe: Recipe) -> Plan:
    """Of the deprecated kind, the recommended one."""
    return _others_to_vm(recipe, rootfs.of_disk(recipe))


def _others_to_vm(recipe: Recipe, first: Step) -> Plan:
    distro = distros.named(recipe.source.distro)
    return _plan(
        recipe,
        rootfs.EPOCH,
        first,
        rootfs.complete(recipe),
        kernel.initramfs(recipe, distro),
        rootfs.kernel(recipe),
        *sources.more_packages(recipe, distro),
        rootfs.settings(recipe),
        *guest.commands(recipe, distro),
        rootfs.clean(recipe),
        pack.pack(recipe, rootfs.EPOCH),
    )


def _rootfs_to_image(recipe: Recipe) -> Plan:
    """Another's tree, made what the document's "Create an image from scratch" ends with."""
    if recipe.source.repair:
        return _mended(recipe)
    distro = distros.KNOWN.get(recipe.source.distro)
    if distro is None:
        _refuse("source.distro", recipe.source.distro, f"{', '.join(distros.KNOWN)}, as an image")
    where = disk.layout(recipe, distro)
    tree = (
        rootfs.start(recipe),
        rootfs.complete(recipe),
        kernel.initramfs(recipe, distro),
        *sources.more_packages(recipe, distro),
        rootfs.settings(recipe),
        *guest.commands(recipe, distro),
        grub.grub(recipe, where, distro.title),
        rootfs.clean(recipe),
    )
    disk.must_hold(where, tree)
    last = (disk.disk(where, rootfs.EPOCH), pack.pack(recipe, rootfs.EPOCH))
    return _plan(recipe, rootfs.EPOCH, *tree, *last)


def _rootfs_to_container(recipe: Recipe) -> Plan:
    """Another's tree, as it is but for what belongs to a build."""
    if recipe.source.repair:
        return _mended(recipe)
    distro = distros.named(recipe.source.distro)
    return _plan(
        recipe,
        rootfs.EPOCH,
        rootfs.bring(recipe),
        *sources.more_packages(recipe, distro),
        container.settings(recipe, distro),
        *guest.commands(recipe, distro),
        rootfs.tidy(),
        pack.pack(recipe, rootfs.EPOCH),
    )


def _mended(recipe: Recipe) -> Plan:
    """Another's image with only what its checklist asks for changed."""
    return _plan(
        recipe,
        rootfs.EPOCH,
        rootfs.bring(recipe),
        *repair.steps(recipe),
        pack.pack(recipe, pack.AS_THEY_ARE),
    )


# What each source becomes.
_PLANS: dict[tuple[str, str], Callable[[Recipe], Plan]] = {
    ("distro", "vm"): _distro_to_vm,
    ("distro", "image"): _distro_to_image,
    ("distro", "container"): _distro_to_container,
    ("binary", "container"): _binary_to_container,
    ("oci", "container"): _oci_to_container,
    ("rootfs", "vm"): _rootfs_to_vm,
    ("rootfs", "image"): _rootfs_to_image,
    ("rootfs", "container"): _rootfs_to_container,
    ("cloud-image", "image"): _cloud_to_image,
    ("cloud-image", "vm"): _cloud_to_vm,
}


def _known(recipe: Recipe) -> tuple[Distro, Suite]:
    """The records of the recipe's distribution and suite."""
    distro = distros.KNOWN.get(recipe.source.distro)
    suite = distro.suite(recipe.source.suite) if distro else None
    if distro is None or suite is None:
        _refuse("source.distro", recipe.source.distro, ", ".join(distros.KNOWN))
    return distro, suite


def _refuse(key: str, value: str, built: str) -> NoReturn:
    said = f"a good answer, but this version cannot build it yet; it builds: {built}"
    raise RecipeError((Problem(key, value, said),))
