"""A repair in the foreground: what is fixed, and the build that fixes it."""

from zwizard import checks
from zwizard.console import build_progress
from zwizard.console.foreground import write, write_json
from zwizard.engine import builds, repair, verdicts
from zwizard.engine.repair import Remedy
from zwizard.recipe.model import Recipe
from zwizard.util.text import one_line

_ROUNDS = 4  # one fix can reveal a further problem, which the next build fixes


def run(remedy: Remedy, *, as_json: bool) -> int:
    """Print what is fixed, and build it; the exit code."""
    if as_json:
        write_json(_event(remedy))
    else:
        write(describe(remedy))
    if remedy.recipe is None:
        return 3 if any(finding.blocks for finding in remedy.left) else 0
    recipe: Recipe | None = remedy.recipe
    for _ in range(_ROUNDS):
        assert recipe is not None
        build = builds.open_for(recipe, remedy.path.parent)
        code = build_progress.run(build, as_json=as_json)
        done = build.recipe()
        recipe = repair.further(done, verdicts.kept(build).report) if code in {0, 3} else None
        if recipe is None:
            break
        if not as_json:
            more = ", ".join(recipe.source.repair[len(done.source.repair) :])
            write(f"\nFixing these revealed further problems, fixed too: {more}")
    return code


def describe(remedy: Remedy) -> str:
    """The remedy as text of some lines, safe to show."""
    if not remedy.fixed:
        text = "Nothing here can be fixed." if remedy.left else "No problems found."
        return "\n".join([text, *_by_hand(remedy)]) + "\n"
    lines = [f"{remedy.path.name}: {len(remedy.fixed)} to fix"]
    for finding, _ in remedy.fixed:
        lines.append(f"  {checks.MARKS[finding.outcome]} {finding.slug}: {finding.evidence}")
    lines += ["", "Changes, in a new archive:"]
    lines += [f"  - {change}" for change in remedy.changes]
    lines += [f"  {remedy.archive}"]
    if remedy.programs:
        names = ", ".join(remedy.programs)
        lines += ["", f"Programs of the image run for this, in a sandbox: {names}"]
    lines += _by_hand(remedy)
    return "\n".join(map(one_line, lines)) + "\n"


def _by_hand(remedy: Remedy) -> list[str]:
    lines = [
        f"  {checks.MARKS[f.outcome]} {f.slug}: {_why(remedy, f.slug)}{f.fix}" for f in remedy.left
    ]
    return ["", "Not fixed:", *map(one_line, lines)] if lines else []


def _why(remedy: Remedy, slug: str) -> str:
    return f"{remedy.reasons[slug]}. " if slug in remedy.reasons else ""


def _event(remedy: Remedy) -> dict[str, object]:
    return {
        "event": "repair-planned",
        "artefact": str(remedy.path),
        "archive": str(remedy.archive) if remedy.recipe else None,
        "fixed": [{"rule": f.slug, "changes": fix.changes} for f, fix in remedy.fixed],
        "programs": remedy.programs,
        "left": [
            finding.to_json() | {"reason": remedy.reasons.get(finding.slug, "")}
            for finding in remedy.left
        ],
    }
