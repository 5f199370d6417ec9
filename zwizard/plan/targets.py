"""Turn a recipe into a plan. Pure: runs nothing and reads nothing from the host."""

from urllib.parse import urlsplit

from zwizard import distros, sources
from zwizard.families import guest
from zwizard.plan import container, disk, grub, kernel, repair
from zwizard.plan.deployment_note import describe, markdown
from zwizard.recipe.model import Recipe
from zwizard.recipe.problems import Problem, RecipeError
from zwizard.recipe.relevance import treatment
from zwizard.sources import rootfs
from zwizard.sources.base import EPOCH, SourceKind
from zwizard.steps.actions import Pack
from zwizard.steps.step import Plan, Step, environment

# libdeflate's: level 2 makes an archive a few per cent larger than gzip's default in a tenth of
# the time, level 9 one a few per cent smaller in the same time.
_LEVELS = {"fast": 2, "small": 9}

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_UNCHANGED = 2**33 - 1  # as an epoch it caps no time stamp: the last that a tar can hold


def make(recipe: Recipe) -> Plan:
    """The plan of ``recipe``; RecipeError if it cannot be built."""
    source = sources.of(recipe.source.kind)
    if recipe.source.repair:
        # An image made elsewhere, with only what its checklist asks for changed.
        steps = (rootfs.import_step(recipe), *repair.steps(recipe))
        return _plan(recipe, EPOCH, *steps, _pack(recipe, _UNCHANGED, source.size))
    epoch = source.epoch(recipe)
    tree = source.tree[recipe.target](recipe)
    if treatment(recipe.values()) != "kept":
        tree = _TARGETS[recipe.target](recipe, source, tree)
    return _plan(recipe, epoch, *tree, _pack(recipe, epoch, source.size))


def _plan(recipe: Recipe, epoch: int, *steps: Step) -> Plan:
    note = markdown(describe(recipe.name, recipe.target, recipe))
    shared = urlsplit(recipe.source.mirror).hostname in _LOOPBACK
    return Plan(recipe.name, recipe.target, environment(epoch), steps, note, shared)


def _vm(recipe: Recipe, source: SourceKind, tree: tuple[Step, ...]) -> tuple[Step, ...]:
    """The guide's "Building an ubuntu VM flist"."""
    distro = distros.named(recipe.source.distro)
    return (
        *tree,
        kernel.initramfs(recipe, distro),
        source.kernel(recipe),
        *guest.more_packages(recipe, distro),
        source.settings(recipe),
        *guest.commands(recipe, distro),
        source.clean(recipe),
    )


def _image(recipe: Recipe, source: SourceKind, tree: tuple[Step, ...]) -> tuple[Step, ...]:
    """The guide's "Create an image from scratch"."""
    distro = distros.KNOWN.get(recipe.source.distro)
    if distro is None:
        allowed = f"a disk image can be made of {', '.join(distros.KNOWN)}"
        raise RecipeError((Problem("source.distro", recipe.source.distro, allowed),))
    where = disk.layout(recipe, distro)
    steps = (
        *tree,
        kernel.initramfs(recipe, distro),
        *guest.more_packages(recipe, distro),
        source.settings(recipe),
        *guest.commands(recipe, distro),
        grub.grub(recipe, where, distro.title),
        source.clean(recipe),
    )
    disk.must_hold(where, steps)
    return (*steps, disk.disk(where, source.epoch(recipe)))


def _container(recipe: Recipe, source: SourceKind, tree: tuple[Step, ...]) -> tuple[Step, ...]:
    """The guide's "or a complete filesystem": without kernel, init and cloud-init."""
    distro = distros.named(recipe.source.distro)
    return (
        *tree,
        *guest.more_packages(recipe, distro),
        container.settings(recipe, distro),
        *guest.commands(recipe, distro),
        source.clean(recipe),
    )


def _pack(recipe: Recipe, epoch: int, size: int) -> Step:
    """The tree as one .tar.gz, everything at its root, owners as numbers."""
    return Step(
        "pack",
        f"Pack the archive {recipe.name}.tar.gz",
        (
            '"Now package the tar for upload"',
            "Owners as numbers: the hub would map names to its own users.",
        ),
        (Pack(_LEVELS[recipe.output.compression], epoch),),
        answers=("output.compression", "name"),
        size=size,
        guide="sudo tar -czf ubuntu-jammy.tar.gz -C ubuntu:jammy .",
    )


_TARGETS = {"vm": _vm, "image": _image, "container": _container}
