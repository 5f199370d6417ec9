"""The checklist: the rules an image must meet, and the report of a check."""

from zwizard.checks.checker import check, find_rule, judge
from zwizard.checks.report.docs import explain_rule, list_rules
from zwizard.checks.report.export import check_name, render_html, render_markdown, write_report
from zwizard.checks.report.report import (
    MARKS,
    Finding,
    Group,
    Report,
    others_follow,
    render_finding,
    render_text,
    report_of,
    summary,
)
from zwizard.checks.rule import Rule
from zwizard.checks.rules import all_rules
from zwizard.checks.verdict import Mode, Outcome, Severity

__all__ = [
    "MARKS",
    "Finding",
    "Group",
    "Mode",
    "Outcome",
    "Report",
    "Rule",
    "Severity",
    "all_rules",
    "check",
    "check_name",
    "explain_rule",
    "find_rule",
    "judge",
    "list_rules",
    "others_follow",
    "render_finding",
    "render_html",
    "render_markdown",
    "render_text",
    "report_of",
    "summary",
    "write_report",
]
