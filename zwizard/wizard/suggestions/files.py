"""Files and the entrypoint: what a file is, what is in it, and what would be replaced."""

import re
from functools import partial
from pathlib import Path

from zwizard.engine import builds
from zwizard.sources.base import InputReport
from zwizard.sources.entrypoint_check import ENTRYPOINT
from zwizard.sources.inspection import FILES
from zwizard.sources.resolve import output_directory
from zwizard.util import user_files
from zwizard.util.errors import UsageError
from zwizard.wizard.questions import RawAnswers, to_recipe
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


def _hint_output(_: str, answers: RawAnswers, __: Suggestions, typing: bool) -> Hint:
    """Which files are there already: of others, or of an earlier build."""
    try:
        recipe = to_recipe(answers)
        directory = output_directory(recipe, Path.cwd())
    except UsageError:
        return Hint()
    files = user_files.here()
    for path in () if typing else builds.targets(recipe, directory):
        if what := files.foreign(path):
            return doubt(f"{path.name} there {what}.")
    earlier = builds.replaced(recipe, directory)
    return Hint(f"Replaces {earlier}." if earlier else "")


SUGGESTERS = {
    **{key: Suggester(partial(_hint_file, key), is_file=True) for key in FILES},
    "output.directory": Suggester(_hint_output, is_file=True),
    ENTRYPOINT: Suggester(_hint_entrypoint),
}
