"""The rules explained, from their own records: one for the terminal, all as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zwizard.checks.rule import Mode, Rule, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

_MEANS = {
    Severity.MUST: "without it the image does not work, or starts as something else",
    Severity.SHOULD: "the image works without it, and that bites later",
    Severity.ADVICE: "worth knowing",
}
_LETTERS = {Mode.CONTAINER: "C", Mode.VM: "V", Mode.IMAGE: "R"}


def severity(rule: Rule) -> str:
    """How bad it is if ``rule`` fails, by mode where that differs: ``should; must for C``."""
    if not rule.must_in:
        return rule.severity.value
    return f"{rule.severity.value}; must for {_modes(rule.must_in)}"


def modes(rule: Rule) -> str:
    """Where ``rule`` applies: letters of the modes, ``*`` for all."""
    return "*" if rule.modes == frozenset(Mode) else _modes(rule.modes)


def _modes(some: Iterable[Mode]) -> str:
    there = frozenset(some)
    return "".join(letter for mode, letter in _LETTERS.items() if mode in there)


def explain(rule: Rule) -> str:
    """All there is to say about ``rule``, as text."""
    holds = " ".join((rule.judge.__doc__ or "").split())
    words = ", ".join(mode.words for mode in Mode if mode in rule.modes)
    lines = [
        f"{rule.slug}: {rule.title}",
        "",
        f"  severity  {severity(rule)}: {_MEANS[rule.severity]}",
        f"  judged    {words}",
        f"  holds     {holds}",
        f"  because   {rule.source}",
        f"  to mend   {rule.remedy}",
    ]
    if rule.answers:
        lines.append(f"  answers   decided by {' and '.join(rule.answers)} in a recipe")
    if rule.after:
        lines.append(f"  after     {rule.after} has to pass first")
    return "\n".join(lines) + "\n"


def overview(rules: Iterable[Rule]) -> str:
    """``rules``, a line each: where it applies, how bad it is, its name, what holds."""
    lines = [f"{modes(rule):<3} {rule.severity:<7} {rule.slug:<26} {rule.title}" for rule in rules]
    key = "\nC container, V VM with its own kernel, R VM from a disk image, * all three\n"
    return "\n".join(lines) + "\n" + key


def table(rules: Iterable[Rule]) -> str:
    """``rules`` as a Markdown table: C container, V own-kernel VM, R image.raw, * all."""
    lines = ["| rule | severity | for | what holds | because |", "|---|---|---|---|---|"]
    lines += [
        f"| `{rule.slug}` | {severity(rule)} | {modes(rule)} | {_cell(rule.title)} |"
        f" {_cell(rule.source)} |"
        for rule in rules
    ]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    escaped = "".join(f"\\{char}" if char in r"\`*_[]<>|" else char for char in text)
    return " ".join(escaped.split())
