"""The rules an image must meet, by subject, and the report of what was found."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zwizard.checks.context import CheckContext
from zwizard.checks.mode_detection import intended
from zwizard.checks.report.docs import explain, overview, table
from zwizard.checks.report.export import check_name, render_html, render_markdown, write_report
from zwizard.checks.report.report import MARKS, Finding, Group, Report, render_text, summary, told
from zwizard.checks.rule import Mode, Outcome, Rule, Severity, Verdict, not_applicable, unknown
from zwizard.checks.rules import (
    access,
    archive,
    bootloader,
    cloud_init,
    container,
    disk,
    first_boot,
    flist,
    kernel,
)
from zwizard.checks.rules import boot_mode as mode
from zwizard.image import Keep, SingleFileTree, UnreadableError, open_tree
from zwizard.util.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from zwizard.image import FileTree

__all__ = [
    "MARKS",
    "RULES",
    "Finding",
    "Group",
    "Mode",
    "Outcome",
    "Report",
    "Rule",
    "Severity",
    "check",
    "check_name",
    "explain_rule",
    "find_rule",
    "judge",
    "list_rules",
    "render_html",
    "render_markdown",
    "render_text",
    "report_of",
    "rules_table",
    "summary",
    "told",
    "write_report",
]

RULES: tuple[Rule, ...] = (
    *archive.RULES,
    *mode.RULES,
    *kernel.RULES,
    *cloud_init.RULES,
    *access.RULES,
    *first_boot.RULES,
    *flist.RULES,
    *disk.BEFORE,
    *bootloader.RULES,
    *disk.AFTER,
    *container.RULES,
)
"""The whole checklist, in the order in which it is shown."""


def check(
    path: Path | str,
    *,
    mode: Mode | str | None = None,
    disk_size: int | None = None,
    entrypoint: str | None = None,
    waive: Collection[str] = (),
    progress: Callable[[int, int], None] | None = None,
    planned_name: str | None = None,
) -> Report:
    """Judge the directory or archive at ``path`` by every rule.

    ``mode`` is what it is meant to be; None takes what its own names say. ``disk_size`` is in
    bytes, of the disk that will be rented. ``waive`` are slugs of ``should`` and ``advice`` rules
    to accept. ``progress`` gets (bytes read, bytes in all). ``planned_name`` is the archive's
    name to be, for a directory. Raises UnreadableError, or UsageError for a wrong mode or waiver.
    """
    stated = None if mode is None else _mode(mode)
    _check_waivers(waive)
    keep = Keep(pattern for rule in RULES for pattern in rule.reads)
    with open_tree(path, keep=keep, progress=progress) as view:
        image = CheckContext(
            view,
            mode=stated or intended(view),
            stated=stated is not None,
            name=planned_name or _archive_name(Path(path), view),
            disk_size=disk_size,
            entrypoint=entrypoint,
        )
        with closing(image):
            report = judge(image, waive=waive)
        if not view.unchanged():
            raise UnreadableError(
                f"{path} changed while it was checked",
                "Check it again when nothing writes to it any more.",
            )
        return report


def judge(image: CheckContext, *, waive: Collection[str] = ()) -> Report:
    """Every rule's verdict on an image already opened."""
    verdicts: dict[str, Verdict] = {}
    for rule in RULES:
        verdicts[rule.slug] = _verdict(rule, image, verdicts)
    findings = tuple(
        Finding(rule, _weighed(rule, image, verdicts[rule.slug]), rule.slug in waive)
        for rule in RULES
    )
    return Report(str(image.view.path), image.mode, findings)


def report_of(data: Mapping[str, Any]) -> Report:
    """The report that ``Report.to_json`` gave as ``data``; raises ValueError if none did.

    What it says of a rule is kept, whatever the rule says by now.
    """
    try:
        findings = tuple(_finding_of(found) for found in data["findings"])
        return Report(str(data["artefact"]), Mode(data["mode"]), findings)
    except (KeyError, TypeError) as error:
        raise ValueError(f"it is no report ({error!r})") from error


def _finding_of(found: Mapping[str, Any]) -> Finding:
    slug, severity = str(found["rule"]), Severity(found["severity"])
    texts = {key: str(found[key]) for key in ("evidence", "source", "fix")}
    verdict = Verdict(Outcome(found["outcome"]), texts["evidence"], texts["fix"], severity)
    rule = next((rule for rule in RULES if rule.slug == slug), None)
    if rule is None:  # of another version
        rule = Rule(slug, slug, severity, frozenset(Mode), "", "", lambda _: verdict)
    rule = replace(rule, source=texts["source"])
    return Finding(rule, verdict, bool(found.get("waived")))


def find_rule(slug: str) -> Rule:
    """The rule named ``slug``; raises UsageError if there is none."""
    for rule in RULES:
        if rule.slug == slug:
            return rule
    near = get_close_matches(slug, [rule.slug for rule in RULES], 1)
    raise UsageError(
        f"there is no rule named {slug!r}",
        f"Did you mean {near[0]}?"
        if near
        else "The rules' names are in brackets in what zwizard check prints.",
    )


def explain_rule(slug: str) -> str:
    """Everything about the rule named ``slug``, as text; raises UsageError if there is none."""
    return explain(find_rule(slug))


def list_rules() -> str:
    """The whole checklist for a terminal, a line a rule."""
    return overview(RULES)


def rules_table() -> str:
    """The whole checklist as a Markdown table."""
    return table(RULES)


def _verdict(rule: Rule, image: CheckContext, before: dict[str, Verdict]) -> Verdict:
    if image.mode not in rule.modes:
        return not_applicable(f"says nothing about {image.mode.words}")
    if rule.after and _stops(before[rule.after]):
        return not_applicable(f"not looked at: {rule.after} comes first")
    try:
        return rule.judge(image)
    except UnreadableError as error:
        return unknown(error.message, error.hint)


def _stops(verdict: Verdict) -> bool:
    """What failed only as a ``should`` leaves something to judge behind it."""
    return verdict.outcome is not Outcome.PASS and verdict.severity in {None, Severity.MUST}


def _weighed(rule: Rule, image: CheckContext, verdict: Verdict) -> Verdict:
    return replace(verdict, severity=verdict.severity or rule.severity_in(image.mode))


def _mode(name: Mode | str) -> Mode:
    try:
        return Mode(name)
    except ValueError as error:
        raise UsageError(
            f"there is no mode {name!r}", f"It is one of {', '.join(Mode)}."
        ) from error


def _archive_name(path: Path, view: FileTree) -> str:
    if isinstance(view, SingleFileTree):
        return f"{view.path.stem}.tar.gz"  # what it is packed as
    return view.path.name if view.path.is_file() else f"{path.resolve().name}.tar.gz"


def _check_waivers(waive: Collection[str]) -> None:
    for slug in waive:
        if find_rule(slug).severity is Severity.MUST:
            raise UsageError(
                f"the rule {slug} cannot be waived: without it the image does not work",
                "Waive only rules that are called should or advice.",
            )
