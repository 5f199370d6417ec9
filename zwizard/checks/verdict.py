"""What a rule says of an image: modes, severities, outcomes and verdicts."""

from __future__ import annotations

import enum
from dataclasses import dataclass


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
