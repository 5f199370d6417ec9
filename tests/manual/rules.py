"""The table of the rules, in Markdown, for the manual."""

from __future__ import annotations

from zwizard.checks import all_rules
from zwizard.checks.report.docs import explanation, modes, severity
from zwizard.checks.rule import Rule


def rules_table() -> str:
    """The whole checklist as a Markdown table, with the modes as letters (see ``modes``)."""
    lines = ["| rule | severity | for | title | source |", "|---|---|---|---|---|"]
    lines += [_row(rule) for rule in all_rules()]
    return "\n".join(lines) + "\n"


def rule_sections() -> str:
    """All that is known of each rule, as ``zwizard check --explain`` prints it."""
    lines: list[str] = []
    for rule in all_rules():
        lines += [f"## {rule.slug}", "", _cell(rule.title), ""]
        lines += [f"- {name}: {_cell(value)}" for name, value in explanation(rule)]
        lines.append("")
    return "\n".join(lines)


def _row(rule: Rule) -> str:
    title, source = _cell(rule.title), _cell(rule.source)
    return f"| `{rule.slug}` | {severity(rule)} | {modes(rule)} | {title} | {source} |"


def _cell(text: str) -> str:
    escaped = "".join(f"\\{char}" if char in r"\`*_[]<>|" else char for char in text)
    return " ".join(escaped.split())
