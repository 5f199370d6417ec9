"""What a check found, and how it is told: JSON for programs, text for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zwizard.checklist.rule import Mode, Outcome, Rule, Severity, Verdict
from zwizard.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator


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

    def wrong(self, severity: Severity) -> tuple[Finding, ...]:
        """What failed or is unknown at one severity and is not waived."""
        return tuple(
            finding
            for finding in self.findings
            if finding.wrong and finding.severity is severity and not finding.waived
        )

    @property
    def waived(self) -> tuple[Finding, ...]:
        """What is wrong and accepted as it is."""
        return tuple(finding for finding in self.findings if finding.wrong and finding.waived)

    def to_json(self) -> dict[str, Any]:
        """The report as ``check --json`` gives it."""
        return {
            "artefact": self.artefact,
            "mode": self.mode.value,
            "ready": self.ready,
            "findings": [finding.to_json() for finding in self.findings],
        }


HEADINGS = {
    Severity.MUST: "It will not work",
    Severity.SHOULD: "It works, and bites later",
    Severity.ADVICE: "Worth knowing",
}
MARKS = {Outcome.FAIL: "✗", Outcome.UNKNOWN: "?", Outcome.PASS: "✓", Outcome.NOT_APPLICABLE: "·"}


def render_text(report: Report) -> str:
    """The report for a terminal: what blocks first, every line safe to show."""
    lines = [f"{one_line(report.artefact)}: {report.mode.words}"]
    for severity, heading in HEADINGS.items():
        lines += _section(heading, report.wrong(severity))
    lines += _section("Waived", report.waived)
    lines += ["", summary(report)]
    return "\n".join(lines) + "\n"


def summary(report: Report) -> str:
    """The report in a line: ``NOT ready: 2 block, 40 hold``."""
    held = sum(finding.outcome is Outcome.PASS for finding in report.findings)
    return f"{'ready' if report.ready else 'NOT ready'}: {_counts(report)}{held} hold"


def _section(heading: str, findings: tuple[Finding, ...]) -> Iterator[str]:
    if not findings:
        return
    yield ""
    yield heading
    for finding in findings:
        yield f"  {MARKS[finding.outcome]} {finding.rule.title} [{finding.slug}]"
        yield f"      found   {one_line(finding.evidence)}"
        yield f"      do      {one_line(finding.fix)}"
        yield f"      because {one_line(finding.rule.source)}"


def _counts(report: Report) -> str:
    names = {Severity.MUST: "block", Severity.SHOULD: "bite later", Severity.ADVICE: "to know"}
    found = [(len(report.wrong(severity)), name) for severity, name in names.items()]
    return "".join(f"{count} {name}, " for count, name in found if count)
