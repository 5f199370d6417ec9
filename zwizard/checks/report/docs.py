"""The rules explained from their own records, for a terminal: one, or a line for each."""

from collections.abc import Iterator

from zwizard.checks.checker import find_rule
from zwizard.checks.rule import Rule
from zwizard.checks.rules import all_rules
from zwizard.checks.verdict import Mode, Severity

_MEANING = {
    Severity.MUST: "a failure is an error: the image does not work, or starts as something else",
    Severity.SHOULD: "a failure is a warning: the image works, but causes problems later",
    Severity.ADVICE: "a failure is a note",
}
_LETTERS = {Mode.CONTAINER: "C", Mode.VM: "V", Mode.IMAGE: "R"}
_KEY = "C container, V VM with its own kernel, R VM from a disk image, * all three"


def severity(rule: Rule) -> str:
    """The severity of ``rule``, by mode where that differs: ``should; must for C``."""
    if not rule.must_in:
        return rule.severity.value
    return f"{rule.severity.value}; must for {_letters(rule.must_in)}"


def modes(rule: Rule) -> str:
    """Where ``rule`` applies: letters of the modes, ``*`` for all."""
    return "*" if rule.modes == frozenset(Mode) else _letters(rule.modes)


def _letters(some: frozenset[Mode]) -> str:
    return "".join(letter for mode, letter in _LETTERS.items() if mode in some)


def explain_rule(slug: str) -> str:
    """Everything about the rule named ``slug``, as text; raises UsageError if there is none."""
    rule = find_rule(slug)
    return f"{rule.slug}: {rule.title}\n\n" + "".join(
        f"  {name:<9} {value}\n" for name, value in explanation(rule)
    )


def explanation(rule: Rule) -> Iterator[tuple[str, str]]:
    """Everything about ``rule`` by heading."""
    yield "severity", f"{severity(rule)}: {_MEANING[rule.severity]}"
    yield "applies", ", ".join(mode.words for mode in Mode if mode in rule.modes)
    if rule.reads:
        yield "reads", ", ".join(rule.reads)
    yield "passes", " ".join((rule.judge.__doc__ or "").split())
    yield "fails", f"for example: {rule.example}"
    yield "source", rule.source
    yield "fix", rule.fix
    if rule.keys:
        yield "recipe", f"decided by {' and '.join(rule.keys)}"
    if rule.after:
        yield "after", f"{rule.after} must pass first"


def list_rules() -> str:
    """The whole checklist for a terminal, a line for each rule."""
    lines = [
        f"{modes(rule):<3} {rule.severity:<7} {rule.slug:<26} {rule.title}" for rule in all_rules()
    ]
    return "\n".join([*lines, "", _KEY]) + "\n"
