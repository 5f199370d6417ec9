"""The result of a check: JSON for programs, text for people."""

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from zwizard.checks.rule import Rule
from zwizard.checks.rules import all_rules
from zwizard.checks.verdict import Mode, Outcome, Severity
from zwizard.util.text import one_line


class Group(enum.Enum):
    """A heading of a report, the most important first, with the word that counts its findings."""

    ERROR = "Errors", "error"
    WARNING = "Warnings", "warning"
    NOTE = "Notes", "note"
    NOT_CHECKED = "Not checked", "not checked"
    FOLLOWING = "Consequences", "consequence"
    WAIVED = "Waived", "waived"
    PASSED = "Passed", "passed"
    NOT_APPLICABLE = "Not applicable", "not applicable"

    @property
    def heading(self) -> str:
        """The group's name above its findings."""
        return self.value[0]

    @property
    def wrong(self) -> bool:
        """Whether its findings call for something to be done, or were accepted as they are."""
        return self not in {Group.FOLLOWING, Group.PASSED, Group.NOT_APPLICABLE}

    def counted(self, count: int) -> str:
        """``count`` findings of this group: ``3 errors``, ``25 passed``."""
        plural = count != 1 and self in _COUNTABLE
        return f"{count} {self.value[1]}{'s' if plural else ''}"


_COUNTABLE = {Group.ERROR, Group.WARNING, Group.NOTE, Group.FOLLOWING}


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a rule on one image; ``waived`` if the user accepts it as it is.

    ``severity`` is how bad a failure is for this image. ``evidence`` is raw: sanitise it before
    showing. ``fix`` is what to do about it, "" if nothing is wrong. ``no_contents`` says that
    the rule needs contents, which a flist does not have. ``cause`` is the slug of the finding
    because of which the rule could not be checked, "" if it has a reason of its own.
    """

    rule: Rule
    outcome: Outcome
    severity: Severity
    evidence: str
    fix: str = ""
    waived: bool = False
    no_contents: bool = False
    cause: str = ""

    @property
    def slug(self) -> str:
        """The rule's name."""
        return self.rule.slug

    @property
    def wrong(self) -> bool:
        """It failed, or could not be checked."""
        return self.outcome in {Outcome.FAIL, Outcome.UNKNOWN}

    @property
    def blocks(self) -> bool:
        """It keeps the image from being ready."""
        return self.wrong and self.severity is Severity.MUST

    @property
    def group(self) -> Group:
        """Its heading; a ``must`` that could not be checked is an error as one that failed is."""
        if self.cause:
            return Group.FOLLOWING
        if not self.wrong:
            return Group.PASSED if self.outcome is Outcome.PASS else Group.NOT_APPLICABLE
        if self.no_contents:
            return Group.NOT_CHECKED
        if self.blocks:
            return Group.ERROR
        if self.waived:
            return Group.WAIVED
        if self.outcome is Outcome.UNKNOWN:
            return Group.NOT_CHECKED
        return Group.WARNING if self.severity is Severity.SHOULD else Group.NOTE

    def to_json(self) -> dict[str, Any]:
        """The finding as ``check --json`` gives it."""
        shown: dict[str, Any] = {
            "rule": self.slug,
            "severity": self.severity.value,
            "outcome": self.outcome.value,
            "evidence": self.evidence,
            "source": self.rule.source,
            "fix": self.fix,
        }
        flags = {"waived": self.waived, "no_contents": self.no_contents}
        shown |= {name: True for name, set_ in flags.items() if set_}
        return shown | ({"cause": self.cause} if self.cause else {})


@dataclass(frozen=True, slots=True)
class Report:
    """Every rule's finding on one artefact, in the order of the checklist."""

    artefact: str
    mode: Mode
    findings: tuple[Finding, ...]

    @property
    def ready(self) -> bool:
        """No ``must`` rule failed or is unknown."""
        return not any(finding.blocks for finding in self.findings)

    def finding(self, slug: str) -> Finding:
        """The finding of one rule; raises KeyError if there is no such rule."""
        for finding in self.findings:
            if finding.slug == slug:
                return finding
        raise KeyError(slug)

    def under(self, group: Group) -> tuple[Finding, ...]:
        """The findings of one group."""
        return tuple(finding for finding in self.findings if finding.group is group)

    def following(self, finding: Finding) -> tuple[str, ...]:
        """The rules that could not be checked because of ``finding``, by slug."""
        return tuple(other.slug for other in self.findings if other.cause == finding.slug)

    def to_json(self) -> dict[str, Any]:
        """The report as ``check --json`` gives it."""
        return {
            "artefact": self.artefact,
            "mode": self.mode.value,
            "ready": self.ready,
            "findings": [finding.to_json() for finding in self.findings],
        }


def report_of(data: Mapping[str, Any]) -> Report:
    """The report that ``Report.to_json`` gave as ``data``; raises ValueError for anything else.

    Severities and texts are those of ``data``, even where the rule has changed since.
    """
    try:
        findings = tuple(_finding_of(found) for found in data["findings"])
        return Report(str(data["artefact"]), Mode(data["mode"]), findings)
    except (KeyError, TypeError) as error:
        raise ValueError(f"this is not a report ({error!r})") from error


def _finding_of(found: Mapping[str, Any]) -> Finding:
    slug, severity = str(found["rule"]), Severity(found["severity"])
    current = next((rule for rule in all_rules() if rule.slug == slug), None)
    rule = current or Rule(
        severity, slug, frozenset(Mode), "", "", slug=slug
    )  # of another version
    return Finding(
        replace(rule, source=str(found["source"])),
        Outcome(found["outcome"]),
        severity,
        str(found["evidence"]),
        str(found["fix"]),
        bool(found.get("waived")),
        bool(found.get("no_contents")),
        str(found.get("cause", "")),
    )


MARKS = {Outcome.FAIL: "✗", Outcome.UNKNOWN: "?", Outcome.PASS: "✓", Outcome.NOT_APPLICABLE: "·"}


def render_text(report: Report) -> str:
    """The report for a terminal: errors first, every line safe to show."""
    lines = [f"{one_line(report.artefact)}: {report.mode.words}"]
    for group in Group:
        found = report.under(group) if group.wrong else ()
        lines += ["", group.heading] if found else []
        for finding in found:
            lines += _lines(finding, report.following(finding))
        if any(finding.no_contents for finding in found):
            lines.append("      A flist has no contents: check the archive that it was made of.")
    lines += ["", summary(report)]
    return "\n".join(lines) + "\n"


def summary(report: Report) -> str:
    """The report in a line: ``Not ready: 2 errors, 40 passed``."""
    counts = [(group, len(report.under(group))) for group in Group]
    shown = [
        group.counted(count)
        for group, count in counts
        if group is Group.PASSED or (count and group is not Group.NOT_APPLICABLE)
    ]
    return f"{_verdict(report)}: {', '.join(shown)}"


def _verdict(report: Report) -> str:
    if report.ready:
        return "Ready"
    return "Not ready" if report.under(Group.ERROR) else "No errors"


def render_finding(finding: Finding) -> str:
    """One finding as text of a few lines, safe to show."""
    return "\n".join(_lines(finding)) + "\n"


def others_follow(slugs: tuple[str, ...]) -> str:
    """How many rules follow, and which: ``2 others follow: init-present, init-starts``."""
    verb = "others follow" if len(slugs) > 1 else "other follows"
    return f"{len(slugs)} {verb}: {', '.join(slugs)}"


def _lines(finding: Finding, following: tuple[str, ...] = ()) -> Iterator[str]:
    yield f"  {MARKS[finding.outcome]} {finding.rule.title} [{finding.slug}]"
    if finding.no_contents:
        return
    yield f"      found   {one_line(finding.evidence)}"
    if finding.fix:
        yield f"      fix     {one_line(finding.fix)}"
    yield f"      source  {one_line(finding.rule.source)}"
    if following:
        yield f"      then    {others_follow(following)}"
