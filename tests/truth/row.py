"""One input of the table of truth."""

from __future__ import annotations

from dataclasses import dataclass

from tests.support.faults import Fault


@dataclass(frozen=True, slots=True)
class Row:
    """An input: a good VM with one difference.

    ``real`` is what its real reader does with it, measured by what the table names. ``rule`` is
    the rule of the checklist that judges it; ``says`` its word: ``must`` or ``should`` if it
    fails with that severity, "" if it passes.
    """

    name: str
    breaks: Fault
    real: str
    rule: str
    says: str = ""
