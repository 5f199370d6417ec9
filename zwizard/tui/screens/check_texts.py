"""Texts of the checklist screen: groups, filters, rows, the verdict, one finding in full."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

from textual.content import Content

from zwizard.tui.format import MUTED, block, fit, join, plain
from zwizard.tui.screens.dialogs import Ask, Option
from zwizard.tui.widgets.stable_list import Row

if TYPE_CHECKING:
    from zwizard.checks import Finding, Report
    from zwizard.engine.repair import Remedy

GROUPS = {  # in this order
    "ERROR": ("✗", "$text-error"),
    "WARNING": ("!", "$text-warning"),
    "NOTE": ("i", "$text-accent"),
    "NOT_CHECKED": ("?", "$text-warning"),
    "WAIVED": ("~", MUTED),
    "PASSED": ("✓", "$text-success"),
    "NOT_APPLICABLE": ("–", MUTED),
}
FOLDED = {"PASSED", "NOT_APPLICABLE"}  # at first
WORDS = {
    "fail": "failed",
    "unknown": "not checked",
    "pass": "passed",
    "n/a": "not applicable",
}
ALL = "a"
FILTERS: dict[str, tuple[str, Callable[[Finding], bool]]] = {
    ALL: ("every rule", lambda _: True),
    "w": ("errors, warnings and notes", lambda found: found.wrong),
    "m": ("must: a failure is an error", lambda f: f.severity.value == "must"),
    "s": ("should: a failure is a warning", lambda f: f.severity.value == "should"),
    "d": ("advice: a failure is a note", lambda found: found.severity.value == "advice"),
    "u": ("not checked", lambda found: found.outcome.value == "unknown"),
    "h": ("passed", lambda found: found.outcome.value == "pass"),
    "n": ("not applicable", lambda found: found.outcome.value == "n/a"),
}


def fixable(report: Report) -> bool:
    """Whether some finding can be fixed in a new archive; disk images cannot be."""
    return report.mode.value != "image" and any(found.wrong for found in report.findings)


def ask_to_fix(remedy: Remedy) -> Ask:
    """The question whether to fix, with what would change and what would not."""
    not_fixed = ", ".join(found.slug for found in remedy.left)
    lines = [f"- {change}" for change in remedy.changes]
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
    errors = sum(found.blocks for found in report.findings)
    if report.ready and tested:
        verdict = Content.styled("◆ READY, TESTED", "bold $text-success")
    elif report.ready:
        verdict = Content.styled("✓ READY", "bold $text-success")
    else:
        verdict = Content.styled(
            f"✗ NOT READY: {errors} {'error' if errors == 1 else 'errors'}", "bold $text-error"
        )
    return join(Content.styled(report.mode.value, MUTED), verdict, between=" · ")


def rows(findings: Sequence[Finding], folded: AbstractSet[str]) -> list[Row]:
    """The findings below the headings of their groups; ``folded`` groups are only a heading."""
    rows = []
    for group, (glyph, style) in GROUPS.items():
        members = [finding for finding in findings if finding.group.name == group]
        if not members:
            continue
        more = " …" if group in folded else ""
        heading = f"{glyph} {members[0].group.heading} ({len(members)}){more}"
        rows.append(Row(f"group:{group}", Content.styled(heading, f"bold {style}")))
        if group not in folded:
            rows += [Row(f"rule:{m.slug}", _row(m, glyph, style)) for m in members]
    return rows


def _row(found: Finding, glyph: str, style: str) -> Content:
    sign = "?" if found.outcome.value == "unknown" else glyph
    slug = plain(fit(found.slug, 24))
    evidence = found.evidence or found.rule.title
    return Content.assemble("  ", (sign, style), " ", slug, "  ", plain(evidence, MUTED))


def detail(found: Finding) -> Content:
    """A finding in full: what was found, how to fix it, and why the rule exists."""
    word = "waived" if found.waived and found.wrong else WORDS[found.outcome.value]
    label = "Reason" if found.outcome.value == "n/a" else "Found"
    parts = [
        Content.assemble(
            plain(found.rule.title, "bold"), (f"  {found.severity.value}, {word}", MUTED)
        ),
        Content.assemble((f"{label:<9}", MUTED), block(found.evidence)),
    ]
    if found.fix:
        parts.append(Content.assemble(("Fix      ", MUTED), block(found.fix)))
    parts.append(Content.assemble(("Why      ", MUTED), block(found.rule.source)))
    return Content("\n").join(parts)


def about(report: Report) -> Content:
    """A summary of the report."""
    from zwizard import checks

    result = "Zero-OS can start this image."
    if not report.ready:
        result = "Fix the errors, then check again."
    lines = [
        Content.styled(result, "bold"),
        plain(report.artefact, MUTED),
        plain(checks.summary(report), MUTED),
    ]
    return Content("\n").join(lines)
