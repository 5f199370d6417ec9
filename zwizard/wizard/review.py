"""What building the answers would do and need on this machine: the review in one value."""

import platform
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from zwizard.engine import builds, requirements
from zwizard.engine.requirements import Forecast, UnmetRequirement
from zwizard.host.privileges import Privilege, find_privilege, shared_network
from zwizard.plan import targets
from zwizard.recipe.model import Recipe
from zwizard.recipe.problems import RecipeError
from zwizard.sources import entrypoint_check, inspection
from zwizard.sources.entrypoint_check import ENTRYPOINT
from zwizard.sources.inspection import FILES
from zwizard.sources.resolve import import_settings, output_directory
from zwizard.steps.step import Plan
from zwizard.util.errors import UsageError
from zwizard.wizard import questions

_REMEDY = "Change that answer."
_INSTEAD = {"container.entrypoint": "/bin/sh"}  # has no default, and takes no space

_WORDS = {
    "root": "as root",
    "userns": "rootless",
    "sudo": "by sudo",
    "none": "no privilege to build",
}


@dataclass(frozen=True)
class HostState:
    """What this host is to a build: the privilege it runs with, and the system.

    ``network`` is why programs of the tree share the host's, or "".
    """

    privilege: Privilege
    system: str
    network: str = ""

    @property
    def word(self) -> str:
        """The privilege in a word or two."""
        return _WORDS[self.privilege.mode]


def inspect_host() -> HostState:
    """This host. Slow: it tests whether user namespaces work."""
    return HostState(find_privilege(), _system(), shared_network())


def _system() -> str:
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return platform.system()
    name = release.get("NAME", "Linux").partition(" ")[0]
    return f"{name} {release.get('VERSION_ID', '')}".strip()


@dataclass(frozen=True)
class BuildReview:
    """What the answers lead to; ``recipe``, ``plan`` and ``forecast`` are None if incomplete.

    ``output`` is the directory the archive goes to; ``problems`` is all that keeps a build from
    starting; ``replaces`` the earlier archive that is replaced, or "". ``expected`` is the
    forecast, or what it would be with the wrong answers replaced.
    """

    problems: tuple[UnmetRequirement, ...]
    recipe: Recipe | None = None
    plan: Plan | None = None
    forecast: Forecast | None = None
    output: Path = Path()
    replaces: str = ""
    expected: Forecast | None = None


def review_of(answers: Mapping[str, str], host: HostState, *, wait: bool = True) -> BuildReview:
    """The review of these answers. It reads the disk: not for an interface's thread.

    Without ``wait`` it reads no file that takes a while, and no earlier build.
    """
    if wrong := questions.problems(answers):
        return BuildReview(
            tuple(
                UnmetRequirement(f"{question.text}: {wrong[question.key]}", _REMEDY, question.key)
                for question in questions.asked(answers)
                if question.key in wrong
            ),
            expected=_expected(answers, wrong, host),
        )
    try:
        recipe = import_settings(questions.to_recipe(answers), Path.cwd())
        made = targets.make(recipe)
        output = output_directory(recipe, Path.cwd())
    except RecipeError as error:
        return BuildReview(tuple(UnmetRequirement(str(p), _REMEDY, p.key) for p in error.problems))
    except UsageError as error:
        return BuildReview((UnmetRequirement(error.message, error.hint),))
    store = requirements.store_of(host.privilege)
    build = builds.making(output / made.archive) if wait else None
    before = builds.recipe_of(build) if build else None
    changes = _changes(recipe, before) if before else None
    ahead = requirements.forecast(made, store, output, changes)
    problems = ahead.problems
    for key in (question.key for question in questions.asked(answers) if question.key in FILES):
        if reason := inspection.report(answers, key).wrong:
            problems += (UnmetRequirement(f"{answers[key]}: {reason}", _REMEDY, key),)
    if reason := entrypoint_check.report(recipe, Path.cwd(), wait=wait).wrong:
        problems += (
            UnmetRequirement(f"Entrypoint: {reason}", entrypoint_check.REMEDY, ENTRYPOINT),
        )
    if host.privilege.mode == "none":
        problems += (UnmetRequirement(host.privilege.description, host.privilege.remedy),)
    replaces = builds.replaced(recipe, output) if wait else ""
    return BuildReview(problems, recipe, made, ahead, output, replaces, ahead)


def _changes(recipe: Recipe, before: Recipe) -> dict[str, str]:
    """The answers that differ, by key: ``Suite: bookworm → trixie``."""
    now, then = questions.from_recipe(recipe), questions.from_recipe(before)
    return {
        question.key: f"{question.text}: {then[question.key] or 'none'} → "
        f"{now[question.key] or 'none'}"
        for question in questions.all_questions()
        if now[question.key] != then[question.key]
    }


def _expected(
    answers: Mapping[str, str], wrong: Collection[str], host: HostState
) -> Forecast | None:
    """What would be needed if other answers stood in for the ``wrong`` ones, if any can."""
    others = {key: text for key, text in answers.items() if key not in wrong}
    others |= {key: text for key, text in _INSTEAD.items() if key in wrong}
    return None if questions.problems(others) else review_of(others, host, wait=False).forecast
