"""Check an image: every rule's verdict on a directory, an archive or a disk image."""

from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from zwizard.checks.context import CheckContext
from zwizard.checks.mode_detection import intended
from zwizard.checks.report.report import Finding, Report
from zwizard.checks.rule import Rule
from zwizard.checks.rules import all_rules
from zwizard.checks.verdict import Mode, Outcome, Severity, Verdict, not_applicable, unknown
from zwizard.image import (
    FileTree,
    FlistTree,
    Keep,
    SingleFileTree,
    TarballTree,
    UnreadableError,
    open_tree,
)
from zwizard.image.executables.entrypoint import first_program
from zwizard.image.flist.tree import NotInFlistError
from zwizard.image.tarball import TAR_NAMES
from zwizard.util.errors import UsageError


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

    ``mode`` is what it is meant to be; None detects it from the files in it. ``disk_size`` is in
    bytes, of the disk that will be rented. ``waive`` are slugs of ``should`` and ``advice`` rules
    to accept. ``progress`` gets (bytes read, bytes in all). ``planned_name`` is the name that a
    directory's archive will have. Raises UnreadableError, UsageError for a wrong mode or waiver.
    """
    stated = None if mode is None else _mode(mode)
    _check_waivers(waive)
    reads = (pattern for rule in all_rules() for pattern in rule.reads)
    keep = Keep([*reads, first_program(entrypoint)])
    with open_tree(path, keep=keep, progress=progress) as tree:
        context = CheckContext(
            tree,
            mode=stated or intended(tree),
            stated=stated is not None,
            name=planned_name or _archive_name(Path(path), tree),
            disk_size=disk_size,
            entrypoint=entrypoint,
        )
        with closing(context):
            report = judge(context, waive=waive)
        if not tree.unchanged():
            raise UnreadableError(
                f"{path} changed while it was checked",
                "Check it again when nothing writes to it any more.",
            )
        return report


def judge(context: CheckContext, *, waive: Collection[str] = ()) -> Report:
    """Every rule's verdict on an image that is open already."""
    rules = {rule.slug: rule for rule in all_rules()}
    findings: dict[str, Finding] = {}

    def finding(rule: Rule) -> Finding:
        if rule.slug not in findings:
            verdict = judged(rule)
            severity = verdict.severity or rule.severity_in(context.mode)
            wrong = verdict.outcome in {Outcome.FAIL, Outcome.UNKNOWN}
            fix = (verdict.fix or rule.fix) if wrong else ""
            findings[rule.slug] = Finding(
                rule, verdict.outcome, severity, verdict.evidence, fix, rule.slug in waive,
                verdict.no_contents, verdict.cause,
            )  # fmt: skip
        return findings[rule.slug]

    def judged(rule: Rule) -> Verdict:
        if context.mode not in rule.modes:
            return not_applicable(f"does not apply to {context.mode.words}")
        if rule.of_archive and isinstance(context.tree, FlistTree):
            return not_applicable("a flist says nothing of its archive")
        if rule.after and _stops(first := finding(rules[rule.after])):
            reason = f"not checked: {rule.after} must pass first"
            cause = first.cause or (first.slug if first.wrong else "")
            return Verdict(Outcome.NOT_APPLICABLE, reason, cause=cause)
        try:
            return rule.judge(context)
        except NotInFlistError as error:
            return Verdict(Outcome.UNKNOWN, error.message, error.hint, no_contents=True)
        except UnreadableError as error:
            return unknown(error.message, error.hint)

    found = [finding(rule) for rule in rules.values()]
    return Report(str(context.tree.path), context.mode, tuple(_with_causes(found)))


def _with_causes(findings: list[Finding]) -> Iterator[Finding]:
    """The findings; of those that could not be checked for one reason all but the worst follow."""
    worst: dict[str, str] = {}
    for found in sorted(findings, key=lambda found: (not found.blocks, found.waived)):
        if found.wrong and not found.no_contents:
            worst.setdefault(found.evidence, found.slug)
    causes = {
        found.slug: worst[found.evidence]
        for found in findings
        if found.outcome is Outcome.UNKNOWN and not found.no_contents
    }
    for found in findings:
        cause = causes.get(found.cause or found.slug, found.cause)
        yield found if cause == found.slug else replace(found, cause=cause)


def _stops(finding: Finding) -> bool:
    """Whether rules after this one have nothing to judge: a failed ``should`` leaves something."""
    stops = finding.outcome is not Outcome.PASS and not finding.no_contents
    return stops and finding.severity is Severity.MUST


def find_rule(slug: str) -> Rule:
    """The rule named ``slug``; raises UsageError if there is none."""
    for rule in all_rules():
        if rule.slug == slug:
            return rule
    near = get_close_matches(slug, [rule.slug for rule in all_rules()], 1)
    raise UsageError(
        f"there is no rule named {slug!r}",
        f"Did you mean {near[0]}?" if near else "zwizard check --explain lists every rule.",
    )


def _mode(name: Mode | str) -> Mode:
    try:
        return Mode(name)
    except ValueError as error:
        raise UsageError(
            f"there is no mode {name!r}", f"It is one of {', '.join(Mode)}."
        ) from error


def _archive_name(path: Path, tree: FileTree) -> str:
    if isinstance(tree, SingleFileTree):
        return f"{tree.path.stem}.tar.gz"  # what it is packed as
    if isinstance(tree, TarballTree) and not tree.gzipped:
        return f"{TAR_NAMES.sub('', tree.path.name)}.tar.gz"  # what a repair or build packs it as
    return tree.path.name if tree.path.is_file() else f"{path.resolve().name}.tar.gz"


def _check_waivers(waive: Collection[str]) -> None:
    for slug in waive:
        if find_rule(slug).severity is Severity.MUST:
            raise UsageError(
                f"the rule {slug} cannot be waived: without it the image does not work",
                "Only rules of severity should or advice can be waived.",
            )
