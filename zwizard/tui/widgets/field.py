"""A question as a field: its text, a control for its kind, and what is wrong beside it."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static, TextArea

from zwizard.questions import Given, Question
from zwizard.text import one_line, sanitise
from zwizard.tui.show import block, plain
from zwizard.tui.widgets.choices import Choices


class Field(Horizontal):
    """One question. It shows the answer as given, right or wrong, and reports each change."""

    class Answered(Message):
        """The answer changed."""

        def __init__(self, field: Field, text: str) -> None:
            super().__init__()
            self.field = field
            self.text = text

    def __init__(self, question: Question, given: Given, *, roomy: bool) -> None:
        super().__init__(id=field_id(question.key), classes="-roomy" if roomy else "")
        self.question = question
        self._given = given
        self._roomy = roomy

    def compose(self) -> ComposeResult:
        """Label, control, problem."""
        yield Static(plain(self.question.text), classes="label", markup=False)
        with Vertical(classes="answer"):
            yield self._control()
            yield Static(classes="problem", markup=False)

    def on_mount(self) -> None:
        """Say what is wrong from the beginning."""
        self.look(self._given)

    def on_descendant_focus(self) -> None:
        """Its label tells where one is."""
        self.add_class("-here")

    def on_descendant_blur(self) -> None:
        """One went on."""
        self.remove_class("-here")

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

    def look(self, given: Given) -> None:
        """Show what the answers say by now."""
        text = self.question.answer(given)
        match self.control:
            case Choices() as choices:
                choices.set(self.question.choices(given), text)
            case Input() as line if line.value != one_line(text) and not line.has_focus:
                line.value = one_line(text)
            case _:
                pass
        said = self.question.problem(given)
        problem = self.query_one(".problem", Static)
        problem.update(block(f"✗ {said}") if said else "")
        problem.display = bool(said)

    def _control(self) -> Widget:
        question, given = self.question, self._given
        text = question.answer(given)
        match question.kind:
            case "choice":
                return Choices(question.choices(given), text, roomy=self._roomy)
            case "lines":
                area = TextArea(sanitise(text), compact=True, tab_behavior="focus")
                area.placeholder = Content(f"for example: {question.example}")
                return area
            case _:
                example = question.example
                if question.kind == "list" and example:
                    example = f"for example: {example}"
                return Input(one_line(text), example, compact=True)

    @on(Choices.Changed)
    def _chosen(self, event: Choices.Changed) -> None:
        event.stop()
        self.post_message(self.Answered(self, event.value))

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._report(event.value, one_line(self.question.answer(self._given)))

    @on(TextArea.Changed)
    def _written(self, event: TextArea.Changed) -> None:
        event.stop()
        self._report(event.text_area.text, sanitise(self.question.answer(self._given)))

    def _report(self, text: str, shown: str) -> None:
        # What is shown was made safe; only what the user changed replaces what was given.
        if text != shown:
            self.post_message(self.Answered(self, text))


def field_id(key: str) -> str:
    """The widget's id for a question's key."""
    return "field-" + key.replace(".", "-")
