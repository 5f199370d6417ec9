"""A rule of the checklist: a record of its texts, with one function that judges an image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from zwizard.checks.context import CheckContext
from zwizard.checks.verdict import Mode, Severity, Verdict, not_applicable

Judge = Callable[[CheckContext], Verdict]

EVERY = frozenset(Mode)
CONTAINER = frozenset({Mode.CONTAINER})
VM = frozenset({Mode.VM})
IMAGE = frozenset({Mode.IMAGE})
VM_IMAGE = frozenset({Mode.VM, Mode.IMAGE})
CONTAINER_VM = frozenset({Mode.CONTAINER, Mode.VM})


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the checklist. Used as a decorator, it takes the function below as ``judge``.

    ``slug`` is its permanent name in JSON, recipes and reports: that of the function, with dashes.
    ``source`` is the sentence of the Zmachine guide, or the fact about Zero-OS or its hub, that it
    follows from; ``fix`` what to do if it fails; ``example`` evidence of a failure. ``after`` is
    the slug of a ``must`` rule that must pass first. ``reads`` are the paths (shell patterns) of
    the contents it needs, for archives that are read once from front to back. In the modes
    ``must_in`` it is a ``must``
    whatever its ``severity``. ``of_archive`` says that it judges how the files were packed.
    ``keys`` are the recipe's keys that decide it in an image built here, the most likely first.
    """

    severity: Severity
    title: str
    modes: frozenset[Mode]
    source: str
    fix: str
    after: str = ""
    reads: tuple[str, ...] = ()
    must_in: frozenset[Mode] = frozenset()
    of_archive: bool = False
    keys: tuple[str, ...] = ()
    example: str = ""
    slug: str = ""
    judge: Judge = lambda _: not_applicable("no function judges this rule")

    def __call__(self, judge: Judge) -> Rule:
        """The same rule, judged by ``judge`` and named after it."""
        return replace(self, slug=judge.__name__.replace("_", "-"), judge=judge)

    def severity_in(self, mode: Mode) -> Severity:
        """How bad a failure is for an image judged as ``mode``."""
        return Severity.MUST if mode in self.must_in else self.severity


must = partial(Rule, Severity.MUST)
should = partial(Rule, Severity.SHOULD)
advice = partial(Rule, Severity.ADVICE)
