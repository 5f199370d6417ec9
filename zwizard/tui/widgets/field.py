"""A question as a field: its text, a control for its kind, and a problem or hint below it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static, TextArea

from zwizard.tui.format import MUTED, block, plain, renew
from zwizard.tui.widgets.choices import Choices
from zwizard.tui.widgets.inputs import AnswerInput, OrderedTextArea
from zwizard.tui.widgets.keys import Remappable
from zwizard.util.text import one_line, sanitise
from zwizard.wizard import questions, suggestions
from zwizard.wizard.questions import Question, RawAnswers
from zwizard.wizard.suggestions import Suggestions


class Field(Remappable, Horizontal):
    """One question. It shows the answer, right or wrong, and reports each change."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f4", "choose", "List", tooltip="Choose from the whole list"),
    ]

    @dataclass
    class Answered(Message):
        """The answer changed."""

        field: Field
        text: str

    class Resized(Message):
        """The focused field takes more lines now, or fewer."""

    @dataclass
    class ListRequested(Message):
        """The user wants to choose the answer from a list."""

        field: Field

    def __init__(
        self, question: Question, answers: RawAnswers, available: Suggestions, *, roomy: bool
    ) -> None:
        super().__init__(id=field_id(question.key))
        self.set_class(roomy, "-roomy")
        self.set_class(question.kind != "choice", "-typed")
        self.question = question
        self._answers, self._available = answers, available
        self._roomy = roomy
        self._line = one_line(question.answer(answers))  # the text of the input as last seen
        self._reported: str | None = None  # an answer that is not among the answers yet

    def compose(self) -> ComposeResult:
        yield Static(plain(self.question.text), classes="label", markup=False)
        with Vertical(classes="answer"):
            yield self._control()
            yield Static(classes="problem", markup=False)

    def on_mount(self) -> None:
        """Show a problem from the beginning."""
        self.set(self._answers, self._available)

    def on_descendant_focus(self) -> None:
        self.add_class("-here")
        self._show_remark(typing=True)

    def on_descendant_blur(self) -> None:
        """Check the whole answer: its last word is complete now."""
        self.remove_class("-here")
        self._show_remark(typing=False)

    def on_resize(self) -> None:
        """Report that the field needs other room."""
        if self.has_focus_within:
            self.post_message(self.Resized())

    @property
    def control(self) -> Widget:
        """What takes the focus."""
        return self.query_one(".answer").children[0]

    @property
    def means(self) -> str:
        """The meaning of the chosen choice, or ""."""
        control = self.control
        chosen = control.chosen if isinstance(control, Choices) else None
        return chosen.means if chosen else ""

    def set(self, answers: RawAnswers, available: Suggestions) -> None:
        """Show the current answers and suggestions."""
        self._answers, self._available = answers, available
        text = self.question.answer(answers)
        if text == self._reported:
            self._reported = None
        match self.control:
            case Choices() as choices:
                choices.set(suggestions.choices(self.question, answers, available), text)
            case Input() as line if line.value != one_line(text) and self._is_settled(line):
                with line.prevent(Input.Changed):  # the user did not type it
                    line.value = self._line = one_line(text)
            case _:
                pass
        self._show_remark(typing=self.control.has_focus)

    def _is_settled(self, line: Input) -> bool:
        """Whether the user is not typing, and all that was typed is among the answers."""
        return not line.has_focus and line.value == self._line and self._reported is None

    def explain_choices(self, roomy: bool) -> None:
        """Show the meaning of each choice below it, or only the choices."""
        self.set_class(roomy, "-roomy")
        if isinstance(self.control, Choices):
            self.control.explain(roomy)

    def judge(self) -> None:
        """Check the answer as a whole, until the user types on."""
        self._show_remark(typing=False)

    def write(self, text: str) -> None:
        """Answer with ``text``, as if it had been typed."""
        control = self.control
        if isinstance(control, Input):
            control.value = text
            control.cursor_position = len(text)

    def _show_remark(self, *, typing: bool) -> None:
        """Show a problem, a doubt or a hint below the answer."""
        problem = questions.problem(self.question, self._answers)
        hint = suggestions.hint(self.question, self._answers, self._available, typing=typing)
        if problem and not hint.partial:
            text = block(f"✗ {problem.rstrip('.')}.{suggestions.meant(hint.near)}", "$text-error")
        elif hint.doubt:
            text = block(f"! {hint.text}", "$text-warning")
        else:
            text = block(hint.text, MUTED)
        for remark in self.query(".problem").results(Static):  # none while it is being removed
            renew(remark, text)
            remark.display = bool(text.plain)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        listed = suggestions.offered(self.question) or suggestions.is_path(self.question)
        return action != "choose" or listed

    def action_choose(self) -> None:
        self.post_message(self.ListRequested(self))

    def _control(self) -> Widget:
        question, answers = self.question, self._answers
        text = question.answer(answers)
        match question.kind:
            case "choice":
                offered = suggestions.choices(question, answers, self._available)
                return Choices(offered, text, roomy=self._roomy)
            case "lines" | "settings":
                area = OrderedTextArea(sanitise(text), compact=True, tab_behavior="focus")
                area.placeholder = Content(f"for example: {question.example}")
                return area
            case _:
                example = question.example
                if example and not question.own_problem({question.key: example}):
                    example = f"for example: {example}"  # else the example is a description
                return AnswerInput(
                    one_line(text), example, compact=True, select_on_focus=question.kind == "text"
                )

    @on(Choices.Changed)
    def _chosen(self, event: Choices.Changed) -> None:
        event.stop()
        self.post_message(self.Answered(self, event.value))

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._line = event.value
        self._report(event.value, one_line(self.question.answer(self._answers)))

    @on(TextArea.Changed)
    def _written(self, event: TextArea.Changed) -> None:
        event.stop()
        self._report(event.text_area.text, sanitise(self.question.answer(self._answers)))

    def _report(self, text: str, shown: str) -> None:
        # The text shown was made safe; only a change by the user replaces the answer.
        if text != (shown if self._reported is None else self._reported):
            self._reported = text
            self.post_message(self.Answered(self, text))


def field_id(key: str) -> str:
    """The id of the field of the question ``key``."""
    return "field-" + key.replace(".", "-")
