"""A dialog to choose an answer from a long list, by searching it."""

from typing import ClassVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.widgets import Input, OptionList, Static
from textual.worker import Worker

from zwizard.tui.format import MUTED, fit, plain
from zwizard.tui.screens.dialogs import HELP_KEY, Dialog, move
from zwizard.tui.widgets.inputs import OrderedInput
from zwizard.tui.widgets.stable_list import Row, StableList
from zwizard.util.text import ago
from zwizard.wizard import suggestions
from zwizard.wizard.questions import Question, RawAnswers
from zwizard.wizard.questions.record import words_of
from zwizard.wizard.suggestion_service import SuggestionService
from zwizard.wizard.suggestions import Hint, Suggestion

_MOST = 200  # rows; more are found by typing more
_EVERY = 0.3  # seconds between looks whether the list was read


class PickerScreen(Dialog[str]):
    """The suggestions for a question; returns the answer as text, None if it does not change.

    Where the answer is a list of words, Enter adds or removes one and the list stays open.
    """

    TALL = True
    HELP = "All possible answers. Type to search; the text may be anywhere in a row."

    BINDINGS: ClassVar[list[BindingType]] = [HELP_KEY]

    def __init__(
        self,
        question: Question,
        answers: RawAnswers,
        service: SuggestionService,
        hint: Hint,
        now: float,
    ) -> None:
        self._many = question.kind == "list"
        how = "adds or removes" if self._many else "chooses"
        keys = f"Type to search, ↑ ↓ move, Enter {how}, Esc goes back."
        super().__init__(question.text, keys)
        self._question, self._answers, self._service = question, answers, service
        self._hint, self._now = hint, now
        self._words = words_of(question.answer(answers))
        self._offers: dict[str, Suggestion] = {}
        self._state = ""
        self._latest: Worker[None] | None = None  # the search for what was typed last

    def content(self) -> ComposeResult:
        yield OrderedInput(self._hint.near, "type to search", compact=True)
        yield StableList(id="offers")
        yield Static(id="offer", markup=False)
        yield Static(id="picked", markup=False)

    def on_mount(self) -> None:
        """Search at once, and again when the list was read."""
        self.query_one(StableList).can_focus = False
        self._state = self._service.current(self._answers).state
        self.set_interval(_EVERY, self._renew)
        self.search()

    def _renew(self) -> None:
        state = self._service.current(self._answers).state
        if state != self._state:
            self._state = state
            self.search()

    @on(Input.Changed)
    def _typed(self) -> None:
        self._latest = self.search()

    @work(exclusive=True, group="search")
    async def search(self) -> None:
        """Show what matches the input."""
        words, available = self.query_one(Input).value, self._service.current(self._answers)
        question, answers = self._question, self._answers
        found = await self.in_background(
            lambda: suggestions.search(question, answers, available, words, _MOST + 1)
        )
        self._offers = {offer.value: offer for offer in found[:_MOST]}
        self._show()
        self.query_one(StableList).highlighted = 0 if found else None
        text = f"The first {_MOST}; type more to see others." if len(found) > _MOST else ""
        if not found:
            text = suggestions.nothing(question, available)
        elif self._question.key == suggestions.PACKAGES and (catalogue := available.catalogue):
            count, age = catalogue.count, ago(catalogue.read, self._now)
            text = f"{count:,} packages of {catalogue.suite}, as of {age}. {text}"
        self.query_one("#picked", Static).update(plain(text, MUTED))

    def _show(self) -> None:
        listed = self.query_one(StableList)
        listed.show(Row(value, self._row(offer)) for value, offer in self._offers.items())
        self._show_highlighted()

    def _row(self, offer: Suggestion) -> Content:
        mark = "✓ " if offer.value in self._words else "  "
        name = Content.styled(f"{mark}{fit(offer.value, 30)}", "bold" if mark.strip() else "")
        return Content.assemble(name, " ", plain(offer.means, MUTED))

    @on(OptionList.OptionHighlighted)
    def _show_highlighted(self) -> None:
        """Show the highlighted suggestion in full: its row may be cut off."""
        offer = self._offers.get(self.query_one(StableList).current)
        text = "" if offer is None else offer.value
        if offer and offer.means:
            text = f"{offer.value}: {offer.means}"
        self.query_one("#offer", Static).update(plain(text))

    def on_key(self, event: events.Key) -> None:
        move(self.query_one(StableList), event)

    @on(Input.Submitted)
    @on(OptionList.OptionSelected)
    async def _chosen(self, event: events.Event) -> None:
        event.stop()
        if self._latest and not self._latest.is_finished:
            await self._latest.wait()  # the list must be of what was typed last
        value = self.query_one(StableList).current
        if not value:
            return
        if not self._many:
            self.dismiss(value)
            return
        if value in self._words:
            self._words.remove(value)
        elif self._hint.doubt and self._hint.word in self._words:
            self._words[self._words.index(self._hint.word)] = value  # a misspelled word
        else:
            self._words.append(value)
        self._show()

    def action_leave(self) -> None:
        """Close, with the words as they are now."""
        before = self._question.value(self._question.answer(self._answers))
        self.dismiss(" ".join(self._words) if self._many and self._words != before else None)
