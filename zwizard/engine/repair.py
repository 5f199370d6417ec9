"""Repair: turn the findings of a checklist into the recipe of a fixed archive."""

import os
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from zwizard import checks, distros
from zwizard.checks import Finding, Mode, Outcome, Report
from zwizard.engine import builds
from zwizard.image import open_tree
from zwizard.image.flist.tree import require_contents
from zwizard.image.tarball import TAR_NAMES
from zwizard.plan import targets
from zwizard.plan.repair import FIXES, REPACK, Fix, fix_for
from zwizard.recipe.fields import Container, Output, Source
from zwizard.recipe.model import Recipe
from zwizard.sources import deployment
from zwizard.sources.detect_distro import detect_distro
from zwizard.steps.actions import InTree
from zwizard.util import paths
from zwizard.util.errors import UsageError
from zwizard.util.text import one_line

_READABLE, _ROOT = "archive-readable", "archive-root"
_INITRD, _NEW_INITRD = "initrd-resolves", "initrd-readable"


@dataclass(frozen=True)
class Remedy:
    """How to repair the image at ``path``: build ``recipe`` (None if nothing can be fixed).

    ``fixed`` are the findings with their fixes; those ``left`` cannot be fixed here, for the
    ``reasons`` that are known, by the names of their rules.
    """

    path: Path
    recipe: Recipe | None
    fixed: tuple[tuple[Finding, Fix], ...]
    left: tuple[Finding, ...]
    reasons: Mapping[str, str]

    @property
    def changes(self) -> tuple[str, ...]:
        """Descriptions of the changes, in the order in which they are made."""
        fixes = [fix for _, fix in self.fixed]
        return tuple(fix.changes for fix in FIXES if fix in fixes)

    @property
    def programs(self) -> tuple[str, ...]:
        """The programs of the image that the fixes run in its sandbox."""
        steps = targets.make(self.recipe).steps if self.recipe else ()
        commands = (a.argv for step in steps for a in step.actions if isinstance(a, InTree))
        words = ([word for word in argv if word != "env" and "=" not in word] for argv in commands)
        return tuple(dict.fromkeys(first for first, *_ in words))

    @property
    def archive(self) -> Path:
        """The new archive."""
        assert self.recipe is not None
        return Path(self.recipe.output.directory) / f"{self.recipe.name}.tar.gz"


def started(path: Path, entrypoint: str | None) -> Container:
    """The container settings of a deployment of the image at ``path``.

    ``entrypoint`` includes the arguments, in one line; None: as in the recipe of the build that
    made it.
    """
    if entrypoint is None:
        made = builds.container_at(path.resolve())
        if made is None:
            return Container()
        settings, words = made.container, list(deployment.command(made))
    else:
        settings, words = Container(), _words(entrypoint)
    return replace(settings, entrypoint="".join(words[:1]), args=tuple(words[1:]), start="")


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:
        raise UsageError(
            f"--entrypoint {line!r} has an unclosed quote", "Quote it as for a shell."
        ) from None


def remedy(
    report: Report, path: Path, output: Path | None = None, starts: Container | None = None
) -> Remedy:
    """How to repair the image at ``path``; UsageError if it cannot be repaired at all.

    ``output`` is the directory for the new archive (default: that of ``path``). ``starts`` are
    container settings, if given. An image with a kernel that would start as a container is taken
    for a VM, unless its mode was given.
    """
    if output is not None and output.name.endswith(".tar.gz"):
        raise UsageError(
            f"{output} is not a directory; the new archive gets its own name",
            "Give the directory: --output DIRECTORY.",
        )
    path = path.resolve()
    require_contents(path)
    if report.finding("mode").outcome is Outcome.UNKNOWN:
        report = checks.check(path, mode=Mode.VM)
    if report.mode is Mode.IMAGE:
        raise UsageError(
            f"{path} is a disk image, which cannot be repaired",
            "Build a VM of it: source.kind = cloud-image, target = vm.",
        )
    wrong = tuple(finding for finding in report.findings if finding.wrong)
    if (broken := report.finding(_READABLE)).wrong:
        raise UsageError(
            f"{path} is damaged: {one_line(broken.evidence)}",
            "Missing data cannot be repaired: get the archive again.",
        )
    if not any(path.iterdir() if path.is_dir() else [path]):
        raise UsageError(f"{path} is empty", "Name the directory that the image's files are in.")
    if report.finding(_ROOT).wrong:  # the contents are checked after repacking
        wrong = tuple(finding for finding in wrong if fix_for(finding.slug, "other") is REPACK)
    distro = detect_distro(path).distro
    pairs = [(finding, fix_for(finding.slug, distro)) for finding in wrong]
    reasons = dict(_reasons(path, pairs, distro))
    fixed = tuple((f, fix) for f, fix in pairs if fix and f.slug not in reasons)
    left = tuple(f for f, fix in pairs if not fix or f.slug in reasons)
    if not fixed:
        return Remedy(path, None, (), left, reasons)
    place = (output or path.parent).resolve()
    recipe = Recipe(
        name=_free_name(path, place),
        target=report.mode.value,
        source=Source(
            kind="rootfs",
            distro=distro,
            location=str(path),
            repair=tuple(finding.slug for finding, _ in fixed),
        ),
        container=starts or started(path, None),
        output=Output(directory=str(place)),
    )
    return Remedy(path, Recipe.from_dict(recipe.to_dict()), fixed, left, reasons)


def _reasons(
    path: Path, pairs: list[tuple[Finding, Fix | None]], distro: str
) -> Iterator[tuple[str, str]]:
    """Why a finding that is fixed elsewhere is not here, by the name of its rule."""
    tools = distros.named(distro).family != "none"
    if not tools:
        for finding, fix in pairs:
            if fix is None and any(finding.slug in other.rules for other in FIXES):
                yield finding.slug, "its package manager is not supported"
    hindered = [(f.slug, fix.obstacle) for f, fix in pairs if fix and fix.obstacle]
    if hindered:
        with open_tree(path) as tree:
            yield from ((slug, why) for slug, obstacle in hindered if (why := obstacle(tree)))


def further(recipe: Recipe, report: Report) -> Recipe | None:
    """``recipe`` with fixes for further findings in ``report``; None if there are none."""
    done = recipe.source.repair
    wrong = [finding.slug for finding in report.findings if finding.wrong]
    more = [slug for slug in wrong if fix_for(slug, recipe.source.distro) and slug not in done]
    if {_INITRD} <= set(wrong) & set(done) and _NEW_INITRD not in (*done, *more):
        # There is no initramfs to link to.
        more += [_NEW_INITRD] if fix_for(_NEW_INITRD, recipe.source.distro) else []
    if not more:
        return None
    return replace(recipe, source=replace(recipe.source, repair=(*done, *more)))


def _free_name(path: Path, place: Path) -> str:
    """A name for the repaired archive that is not used in ``place``."""
    stem = TAR_NAMES.sub("", path.name) if path.is_file() else path.name
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "-", stem).strip("-.")[:48] or "image"
    names = paths.numbered(f"{stem}-repaired")
    return next(name for name in names if not os.path.lexists(place / f"{name}.tar.gz"))
