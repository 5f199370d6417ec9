"""Reports of checks: read a build's report, and find what a user can do about a finding."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from zwizard.boottest import records
from zwizard.boottest.records import BootTestRecord
from zwizard.engine import status
from zwizard.engine.builds import Build
from zwizard.tui.navigation import question_of
from zwizard.tui.screens.files import not_writable
from zwizard.util.errors import ZwizardError
from zwizard.wizard.questions import Question

if TYPE_CHECKING:
    from zwizard.checks import Finding, Report


def report_of_build(build: Build) -> Report:
    """The report of a build; ZwizardError if it cannot be read."""
    from zwizard import checks

    try:
        return checks.report_of(json.loads(build.report_file.read_text("utf-8"))["report"])
    except (ValueError, KeyError, TypeError) as error:
        raise ZwizardError(
            f"{build.report_file} is not a report: {error}", "Build it again."
        ) from None


def not_exportable(path: Path) -> str:
    """Why no report can be written to ``path``; "" if one can."""
    from zwizard import checks

    try:
        checks.check_name(path)
    except ZwizardError as error:
        return f"{error.message}: {error.hint}"
    return not_writable(path)


def question_behind(finding: Finding) -> Question | None:
    """The question whose answer decides the rule, if there is one."""
    questions = (question_of(key) for key in finding.rule.keys)
    return next((question for question in questions if question), None)


def can_be_waived(finding: Finding) -> bool:
    """Whether a recipe may accept the finding: no ``must`` rule can be waived."""
    return (
        finding.wrong
        and finding.severity.value != "must"
        and finding.rule.severity.value != "must"
    )


def last_boot_test(subject: Build | Path) -> BootTestRecord | None:
    """The last boot test of exactly these bytes, if any."""
    if isinstance(subject, Build):
        return records.last_test_of(status.of(subject).sha256)
    return records.last_test_of_file(subject)
