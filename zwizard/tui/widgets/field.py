"""A question as a field: its text, a control for its kind, and what is to be said beside it."""

from __future__ import annotations

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
    """One question. It shows the answer as given, right or wrong, and reports each change."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f4", "choose", "List", tooltip="Choose from the whole list"),
    ]

    class Answered(Message):
        """The answer changed."""

        def __init__(self, field: Field, text: str) -> None:
            super().__init__()
            self.field = field
            self.text = text

    class Resized(Message):
        """The field one is at takes more lines now, or fewer."""

    class Wanted(Message):
        """The answer is to be chosen from a list."""

        def __init__(self, field: Field) -> None:
            super().__init__()
            self.field = field

    def __init__(
        self, question: Question, given: RawAnswers, known: Suggestions, *, roomy: bool
    ) -> None:
        super().__init__(id=field_id(question.key), classes="-roomy" if roomy else "")
        self.question = question
        self._given, self._known = given, known
        self._roomy = roomy
        self._seen = one_line(question.answer(given))  # the line as it was last heard of
        self._reported: str | None = None  # an answer on its way to the others given

    def compose(self) -> ComposeResult:
        """Label, control, problem or hint."""
        yield Static(plain(self.question.text), classes="label", markup=False)
        with Vertical(classes="answer"):
            yield self._control()
            yield Static(classes="problem", markup=False)

    def on_mount(self) -> None:
        """Say what is wrong from the beginning."""
        self.look(self._given, self._known)

    def on_descendant_focus(self) -> None:
        """Its label tells where one is."""
        self.add_class("-here")
        self._remark(typing=True)

    def on_descendant_blur(self) -> None:
        """One went on: the last word is whole now."""
        self.remove_class("-here")
        self._remark(typing=False)

    def on_resize(self) -> None:
        """What is said below the answer needs room."""
        if self.has_focus_within:
            self.post_message(self.Resized())

    @property
    def control(self) -> Widget:
        """What takes the focus."""
        return self.query_one(".answer").children[0]

    @property
    def means(self) -> str:
        """What the choice that is made means, or ""."""
        control = self.control
        chosen = control.chosen if isinstance(control, Choices) else None
        return chosen.means if chosen else ""

    def look(self, given: RawAnswers, known: Suggestions) -> None:
        """Show what the answers, and what is known, say by now."""
        self._given, self._known = given, known
        text = self.question.answer(given)
        if text == self._reported:
            self._reported = None
        match self.control:
            case Choices() as choices:
                choices.set(suggestions.choices(self.question, given, known), text)
            case Input() as line if line.value != one_line(text) and self._is_settled(line):
                with line.prevent(Input.Changed):  # nobody has typed it
                    line.value = self._seen = one_line(text)
            case _:
                pass
        self._remark(typing=self.control.has_focus)

    def _is_settled(self, line: Input) -> bool:
        """Whether nobody types, and all that was typed is among the answers by now."""
        return not line.has_focus and line.value == self._seen and self._reported is None

    def judge(self) -> None:
        """Say of the answer what there is to say of a whole one, until it is typed on."""
        self._remark(typing=False)

    def write(self, text: str) -> None:
        """Answer with ``text``, as if it had been typed."""
        control = self.control
        if isinstance(control, Input):
            control.value = text
            control.cursor_position = len(text)

    def _remark(self, *, typing: bool) -> None:
        """What is wrong, what is doubtful, or else what helps: one of them, below the answer."""
        wrong = questions.problem(self.question, self._given)
        hint = suggestions.hint(self.question, self._given, self._known, typing=typing)
        if wrong and not hint.partial:
            said = block(f"✗ {wrong.rstrip('.')}.{suggestions.meant(hint.near)}", "$text-error")
        elif hint.doubt:
            said = block(f"! {hint.text}", "$text-warning")
        else:
            said = block(hint.text, MUTED)
        for remark in self.query(".problem").results(Static):  # none while it is being removed
            renew(remark, said)
            remark.display = bool(said.plain)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """There is not a list for every question."""
        listed = suggestions.offered(self.question) or suggestions.is_path(self.question)
        return action != "choose" or listed

    def action_choose(self) -> None:
        """Ask for the list."""
        self.post_message(self.Wanted(self))

    def _control(self) -> Widget:
        question, given = self.question, self._given
        text = question.answer(given)
        match question.kind:
            case "choice":
                offered = suggestions.choices(question, given, self._known)
                return Choices(offered, text, roomy=self._roomy)
            case "lines" | "settings":
                area = OrderedTextArea(sanitise(text), compact=True, tab_behavior="focus")
                area.placeholder = Content(f"for example: {question.example}")
                return area
            case _:
                example = question.example
                if example and not question.own_problem({question.key: example}):
                    example = f"for example: {example}"  # else it says so in words itself
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
        self._seen = event.value
        self._report(event.value, one_line(self.question.answer(self._given)))

    @on(TextArea.Changed)
    def _written(self, event: TextArea.Changed) -> None:
        event.stop()
        self._report(event.text_area.text, sanitise(self.question.answer(self._given)))

    def _report(self, text: str, shown: str) -> None:
        # What is shown was made safe; only what the user changed replaces what was given.
        if text != (shown if self._reported is None else self._reported):
            self._reported = text
            self.post_message(self.Answered(self, text))


def field_id(key: str) -> str:
    """The widget's id for a question's key."""
    return "field-" + key.replace(".", "-")
