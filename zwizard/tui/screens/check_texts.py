"""The findings on the checklist screen: as text, filtered, and what can be done about them."""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

from textual.content import Content

from zwizard import checks
from zwizard.checks import Finding, Group, Mode, Outcome, Report, Severity
from zwizard.engine.repair import Remedy
from zwizard.engine.verdicts import LostArchiveError
from zwizard.tui.format import MUTED, block, fit, join, mark, plain
from zwizard.tui.navigation import question_of
from zwizard.tui.screens.dialogs import Ask, Option
from zwizard.tui.screens.files import not_writable
from zwizard.tui.widgets.stable_list import Row
from zwizard.util.errors import ZwizardError
from zwizard.wizard.questions import Question

_GROUPS = {  # in this order
    Group.ERROR: ("✗", "$text-error"),
    Group.WARNING: ("!", "$text-warning"),
    Group.NOTE: ("i", "$text-accent"),
    Group.NOT_CHECKED: ("?", "$text-warning"),
    Group.FOLLOWING: ("›", MUTED),
    Group.WAIVED: ("~", MUTED),
    Group.PASSED: ("✓", "$text-success"),
    Group.NOT_APPLICABLE: ("–", MUTED),
}
FOLDED = {Group.FOLLOWING.name, Group.PASSED.name, Group.NOT_APPLICABLE.name}  # at first
_WORDS = {
    Outcome.FAIL: "failed",
    Outcome.UNKNOWN: "not checked",
    Outcome.PASS: "passed",
    Outcome.NOT_APPLICABLE: "not applicable",
}
ALL = "a"
FILTERS: dict[str, tuple[str, Callable[[Finding], bool]]] = {
    ALL: ("every rule", lambda _: True),
    "w": ("errors, warnings and notes", lambda found: found.wrong),
    "m": ("must: a failure is an error", lambda found: found.severity is Severity.MUST),
    "s": ("should: a failure is a warning", lambda found: found.severity is Severity.SHOULD),
    "d": ("advice: a failure is a note", lambda found: found.severity is Severity.ADVICE),
    "u": ("not checked", lambda found: found.outcome is Outcome.UNKNOWN),
    "h": ("passed", lambda found: found.outcome is Outcome.PASS),
    "n": ("not applicable", lambda found: found.outcome is Outcome.NOT_APPLICABLE),
}


def fixable(report: Report) -> bool:
    """Whether some finding can be fixed in a new archive; disk images cannot be."""
    return report.mode is not Mode.IMAGE and any(found.wrong for found in report.findings)


def ask_to_fix(remedy: Remedy) -> Ask:
    """The question whether to fix, with what would change and what would not."""
    not_fixed = ", ".join(found.slug for found in remedy.left)
    lines = [f"- {change}" for change in remedy.changes]
    if remedy.programs:
        lines += [f"Runs in a sandbox, of the image: {', '.join(remedy.programs)}."]
    lines += [f"Not fixed: {not_fixed}."] if not_fixed else []
    if remedy.recipe is None:
        back = (Option("n", "Back"),)
        return Ask("Nothing can be fixed here", "\n".join(lines), back)
    return Ask(
        f"Make a fixed archive, {remedy.archive.name}?",
        "\n".join(lines),
        (Option("n", "No"), Option("y", "Yes; the original is not changed")),
    )


def verdict(report: Report, *, tested: bool) -> Content:
    """The mode, and whether the image is ready; ``tested``: a boot test has passed."""
    errors = Group.ERROR.counted(len(report.under(Group.ERROR)))
    text, style = f"✗ NOT READY: {errors}", "bold $text-error"
    if report.ready:
        text, style = "◆ READY, TESTED" if tested else "✓ READY", "bold $text-success"
    return join(
        Content.styled(report.mode.value, MUTED), Content.styled(text, style), between=" · "
    )


def unknown(error: Exception) -> Content:
    """Why there is no verdict, in a word or two; the detail has all of it."""
    if isinstance(error, LostArchiveError):
        return mark(error.state)
    return Content("not readable")


def rows(findings: Sequence[Finding], folded: AbstractSet[str]) -> list[Row]:
    """The findings below the headings of their groups; ``folded`` groups are only a heading."""
    rows = []
    for group, (glyph, style) in _GROUPS.items():
        members = [finding for finding in findings if finding.group is group]
        if not members:
            continue
        more = " …" if group.name in folded else ""
        heading = f"{glyph} {group.heading} ({len(members)}){more}"
        rows.append(Row(f"group:{group.name}", Content.styled(heading, f"bold {style}")))
        if group.name not in folded:
            rows += [Row(f"rule:{m.slug}", _row(m, glyph, style)) for m in members]
    return rows


def _row(found: Finding, glyph: str, style: str) -> Content:
    sign = "?" if found.outcome is Outcome.UNKNOWN else glyph
    slug = plain(fit(found.slug, 24))
    evidence = found.evidence or found.rule.title
    return Content.assemble("  ", (sign, style), " ", slug, "  ", plain(evidence, MUTED))


def detail(found: Finding, report: Report) -> Content:
    """A finding in full: what was found, how to fix it, why the rule exists, what follows."""
    word = "waived" if found.waived and found.wrong else _WORDS[found.outcome]
    label = "Reason" if found.outcome is Outcome.NOT_APPLICABLE else "Found"
    parts = [
        Content.assemble(
            plain(found.rule.title, "bold"), (f"  {found.severity.value}, {word}", MUTED)
        ),
        Content.assemble((f"{label:<9}", MUTED), block(found.evidence)),
    ]
    if following := report.following(found):
        then = block(checks.others_follow(following))
        parts.append(Content.assemble(("Then     ", MUTED), then))
    if found.fix:
        parts.append(Content.assemble(("Fix      ", MUTED), block(found.fix)))
    parts.append(Content.assemble(("Why      ", MUTED), block(found.rule.source)))
    return Content("\n").join(parts)


def about(report: Report) -> Content:
    """A summary of the report."""
    ready, not_ready = "Zero-OS can start this image.", "Fix the errors, then check again."
    lines = [
        Content.styled(ready if report.ready else not_ready, "bold"),
        plain(report.artefact, MUTED),
        plain(checks.summary(report), MUTED),
    ]
    return Content("\n").join(lines)


def question_behind(finding: Finding) -> Question | None:
    """The question whose answer decides the rule, if there is one."""
    return next(filter(None, map(question_of, finding.rule.keys)), None)


def can_be_waived(finding: Finding) -> bool:
    """Whether a recipe may accept the finding: no ``must`` rule can be waived."""
    return finding.wrong and Severity.MUST not in {finding.severity, finding.rule.severity}


def not_exportable(path: Path) -> str:
    """Why no report can be written to ``path``; "" if one can."""
    try:
        checks.check_name(path)
    except ZwizardError as error:
        return f"{error.message}: {error.hint}"
    return not_writable(path)
