"""What a rule is: a small record with one function that judges an image."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from zwizard.checks.context import CheckContext


class Mode(enum.StrEnum):
    """What Zero-OS can start an image as (zmachine.md; the three cases of its flist detection)."""

    CONTAINER = "container"
    VM = "vm"
    IMAGE = "image"

    @property
    def words(self) -> str:
        """The mode as it is called in a sentence."""
        return _WORDS[self]


_WORDS = {
    Mode.CONTAINER: "a container",
    Mode.VM: "a VM with its own kernel",
    Mode.IMAGE: "a VM from a disk image",
}

EVERY = frozenset(Mode)
CONTAINER = frozenset({Mode.CONTAINER})
VM = frozenset({Mode.VM})
IMAGE = frozenset({Mode.IMAGE})
VM_IMAGE = frozenset({Mode.VM, Mode.IMAGE})
CONTAINER_VM = frozenset({Mode.CONTAINER, Mode.VM})


class Severity(enum.StrEnum):
    """What it means when a rule fails.

    MUST: the workload fails, starts as something else, or breaks the document. SHOULD: it
    works, and bites later. ADVICE: worth knowing.
    """

    MUST = "must"
    SHOULD = "should"
    ADVICE = "advice"


class Outcome(enum.StrEnum):
    """What a rule came to; UNKNOWN is that something could not be read, which never passes."""

    PASS = "pass"  # noqa: S105 - not a password
    FAIL = "fail"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "n/a"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rule says of one image: the outcome, and the path, value or byte that decided.

    ``evidence`` is raw, as found in the image: sanitise it before showing. ``fix`` is what to
    do in this very case; "" leaves it to the rule's remedy. ``severity`` is how bad it is in
    this very case; None leaves it to the rule.
    """

    outcome: Outcome
    evidence: str
    fix: str = ""
    severity: Severity | None = None


def passed(evidence: str) -> Verdict:
    """The rule holds; ``evidence`` says by what."""
    return Verdict(Outcome.PASS, evidence)


def failed(evidence: str, fix: str = "", severity: Severity | None = None) -> Verdict:
    """The rule is broken; ``evidence`` says by what, ``fix`` what to do if more can be said."""
    return Verdict(Outcome.FAIL, evidence, fix, severity)


def unknown(evidence: str, fix: str = "") -> Verdict:
    """It could not be told; ``evidence`` says what is missing."""
    return Verdict(Outcome.UNKNOWN, evidence, fix)


def not_applicable(evidence: str) -> Verdict:
    """The rule says nothing about this image; ``evidence`` says why."""
    return Verdict(Outcome.NOT_APPLICABLE, evidence)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the checklist.

    ``slug`` is its name for ever: in JSON, recipes and reports. ``source`` is the document's
    sentence or the fact about Zero-OS or its hub behind it. ``after`` is the slug of a ``must``
    rule that has to pass for this one to have anything to judge. ``reads`` are the paths (shell
    patterns) whose contents it will want, for views that are read once from front to back.
    ``must_in`` are the modes in which it is a ``must`` whatever ``severity`` says. ``answers``
    are the recipe's keys that decide it in an image of one's own, the most likely first.
    """

    slug: str
    title: str
    severity: Severity
    modes: frozenset[Mode]
    source: str
    remedy: str
    judge: Callable[[CheckContext], Verdict]
    after: str = ""
    reads: tuple[str, ...] = ()
    must_in: frozenset[Mode] = frozenset()
    answers: tuple[str, ...] = ()

    def severity_in(self, mode: Mode) -> Severity:
        """How bad it is if the rule fails on an image judged as ``mode``."""
        return Severity.MUST if mode in self.must_in else self.severity


def rule(
    slug: str,
    title: str,
    *,
    severity: Severity,
    modes: frozenset[Mode],
    source: str,
    remedy: str,
    after: str = "",
    reads: tuple[str, ...] = (),
    must_in: frozenset[Mode] = frozenset(),
    answers: tuple[str, ...] = (),
) -> Callable[[Callable[[CheckContext], Verdict]], Rule]:
    """Make the function below it the ``judge`` of a Rule with these texts."""

    def made(judge: Callable[[CheckContext], Verdict]) -> Rule:
        return Rule(
            slug, title, severity, modes, source, remedy, judge, after, reads, must_in, answers
        )

    return made
