"""Recipe to plan: pure data; nothing runs and nothing is read from the host."""

from __future__ import annotations

from typing import NoReturn

from zwizard import distros
from zwizard.distros.distro import Distro, Suite
from zwizard.plan import cloud, disk, grub, kernel, pack, sources, system
from zwizard.plan.step import Plan, Step
from zwizard.recipe import Problem, Recipe, RecipeError

__all__ = ["Plan", "Step", "make"]


def make(recipe: Recipe) -> Plan:
    """The plan of ``recipe``; RecipeError if this version cannot build it yet."""
    if recipe.source.kind == "cloud-image":
        return _plan(recipe, 0, _converted(recipe))
    distro, suite = _buildable(recipe)
    steps = _image if recipe.target == "image" else _vm
    return _plan(recipe, suite.epoch, steps(recipe, distro, suite))


def _plan(recipe: Recipe, epoch: int, steps: tuple[Step, ...]) -> Plan:
    environment = (
        ("DEBIAN_FRONTEND", "noninteractive"),
        ("HOME", "/root"),
        ("LC_ALL", "C.UTF-8"),
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("SOURCE_DATE_EPOCH", str(epoch)),
    )
    return Plan(recipe.name, recipe.target, environment, steps)


def _converted(recipe: Recipe) -> tuple[Step, ...]:
    """The document's "Use one of ubuntu cloud-images"."""
    if recipe.target != "image":
        _refuse("target", recipe.target, "image, of a cloud image")
    return (cloud.convert(recipe), pack.pack(recipe, 0))


def _vm(recipe: Recipe, distro: Distro, suite: Suite) -> tuple[Step, ...]:
    """The document's "Building an ubuntu VM flist"."""
    return (
        sources.bootstrap(recipe, distro, suite),
        sources.packages(recipe, distro),
        kernel.initramfs(recipe),
        kernel.kernel(),
        *sources.more_packages(recipe),
        system.system(recipe, distro),
        *system.commands(recipe),
        system.clean(),
        pack.pack(recipe, suite.epoch),
    )


def _image(recipe: Recipe, distro: Distro, suite: Suite) -> tuple[Step, ...]:
    """The document's "Create an image from scratch"."""
    where = disk.layout(recipe, distro)
    tree = (
        sources.bootstrap(recipe, distro, suite),
        sources.packages(recipe, distro),
        kernel.initramfs(recipe),
        *sources.more_packages(recipe),
        system.system(recipe, distro),
        *system.commands(recipe),
        grub.grub(recipe, where, distro.title),
        system.clean(),
    )
    disk.must_hold(where, tree)
    return (*tree, disk.disk(where, suite), pack.pack(recipe, suite.epoch))


def _buildable(recipe: Recipe) -> tuple[Distro, Suite]:
    distro = distros.KNOWN.get(recipe.source.distro)
    suite = distro.suite(recipe.source.suite) if distro else None
    if recipe.target not in {"vm", "image"}:
        _refuse("target", recipe.target, "vm, image")
    if recipe.source.kind != "distro":
        _refuse("source.kind", recipe.source.kind, "distro, cloud-image")
    if distro is None or suite is None:
        _refuse("source.distro", recipe.source.distro, ", ".join(distros.KNOWN))
    if recipe.kernel.file:
        _refuse("kernel.file", recipe.kernel.file, "the distribution's package (kernel.package)")
    return distro, suite


def _refuse(key: str, value: str, built: str) -> NoReturn:
    said = f"a good answer, but this version cannot build it yet; it builds: {built}"
    raise RecipeError((Problem(key, value, said),))
