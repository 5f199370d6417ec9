"""What a check found, and how it is told: JSON for programs, text for people."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zwizard.checks.rule import Mode, Outcome, Rule, Severity, Verdict
from zwizard.util.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator


class Group(enum.Enum):
    """Where a finding stands in a report, and the heading there; what matters most first."""

    BLOCKS = "It will not work"
    LATER = "It works, and bites later"
    WORTH = "Worth knowing"
    UNKNOWN = "Could not be told"
    WAIVED = "Waived"
    HOLDS = "What holds"
    SILENT = "Not looked at, or says nothing about this image"

    @property
    def wrong(self) -> bool:
        """What stands there calls for something to be done, or was accepted as it is."""
        return self not in {Group.HOLDS, Group.SILENT}


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule and its verdict on one image; ``waived`` if the user accepts it as it is."""

    rule: Rule
    verdict: Verdict
    waived: bool = False

    @property
    def slug(self) -> str:
        """The rule's name."""
        return self.rule.slug

    @property
    def severity(self) -> Severity:
        """How bad it is if the rule fails on this image."""
        return self.verdict.severity or self.rule.severity

    @property
    def outcome(self) -> Outcome:
        """What the rule came to."""
        return self.verdict.outcome

    @property
    def evidence(self) -> str:
        """What decided, raw: sanitise it before showing."""
        return self.verdict.evidence

    @property
    def fix(self) -> str:
        """What to do about it, "" if nothing is wrong."""
        return (self.verdict.fix or self.rule.remedy) if self.wrong else ""

    @property
    def wrong(self) -> bool:
        """It failed, or could not be told."""
        return self.outcome in {Outcome.FAIL, Outcome.UNKNOWN}

    @property
    def blocks(self) -> bool:
        """It keeps the image from being called ready."""
        return self.wrong and self.severity is Severity.MUST

    @property
    def group(self) -> Group:
        """Where it stands; a ``must`` that could not be told blocks as one that failed does."""
        if not self.wrong:
            return Group.HOLDS if self.outcome is Outcome.PASS else Group.SILENT
        if self.blocks:
            return Group.BLOCKS
        if self.waived:
            return Group.WAIVED
        if self.outcome is Outcome.UNKNOWN:
            return Group.UNKNOWN
        return Group.LATER if self.severity is Severity.SHOULD else Group.WORTH

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
        return shown | {"waived": True} if self.waived else shown


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
        """What stands under one heading."""
        return tuple(finding for finding in self.findings if finding.group is group)

    def to_json(self) -> dict[str, Any]:
        """The report as ``check --json`` gives it."""
        return {
            "artefact": self.artefact,
            "mode": self.mode.value,
            "ready": self.ready,
            "findings": [finding.to_json() for finding in self.findings],
        }


MARKS = {Outcome.FAIL: "✗", Outcome.UNKNOWN: "?", Outcome.PASS: "✓", Outcome.NOT_APPLICABLE: "·"}


def render_text(report: Report) -> str:
    """The report for a terminal: what blocks first, every line safe to show."""
    lines = [f"{one_line(report.artefact)}: {report.mode.words}"]
    for group in Group:
        found = report.under(group) if group.wrong else ()
        lines += ["", group.value] if found else []
        for finding in found:
            lines += _told(finding)
    lines += ["", summary(report)]
    return "\n".join(lines) + "\n"


def summary(report: Report) -> str:
    """The report in a line: ``NOT ready: 2 block, 40 hold``."""
    counts = [(len(report.under(group)), word) for group, word in _COUNTED.items()]
    told = ", ".join(f"{count} {word}" for count, word in counts if count or word == "hold")
    return f"{'ready' if report.ready else 'NOT ready'}: {told}"


_COUNTED = {
    Group.BLOCKS: "block",
    Group.LATER: "bite later",
    Group.WORTH: "to know",
    Group.UNKNOWN: "unknown",
    Group.WAIVED: "waived",
    Group.HOLDS: "hold",
}


def told(finding: Finding) -> str:
    """One finding as text of a few lines, safe to show."""
    return "\n".join(_told(finding)) + "\n"


def _told(finding: Finding) -> Iterator[str]:
    yield f"  {MARKS[finding.outcome]} {finding.rule.title} [{finding.slug}]"
    yield f"      found   {one_line(finding.evidence)}"
    if finding.fix:
        yield f"      do      {one_line(finding.fix)}"
    yield f"      because {one_line(finding.rule.source)}"
