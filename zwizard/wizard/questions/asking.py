"""What answers come to: the questions they lead to, what is wrong with them, and the recipe."""

from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Any

from zwizard import distros
from zwizard.recipe.fields import FIELDS
from zwizard.recipe.model import Recipe
from zwizard.recipe.problems import RecipeError
from zwizard.wizard.questions import catalogue
from zwizard.wizard.questions.record import Page, Question, RawAnswers

BASE = "recipe"  # among the answers: the opened recipe (TOML), for what no question asks
HERE = "here"  # among the answers: the page that was shown last


def asked(answers: RawAnswers) -> tuple[Question, ...]:
    """The questions that these answers make sense of, in order, in the words for them."""
    return evaluation(answers).asked


def pages(answers: RawAnswers) -> tuple[Page, ...]:
    """The pages that have a question for these answers, in order."""
    names = {question.page for question in asked(answers)}
    return tuple(page for page in catalogue.PAGES if page.name in names)


def on_page(page: str, answers: RawAnswers) -> tuple[Question, ...]:
    """The questions of one page."""
    return tuple(question for question in asked(answers) if question.page == page)


def problem(question: Question, answers: RawAnswers) -> str:
    """What is wrong with the answer to ``question``, by itself or beside the others, or ""."""
    return question.own_problem(answers) or evaluation(answers).contradictions.get(
        question.key, ""
    )


def problems(answers: RawAnswers) -> dict[str, str]:
    """What is wrong with the answers, by key; empty if a recipe can be made of them."""
    return evaluation(answers).problems


def to_recipe(answers: RawAnswers) -> Recipe:
    """The recipe that the answers describe; RecipeError names what is wrong."""
    outcome = evaluation(answers).outcome
    if isinstance(outcome, RecipeError):
        raise outcome
    return outcome


def from_recipe(recipe: Recipe) -> dict[str, str]:
    """The answers that lead to ``recipe``; what no question asks is kept beside them."""
    values = recipe.values()
    texts = {q.key: q.as_text(values[q.key]) for q in catalogue.all_questions()}
    return {BASE: recipe.to_toml(), **texts}


class Evaluation:
    """What one set of answers comes to, each part computed once: at each key many ask for it."""

    def __init__(self, answers: RawAnswers) -> None:
        self.answers = answers

    @cached_property
    def asked(self) -> tuple[Question, ...]:
        """The questions that make sense."""
        return tuple(
            question.reword(question, self.answers) if question.reword else question
            for question in catalogue.all_questions()
            if question.is_asked(self.answers)
        )

    @cached_property
    def outcome(self) -> Recipe | RecipeError:
        """The recipe, or why there is none."""
        base = _values_of(self.answers.get(BASE, ""))
        if isinstance(base, RecipeError):
            return base
        values = dict(base)
        for question in self.asked:
            text = question.answer(self.answers)
            # An answer that is as it was keeps its value, down to a line break in a command.
            if question.key not in base or text != question.as_text(base[question.key]):
                values[question.key] = question.value(text)
        stale = _stale(values)
        relevant = {
            key: value
            for key, value in values.items()
            if key not in stale and (FIELDS[key].use.lenient or FIELDS[key].use.covers(values))
        }
        try:
            return Recipe.from_values(relevant, "the answers")
        except RecipeError as error:
            return error

    @cached_property
    def contradictions(self) -> dict[str, str]:
        """Why answers that are good by themselves are impossible together, by key."""
        found = self.outcome.problems if isinstance(self.outcome, RecipeError) else ()
        return {problem.key: problem.allowed for problem in reversed(found)}

    @cached_property
    def problems(self) -> dict[str, str]:
        """What is wrong, by key."""
        found = ((question.key, problem(question, self.answers)) for question in self.asked)
        return {key: text for key, text in found if text}


def evaluation(answers: RawAnswers) -> Evaluation:
    """What ``answers`` come to; which page is shown changes nothing."""
    return _evaluation(tuple(item for item in answers.items() if item[0] != HERE))


@lru_cache(maxsize=8)
def _evaluation(answers: tuple[tuple[str, str], ...]) -> Evaluation:
    return Evaluation(dict(answers))


@lru_cache(maxsize=4)
def _values_of(toml: str) -> Mapping[str, Any] | RecipeError:
    """The values of the opened recipe; none without one."""
    try:
        return Recipe.from_toml(toml).values() if toml else {}
    except RecipeError as error:
        return error


def _stale(values: Mapping[str, Any]) -> set[str]:
    """The keys of an opened recipe that were for another distribution, or for another kernel."""
    kernel, initrd = values.get("kernel.file", ""), values.get("kernel.initrd", "")
    stale = {"kernel.package"} if kernel else {"kernel.initrd"}
    # The build computes the sums of files.
    stale |= {"kernel.sha256"} if "://" not in kernel else set()
    stale |= {"kernel.initrd_sha256"} if not kernel or "://" not in initrd else set()
    distro = distros.KNOWN.get(values.get("source.distro", ""))
    if distro and not distro.suite(values.get("source.suite", "")):
        stale.add("source.suite")
    return stale
