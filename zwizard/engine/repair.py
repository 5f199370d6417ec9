"""Repair: from what the checklist says of an image to the recipe of a mended one beside it."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from zwizard import checks
from zwizard.checks import Finding, Mode, Outcome, Report
from zwizard.engine import builds
from zwizard.engine.builds import Build
from zwizard.plan.repair import FIXES, REPACK, Fix, fix_for
from zwizard.recipe.model import Container, Output, Recipe, Source
from zwizard.sources import deployment
from zwizard.sources.detect_distro import detect_distro
from zwizard.util.errors import UsageError
from zwizard.util.text import one_line

_READABLE, _ROOT = "archive-readable", "archive-root"
_INITRD, _NEW_INITRD = "initrd-resolves", "initrd-readable"


@dataclass(frozen=True)
class Remedy:
    """What fails in the image at ``path`` and is mended by building ``recipe``; what is ``left``.

    ``mended`` are the findings with what mends each; ``left`` has to be mended by hand, if at all.
    ``recipe`` is None where nothing can be mended.
    """

    path: Path
    recipe: Recipe | None
    mended: tuple[tuple[Finding, Fix], ...]
    left: tuple[Finding, ...]

    @property
    def changes(self) -> tuple[str, ...]:
        """What is changed, a sentence's part each, in the order in which it is done."""
        wanted = [mend for _, mend in self.mended]
        return tuple(mend.changes for mend in FIXES if mend in wanted)

    @property
    def archive(self) -> Path:
        """The archive that would be made."""
        assert self.recipe is not None
        return Path(self.recipe.output.directory) / f"{self.recipe.name}.tar.gz"


def started(path: Path, said: str | None) -> Container:
    """What a deployment starts of the image at ``path``, and with what.

    ``said``: its entrypoint with its arguments, one line; None: as the build that made it says.
    """
    if said is None:
        made = builds.container_at(path.resolve())
        if made is None:
            return Container()
        settings, words = made[0].container, list(deployment.command(made[0]))
    else:
        settings, words = Container(), _words(said)
    entrypoint, args = "".join(words[:1]), tuple(words[1:])
    return replace(settings, entrypoint=entrypoint, args=args, start="")


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:
        raise UsageError(
            f"--entrypoint {line!r} ends within a quotation", "Quote it as for a shell."
        ) from None


def remedy(
    report: Report, path: Path, output: Path | None = None, starts: Container | None = None
) -> Remedy:
    """What mends the image at ``path``; UsageError for what cannot be repaired at all.

    ``output``: the directory for the new archive; None: the one that ``path`` is in. ``starts``:
    what a deployment starts, if anybody said so. An image that holds a kernel and would start as a
    container is taken for a VM if nobody says what it is.
    """
    if output is not None and output.name.endswith(".tar.gz"):
        raise UsageError(
            f"{output} is no directory for the new archive, which gets a name of its own",
            "Give the directory: --output DIRECTORY.",
        )
    path = path.resolve()
    if report.finding("mode").outcome is Outcome.UNKNOWN:
        report = checks.check(path, mode=Mode.VM)
    if report.mode is Mode.IMAGE:
        raise UsageError(
            f"{path} is a disk image, which is not repaired",
            "Build a VM of it: source.kind = cloud-image, target = vm.",
        )
    wrong = tuple(finding for finding in report.findings if finding.wrong)
    if (broken := report.finding(_READABLE)).wrong:
        raise UsageError(
            f"{path} is damaged: {one_line(broken.evidence)}",
            "What is not there cannot be mended: get the archive anew.",
        )
    if not any(path.iterdir() if path.is_dir() else [path]):
        raise UsageError(f"{path} is empty", "Name the directory that the image's files are in.")
    if report.finding(_ROOT).wrong:  # what is inside is looked at when it is taken out
        wrong = tuple(finding for finding in wrong if fix_for(finding.slug, "other") is REPACK)
    distro = detect_distro(path).distro
    pairs = [(finding, fix_for(finding.slug, distro)) for finding in wrong]
    mended = tuple((finding, mend) for finding, mend in pairs if mend)
    left = tuple(finding for finding, mend in pairs if not mend)
    if not mended:
        return Remedy(path, None, (), left)
    place = (output or path.parent).resolve()
    recipe = Recipe(
        name=_free_name(path, place),
        target=report.mode.value,
        source=Source(
            kind="rootfs",
            distro=distro,
            location=str(path),
            repair=tuple(finding.slug for finding, _ in mended),
        ),
        container=starts or started(path, None),
        output=Output(directory=str(place)),
    )
    return Remedy(path, Recipe.from_dict(recipe.to_dict()), mended, left)


def further(recipe: Recipe, report: Report) -> Recipe | None:
    """``recipe`` with what its archive's report brings to light besides; None if nothing does."""
    done = recipe.source.repair
    wrong = [finding.slug for finding in report.findings if finding.wrong]
    more = [slug for slug in wrong if fix_for(slug, recipe.source.distro) and slug not in done]
    if {_INITRD} <= set(wrong) & set(done) and _NEW_INITRD not in (*done, *more):
        # There is none to link to.
        more += [_NEW_INITRD] if fix_for(_NEW_INITRD, recipe.source.distro) else []
    if not more:
        return None
    return replace(recipe, source=replace(recipe.source, repair=(*done, *more)))


def report_of(build: Build) -> Report:
    """The checklist's report of the archive that ``build`` made."""
    data = json.loads(build.report_file.read_text("utf-8"))
    return checks.report_of(data["report"])


def _free_name(path: Path, place: Path) -> str:
    """A good name for the mended archive that nothing in ``place`` has yet."""
    stem = re.sub(r"\.(tar(\.\w+)?|tgz)$", "", path.name) if path.is_file() else path.name
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "-", stem).strip("-.")[:48] or "image"
    names = (f"{stem}-repaired{f'-{number}' if number > 1 else ''}" for number in count(1))
    return next(name for name in names if not (place / f"{name}.tar.gz").exists())
