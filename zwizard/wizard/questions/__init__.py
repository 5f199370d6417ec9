"""The questions of the wizard: a file for each page, and the recipe that the answers make."""

from zwizard.wizard.questions.asking import (
    BASE,
    HERE,
    asked,
    from_recipe,
    on_page,
    pages,
    problem,
    problems,
    to_recipe,
)
from zwizard.wizard.questions.catalogue import PAGES, all_questions
from zwizard.wizard.questions.record import Choice, Page, Question, RawAnswers

__all__ = [
    "BASE",
    "HERE",
    "PAGES",
    "Choice",
    "Page",
    "Question",
    "RawAnswers",
    "all_questions",
    "asked",
    "from_recipe",
    "on_page",
    "pages",
    "problem",
    "problems",
    "to_recipe",
]
