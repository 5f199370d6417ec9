"""What is suggested for answers, a file for each kind of thing: offered, and misspelled.

Suggestions only: no answer is refused for them, as the lists they come from may be old or absent.
"""

import re
from collections.abc import Iterable
from heapq import nsmallest
from itertools import islice

from zwizard.wizard import questions
from zwizard.wizard.questions import Choice, Question, RawAnswers
from zwizard.wizard.suggestions import files, kernels, names, packages, services
from zwizard.wizard.suggestions.package_catalogue import PackageCatalogue, Suggestion
from zwizard.wizard.suggestions.record import Hint, Suggester, Suggestions, meant

__all__ = [
    "PACKAGES",
    "Hint",
    "PackageCatalogue",
    "Suggestion",
    "Suggestions",
    "all_doubts",
    "choices",
    "doubts",
    "hint",
    "is_path",
    "meant",
    "nothing",
    "offered",
    "search",
]

PACKAGES = packages.KEY
_SUGGESTERS = {
    **packages.SUGGESTERS,
    **kernels.SUGGESTERS,
    **names.SUGGESTERS,
    **services.SUGGESTERS,
    **files.SUGGESTERS,
}


def _of(question: Question) -> Suggester:
    return _SUGGESTERS.get(question.key, Suggester())


def offered(question: Question) -> bool:
    """Whether there is a list to choose the answer from."""
    return _of(question).offers is not None


def is_path(question: Question) -> bool:
    """Whether the answer names something on this host's disk."""
    return _of(question).is_file


def choices(
    question: Question, answers: RawAnswers, suggestions: Suggestions
) -> tuple[Choice, ...]:
    """The choices of a question, with what the archive has of them and beside them."""
    found, extend = question.choices(answers), _of(question).choices
    return extend(found, answers, suggestions) if extend else found


def search(
    question: Question, answers: RawAnswers, suggestions: Suggestions, words: str, most: int
) -> list[Suggestion]:
    """At most ``most`` offers that have all ``words``; those of that name come first."""
    sought = words.lower().replace("_", " ").split()
    offers = _of(question).offers
    found = offers(answers, suggestions, sought) if offers else iter(())
    if not sought:
        return list(islice(found, most))
    return nsmallest(most, found, key=lambda offer: _rank(offer, sought[0]))


def _rank(offer: Suggestion, word: str) -> int:
    name = offer.value.lower()
    if name == word:
        return 0
    if name.startswith(word) or word in re.split(r"[/_.]", name):
        return 1
    return 2 if word in name else 3


def nothing(question: Question, suggestions: Suggestions) -> str:
    """What to say where a search finds nothing."""
    reason = suggestions.state if question.key == PACKAGES else ""
    return reason or "Nothing found."


def hint(
    question: Question, answers: RawAnswers, suggestions: Suggestions, *, typing: bool = False
) -> Hint:
    """What to say beside the answer; while ``typing``, its last word may not be complete."""
    return _of(question).hint(question.answer(answers), answers, suggestions, typing)


def doubts(
    asked: Iterable[Question], answers: RawAnswers, suggestions: Suggestions
) -> dict[str, str]:
    """The answers that are probably wrong, by key, and why."""
    hints = ((question.key, hint(question, answers, suggestions)) for question in asked)
    return {key: found.text for key, found in hints if found.doubt}


def all_doubts(answers: RawAnswers, suggestions: Suggestions) -> dict[Question, str]:
    """The answers that can be built and are probably wrong, by question, and why."""
    wrong = questions.problems(answers)
    asked = {q.key: q for q in questions.asked(answers) if q.key not in wrong}
    return {asked[key]: why for key, why in doubts(asked.values(), answers, suggestions).items()}
