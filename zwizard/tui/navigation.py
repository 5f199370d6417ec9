"""Navigation through the pages: which pages the answers lead through, and the state of each."""

from typing import Literal

from zwizard.wizard import questions
from zwizard.wizard.draft import Draft
from zwizard.wizard.questions import PAGES, Choice, Question

PageState = Literal["done", "here", "open", "changed"]
REVIEW = "review"
MOST_PAGES = len(PAGES) + 1
TITLES = {**{page.name: page.title for page in PAGES}, REVIEW: "Review"}

_Offer = tuple[tuple[str, tuple[Choice, ...], str], ...]


class Navigation:
    """The answers, and what each page offered when it was last left.

    A page that now offers something else needs another look: an earlier answer changed.
    """

    def __init__(self, answers: Draft) -> None:
        self.answers = answers
        answered = {q.page for q in questions.asked(answers) if q.key in answers}
        self._left: dict[str, _Offer] = {name: self._offer(name) for name in answered}

    @property
    def pages(self) -> tuple[str, ...]:
        """The pages that these answers lead through, the review last."""
        return (*(page.name for page in questions.pages(self.answers)), REVIEW)

    def state(self, page: str, here: str) -> PageState:
        """The state of ``page`` while ``here`` is shown."""
        if page == here:
            return "here"
        if page not in self._left:
            return "open"
        if self.problems(page) or self._left[page] != self._offer(page):
            return "changed"
        return "done"

    def problems(self, page: str) -> dict[str, str]:
        """What is wrong with the answers of one page, by key."""
        asked = questions.on_page(page, self.answers)
        return {q.key: text for q in asked if (text := questions.problem(q, self.answers))}

    def leave(self, page: str) -> None:
        """Mark ``page`` as seen; the defaults that it showed become answers.

        A default that depends on other answers keeps following them.
        """
        for question in questions.on_page(page, self.answers):
            if question.fallback is None and question.key not in self.answers:
                self.answers.set(question.key, question.default(self.answers))
        self._left[page] = self._offer(page)

    def first_open(self) -> str:
        """The page to continue with: the one shown last, or the first that is not done."""
        here = self.answers.get(questions.HERE, "")
        if here in self.pages:
            return here
        return next(page for page in self.pages if self.state(page, "") != "done")

    def _offer(self, page: str) -> _Offer:
        answers = self.answers
        return tuple(
            (q.key, q.choices(answers), "" if q.key in answers else q.default(answers))
            for q in questions.on_page(page, answers)
        )


def question_of(key: str) -> Question | None:
    """The question that fills the recipe's ``key``, if one asks for it."""
    return next((q for q in questions.all_questions() if q.key == key), None)
