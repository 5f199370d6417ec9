"""The verdict of a rule on an image: modes, severities, outcomes."""

import enum
from dataclasses import dataclass


class Mode(enum.StrEnum):
    """What Zero-OS can start an image as: the three cases of its flist detection."""

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
    """How bad it is when a rule fails.

    MUST: the workload fails, starts as something else, or contradicts the guide. SHOULD: it
    works, but causes problems later. ADVICE: worth knowing.
    """

    MUST = "must"
    SHOULD = "should"
    ADVICE = "advice"


class Outcome(enum.StrEnum):
    """The result of a rule; UNKNOWN (something could not be read) never counts as passed."""

    PASS = "pass"  # noqa: S105 - not a password
    FAIL = "fail"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "n/a"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A rule's result on one image: the outcome, and the path, value or byte that decided.

    ``evidence`` is raw, as found in the image: sanitise it before showing. ``fix`` is what to
    do in this very case; "" leaves it to the rule's remedy. ``severity`` is how bad it is in
    this very case; None leaves it to the rule. ``no_contents`` says that it needs contents,
    which a flist does not have. ``cause`` is the rule because of which it was not checked.
    """

    outcome: Outcome
    evidence: str
    fix: str = ""
    severity: Severity | None = None
    no_contents: bool = False
    cause: str = ""


def passed(evidence: str) -> Verdict:
    """The rule passed; ``evidence`` is what decided."""
    return Verdict(Outcome.PASS, evidence)


def failed(evidence: str, fix: str = "", severity: Severity | None = None) -> Verdict:
    """The rule failed; ``evidence`` is what decided, ``fix`` what to do in this case."""
    return Verdict(Outcome.FAIL, evidence, fix, severity)


def unknown(evidence: str, fix: str = "") -> Verdict:
    """The rule could not be checked; ``evidence`` is what is missing."""
    return Verdict(Outcome.UNKNOWN, evidence, fix)


def not_applicable(evidence: str) -> Verdict:
    """The rule does not apply to this image; ``evidence`` is the reason."""
    return Verdict(Outcome.NOT_APPLICABLE, evidence)
