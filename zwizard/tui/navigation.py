"""The way through the pages: the answers being given, and how each page stands."""

from __future__ import annotations

from typing import Literal

from zwizard.wizard import questions
from zwizard.wizard.draft import Draft
from zwizard.wizard.questions import PAGES, Choice, Question

PageState = Literal["done", "here", "to-come", "look-again"]
REVIEW = "review"
MOST_PAGES = len(PAGES) + 1
TITLES = {**{page.name: page.title for page in PAGES}, REVIEW: "Review"}

_Offer = tuple[tuple[str, tuple[Choice, ...], str], ...]


class Navigation:
    """The answers, and what each page offered when it was last left.

    A page that offers something else by now needs another look: an earlier answer changed.
    """

    def __init__(self, answers: Draft) -> None:
        self.answers = answers
        given = [page for page in self.pages if self._given(page)]
        self._left: dict[str, _Offer] = {name: self._offer(name) for name in given}

    @property
    def pages(self) -> tuple[str, ...]:
        """The pages that these answers lead through, the review last."""
        return (*(page.name for page in questions.pages(self.answers)), REVIEW)

    def state(self, page: str, here: str) -> PageState:
        """How ``page`` stands while ``here`` is shown."""
        if page == here:
            return "here"
        if page not in self._left:
            return "to-come"  # the review too: nothing of it was looked at before
        if self.problems(page) or self._left[page] != self._offer(page):
            return "look-again"
        return "done"

    def problems(self, page: str) -> dict[str, str]:
        """What is wrong with the answers of one page, by key."""
        asked = questions.on_page(page, self.answers)
        return {q.key: said for q in asked if (said := questions.problem(q, self.answers))}

    def leave(self, page: str) -> None:
        """The page was seen as it is now; what it showed as chosen is answered.

        A default that hangs on other answers goes on following them.
        """
        for question in questions.on_page(page, self.answers):
            if question.fallback is None and question.key not in self.answers:
                self.answers.set(question.key, question.default(self.answers))
        self._left[page] = self._offer(page)

    def first_open(self) -> str:
        """The page to go on with: where one was, else the first not done, else the review."""
        here = self.answers.get(questions.HERE, "")
        if here in self.pages:
            return here
        return next(page for page in self.pages if self.state(page, "") != "done")

    def _given(self, page: str) -> bool:
        return any(q.key in self.answers for q in questions.on_page(page, self.answers))

    def _offer(self, page: str) -> _Offer:
        given = self.answers
        return tuple(
            (q.key, q.choices(given), "" if q.key in given else q.default(given))
            for q in questions.on_page(page, given)
        )


def question_of(key: str) -> Question | None:
    """The question that fills the recipe's ``key``, if one asks for it."""
    return next((q for q in questions.all_questions() if q.key == key), None)
