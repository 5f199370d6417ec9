"""A root file system made elsewhere: a directory or a tar archive."""

from dataclasses import replace
from pathlib import Path

from zwizard import distros
from zwizard.host.unmappable_owners import unmappable_owners
from zwizard.image.archive.byte_stream import ArchiveError
from zwizard.image.archive.decompress import decompressed
from zwizard.image.layered_tree import LayeredTree
from zwizard.image.tarball import TAR_NAMES
from zwizard.recipe.model import Recipe
from zwizard.sources import completion
from zwizard.sources.base import InputReport, SourceKind
from zwizard.sources.detect_distro import DetectedDistro, detect_distro, tree_sum
from zwizard.steps.actions import Action, Import
from zwizard.steps.step import Step
from zwizard.util.hashing import sha256_of
from zwizard.util.units import MIB


def import_step(recipe: Recipe, *more: Action) -> Step:
    """The first step: the tree as it is, in $ROOT. ``more`` is done to it at once."""
    source = recipe.source
    init = recipe.target != "container" and distros.named(source.distro).family == "none"
    return Step(
        "import",
        "Unpack the root file system",
        (
            "Unpacked as untrusted: it cannot write outside its own directory. Devices are left"
            " out, and listed: they do not survive in a flist.",
        ),
        (
            Import(source.location, source.sha256, source.distro, init and not source.repair),
            *more,
        ),
        answers=("source.location", "source.sha256", "source.distro"),
        network="://" in source.location,
        size=1200 * MIB,
        unpacks=source.location,
    )


def _machine(recipe: Recipe) -> tuple[Step, ...]:
    """Name resolution is needed by what is installed next."""
    no_grub = (completion.NO_GRUB,) if recipe.target == "vm" else ()
    return (import_step(recipe, completion.RESOLV, *no_grub), completion.complete(recipe))


def _clean(recipe: Recipe) -> Step:
    return completion.tidy() if recipe.target == "container" else completion.clean(recipe)


def inspect(file: Path) -> InputReport:
    """What system is in ``file``; raises OSError."""
    try:
        system = detect_distro(file)
    except ArchiveError as error:
        return InputReport(wrong=f"{error}. A root file system is a directory or a tar archive")
    if system.machine:
        wrong = f"its programs are {system.machine}; the nodes are x86-64 (amd64)"
        return InputReport(wrong=wrong)
    if file.is_dir() and (wrong := unmappable_owners(file)):
        return InputReport(wrong=wrong)
    title = system.title or "a root file system of an unnamed distribution"
    distro = distros.named(system.distro)
    if distro.family != "none":
        summary = f"{title}: missing packages are added with {distro.title}'s tools"
    elif system.init:
        summary = f"{title}: its package manager is unknown, so nothing is installed in it"
    else:
        summary = f"{title}; no init system was found, which a VM needs"
    return InputReport(summary, facts=system)


def _settle(recipe: Recipe, system: DetectedDistro) -> Recipe:
    """``recipe`` of the distribution that its file is; "other" stays, and nothing is installed."""
    source = recipe.source
    if source.distro == "other":
        return recipe
    return replace(recipe, source=replace(source, distro=system.distro))


def _contents(file: Path) -> LayeredTree:
    found = LayeredTree(file)
    with file.open("rb") as opened:
        found.add_archive(decompressed(opened))
    found.unwrap()
    return found


SOURCE = SourceKind(
    title="A root file system made elsewhere",
    about=dict.fromkeys(
        ("container", "vm", "image"), "A directory or a tar archive. Missing packages are added."
    ),
    tree={
        "container": lambda recipe: (import_step(recipe),),
        "vm": _machine,
        "image": _machine,
    },
    kernel=completion.kernel,
    settings=completion.settings,
    clean=_clean,
    file_title="Directory or archive",
    file_why="The root file system of any system: a directory, or a tar archive in any"
    " compression; also the URL of one. Unpacked as untrusted: it cannot write outside its own"
    " directory. The distribution is read from its os-release.",
    file_example="rootfs.tar.gz",
    inspect=inspect,
    slow=True,
    settle=_settle,
    contents=_contents,
    sum=lambda path: tree_sum(path) if path.is_dir() else sha256_of(path),
    names=TAR_NAMES,
)
