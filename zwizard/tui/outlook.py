"""What building the answers would do and need on this machine: the review in one value."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from zwizard import plan, questions
from zwizard.engine import builds, doctor, preflight
from zwizard.engine.preflight import Forecast, StepState
from zwizard.engine.sandbox import Privilege, privilege
from zwizard.errors import UsageError
from zwizard.plan import Plan
from zwizard.questions import from_recipe
from zwizard.recipe import Recipe, RecipeError

_WORDS = {
    "root": "as root",
    "userns": "rootless",
    "sudo": "by sudo",
    "none": "no right to build",
}


@dataclass(frozen=True)
class Machine:
    """What this computer is to a build: by which right it may run, and on what system."""

    privilege: Privilege
    system: str

    @property
    def word(self) -> str:
        """The privilege in a word or two."""
        return _WORDS[self.privilege.mode]


def look_around() -> Machine:
    """This machine. Slow: it tries out whether user namespaces serve."""
    return Machine(privilege(), _system())


def _system() -> str:
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return platform.system()
    name = release.get("NAME", "Linux").partition(" ")[0]
    return f"{name} {release.get('VERSION_ID', '')}".strip()


@dataclass(frozen=True)
class Trouble:
    """Something that keeps a build from starting: what, what to do, and the recipe's key."""

    said: str
    remedy: str
    key: str = ""


@dataclass(frozen=True)
class Outlook:
    """What the answers lead to; ``recipe``, ``plan`` and ``forecast`` as far as they do.

    ``output`` is the directory the archive goes to; ``lacking`` the missing programs; ``earlier``
    the recipe that made this archive the last time.
    """

    troubles: tuple[Trouble, ...]
    recipe: Recipe | None = None
    plan: Plan | None = None
    forecast: Forecast | None = None
    output: Path = Path()
    lacking: frozenset[str] = frozenset()
    earlier: Recipe | None = None

    def reason(self, state: StepState) -> str:
        """Why a step will run; where answers changed, which, from what to what."""
        if not (self.earlier and self.recipe):
            return state.reason
        before, now = from_recipe(self.earlier), from_recipe(self.recipe)
        changed = [
            f"{_label(key)}: {before[key] or 'none'} → {now[key] or 'none'}"
            for key in state.step.answers
            if key in now and before[key] != now[key]
        ]
        return ", ".join(changed) or state.reason


def of(given: Mapping[str, str], machine: Machine) -> Outlook:
    """The outlook of these answers. It reads the disk: not for the interface's thread."""
    wrong = tuple(
        Trouble(f"{_label(key)}: {said}", "Enter goes to the question.", key)
        for key, said in questions.problems(given).items()
    )
    if wrong:
        return Outlook(wrong)
    try:
        recipe = questions.to_recipe(given)
        made = plan.make(recipe)
    except RecipeError as error:
        return Outlook(tuple(Trouble(str(p), "", p.key) for p in error.problems))
    except UsageError as error:
        return Outlook((Trouble(error.message, error.hint, error.message.partition(" = ")[0]),))
    output = (Path.cwd() / Path(recipe.output.directory).expanduser()).resolve()
    store = preflight.store_of(machine.privilege)
    earlier, before = _before(output / made.archive)
    ahead = preflight.forecast(made, store, output, before=before)
    troubles = tuple(Trouble(said, remedy) for said, remedy in ahead.problems)
    if machine.privilege.mode == "none":
        troubles += (Trouble(machine.privilege.why, machine.privilege.remedy),)
    return Outlook(troubles, recipe, made, ahead, output, _lacking(made, ahead), earlier)


def _label(key: str) -> str:
    return next((q.text for q in questions.QUESTIONS if q.key == key), key)


def _lacking(made: Plan, ahead: Forecast) -> frozenset[str]:
    steps = tuple(state.step for state in ahead.steps if not state.layer)
    wanted = Plan(made.name, made.target, made.environment, steps).tools() if steps else ()
    return doctor.missing(wanted)


def _before(archive: Path) -> tuple[Recipe | None, Plan | None]:
    """The recipe and plan by which a build made this archive the last time."""
    for build in builds.everything():
        try:
            recipe = build.recipe()
            if build.archive() == archive:
                return recipe, plan.make(recipe)
        except UsageError:
            continue  # a recipe this version cannot read or build
    return None, None
