"""Files and the entrypoint: what the file is, and whether the entrypoint is in it."""

from __future__ import annotations

import re
from functools import partial

from zwizard.sources.base import InputReport
from zwizard.sources.entrypoint_check import ENTRYPOINT
from zwizard.sources.inspection import FILES
from zwizard.wizard.questions import RawAnswers
from zwizard.wizard.questions.record import is_installed
from zwizard.wizard.suggestions.record import Hint, Suggester, Suggestions, doubt

_OF_PACKAGES = re.compile(r"/(usr/(?!local/)|s?bin/|lib(32|64|x32)?/|opt/|etc/|var/)")


def _hint_file(key: str, _: str, __: RawAnswers, suggestions: Suggestions, typing: bool) -> Hint:
    report = suggestions.files.get(key, InputReport())
    if report.wrong:
        return Hint() if typing else doubt(f"{report.wrong}.")
    return Hint(report.summary)


def _hint_entrypoint(
    text: str, answers: RawAnswers, suggestions: Suggestions, typing: bool
) -> Hint:
    """Whether it is in the file; of a distribution, whether a package can install it."""
    report = suggestions.entrypoint
    if problem := report.wrong or report.doubt:
        return Hint() if typing else doubt(f"{problem}.")
    path, commands = text.strip(), answers.get("system.run", "").strip()
    plausible = not is_installed(answers) or not path.startswith("/") or _OF_PACKAGES.match(path)
    if plausible or commands or typing:
        return Hint(report.summary)
    return doubt(f"No package installs {path}; add a command that creates it (page System).")


SUGGESTERS = {
    **{key: Suggester(partial(_hint_file, key), is_file=True) for key in FILES},
    "output.directory": Suggester(is_file=True),
    ENTRYPOINT: Suggester(_hint_entrypoint),
}
