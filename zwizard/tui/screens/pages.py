"""The pages of questions: drawn from their declarations, answered into the draft."""

import asyncio
from collections.abc import Callable
from itertools import takewhile
from typing import ClassVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from zwizard.engine.requirements import Forecast
from zwizard.sources import inspection
from zwizard.sources.inspection import FILES
from zwizard.tui.format import MUTED, block, plain, renew
from zwizard.tui.navigation import MOST_PAGES, REVIEW, Navigation
from zwizard.tui.screens.base import BaseScreen
from zwizard.tui.screens.files import AskPath
from zwizard.tui.screens.picker import PickerScreen
from zwizard.tui.widgets.breadcrumb import Breadcrumb
from zwizard.tui.widgets.choices import Choices
from zwizard.tui.widgets.field import Field, field_id
from zwizard.util.text import size
from zwizard.wizard import questions, review, suggestions
from zwizard.wizard.previews import preview
from zwizard.wizard.questions import PAGES, Question, RawAnswers
from zwizard.wizard.review import BuildReview
from zwizard.wizard.suggestions import Suggestions

_PAUSE = 1.0  # seconds without a key
_ROOMY = 3  # a page with at most this many questions has room to explain each choice
_WIDE = 100  # columns that have this room on every page

PAGE_KEYS = tuple(
    Binding(
        f"alt+{number}",
        f"page({number})",
        "Page",
        show=number == 1,  # for all of them
        key_display=f"Alt+1–{MOST_PAGES}" if number == 1 else f"Alt+{number}",
        tooltip="The page at that position in the row above",
        priority=True,  # before an input takes the digit as text
    )
    for number in range(1, MOST_PAGES + 1)
)


class PageScreen(BaseScreen[None]):
    """One page of questions, and why each is asked."""

    TOPIC = "recipe"
    HELP = "The pages of questions. Tab and Enter go to the next question."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f2", "back", "Back"),
        Binding("f3", "next", "Next"),
        Binding("escape", "leave", "Leave", tooltip="Leave; the draft is kept"),
        *PAGE_KEYS,
        Binding("f7", "app.save", "Save", tooltip="Save the draft as a recipe (TOML)"),
        Binding("f8", "app.open", "Open", tooltip="Open a recipe; it replaces the draft"),
    ]

    def __init__(self, navigation: Navigation, page: str, key: str = "") -> None:
        super().__init__()
        self.navigation = navigation
        self.page = page
        self._key = key  # the question to begin with
        self._warned = False  # that the draft cannot be saved
        self._accepted: dict[str, str] = {}  # doubts that the user was warned of
        self._turning = False  # the fields are being replaced

    def content(self) -> ComposeResult:
        with Horizontal(classes="top"):
            yield Static("New image", classes="title", markup=False)
            yield Breadcrumb()
        with Horizontal(id="page"):
            yield VerticalScroll(id="questions", classes="pane", can_focus=False)
            with Vertical(id="why", classes="pane"):
                with VerticalScroll(can_focus=False):
                    yield Static(id="why-text", markup=False)
                yield Static(id="needs", markup=False)

    async def on_mount(self) -> None:
        await self.show(self.page, self._key)

    async def show(self, page: str, key: str = "") -> None:
        """Show ``page``, at the question ``key`` or the first."""
        self.page = page
        self.app.clear_notifications()  # of the previous page
        heading = next(p.heading for p in PAGES if p.name == page)
        asked = questions.on_page(page, self.navigation.answers)
        roomy, available = self._roomy(), self._available()
        body = self.query_one("#questions", VerticalScroll)
        self._turning = True
        try:
            with self.app.batch_update():
                body.scroll_home(animate=False, immediate=True)
                await body.remove_children()
                await body.mount(
                    *(
                        Field(question, self.navigation.answers, available, roomy=roomy)
                        for question in asked
                    ),
                    Static(id="preview", markup=False),
                )
                body.border_title = plain(heading)
        finally:
            self._turning = False
        if self._available() != available:
            self._refresh_fields()  # suggestions came meanwhile
        self.query_one(Breadcrumb).show(self.navigation, page)
        self._focus(key or asked[0].key)
        self.call_after_refresh(self._keep_in_sight)
        self.call_after_refresh(self._draw_preview)
        self.call_after_refresh(self._save_place)
        # Only when the page is painted: threads that compute would delay that.
        self.call_after_refresh(self._show_needs)
        self.call_after_refresh(self._load_suggestions)
        self.wizard.collect_garbage_soon()

    def on_resize(self, _: events.Resize) -> None:
        for field in self.query(Field):
            field.explain_choices(self._roomy())
        self.call_after_refresh(self._keep_in_sight)
        self.call_after_refresh(self._draw_preview)

    def _save_place(self) -> None:
        """Save which page is shown, once it is: a slow disk does not delay it."""
        if self.navigation.answers:
            self.navigation.answers.set(questions.HERE, self.page)

    @on(Field.Resized)
    def _resized(self) -> None:
        self.call_after_refresh(self._keep_in_sight)

    def _draw_preview(self) -> None:
        """Draw what the answers lead to below them, on the pages that have a preview."""
        if self._turning:
            return
        width = self.query_one("#questions").content_size.width - 4
        lines = preview(self.page, self.navigation.answers, max(20, width))
        text = Content("\n").join(plain(line) for line in lines)
        renew(self.query_one("#preview", Static), text)

    def _keep_in_sight(self) -> None:
        field = self.focused_field()
        body = self.query_one("#questions")
        if field and field is self.query(Field).first():
            body.scroll_home(animate=False)
        elif field:
            field.scroll_visible(animate=False)
        if field and isinstance(field.control, Choices):
            # The field may be taller than the pane: its chosen choice is what must be seen.
            chosen = field.control.chosen_region.translate(field.control.virtual_region.offset)
            for above in takewhile(lambda node: node is not body, field.control.ancestors):
                assert isinstance(above, Widget)
                chosen = chosen.translate(above.virtual_region.offset)
            body.scroll_to_region(chosen, animate=False)

    def _focus(self, key: str) -> None:
        for field in self.query(f"#{field_id(key)}").results(Field):
            field.control.focus(scroll_visible=False)  # _keep_in_sight scrolls to the whole field

    # --- answering ---

    @on(Field.Answered)
    async def _answered(self, event: Field.Answered) -> None:
        self.navigation.answers.set(event.field.question.key, event.text)
        if self._turning:
            return
        asked = questions.on_page(self.page, self.navigation.answers)
        if list(asked) != [field.question for field in self.query(Field)]:
            await self.show(self.page, event.field.question.key)
            return
        self._refresh_fields()
        self.query_one(Breadcrumb).show(self.navigation, self.page)
        self._explain()
        self._show_needs()
        if event.field.question.kind == "choice" or event.field.question.key in FILES:
            self._load_suggestions()
        self._warn()
        self._sync()

    @work(exclusive=True, group="sync")
    async def _sync(self) -> None:
        """Flush the draft to the disk after a pause in typing: a slow disk delays no key."""
        await asyncio.sleep(_PAUSE)
        await self.in_background(self.navigation.answers.sync)

    def _refresh_fields(self) -> None:
        if self._turning:
            return
        available = self._available()
        for field in self.query(Field):
            field.set(self.navigation.answers, available)
        self._draw_preview()

    def _warn(self) -> None:
        """Warn once that the draft cannot be saved."""
        if self.navigation.answers.unsaved and not self._warned:
            message = f"Your draft cannot be saved: {self.navigation.answers.unsaved}"
            self.app.notify(message, severity="error", timeout=10)
        self._warned = bool(self.navigation.answers.unsaved)

    # --- suggestions ---

    def _available(self) -> Suggestions:
        return self.wizard.suggestion_service.current(self.navigation.answers)

    def _load_suggestions(self) -> None:
        """Read the lists of suggestions for these answers, if they are not read yet."""
        if self.page == "target":
            return
        if read := self.wizard.suggestion_service.pending(self.navigation.answers):
            self._refresh_fields()
            self._read(read)

    @work(group="suggestions")
    async def _read(self, read: Callable[[], None]) -> None:
        """Read suggestions, and show them."""
        await self.in_background(read)
        self._refresh_fields()
        self._explain()

    @on(Field.ListRequested)
    @work
    async def _choose(self, event: Field.ListRequested) -> None:
        """Ask to choose from the list, or for a file."""
        field, answers = event.field, self.navigation.answers
        if suggestions.is_path(field.question):
            path = await self.app.push_screen_wait(_ask_path(field.question, dict(answers)))
            if path:
                field.write(str(path))
            return
        hint = suggestions.hint(field.question, answers, self._available())
        service, now = self.wizard.suggestion_service, self.wizard.clock()
        picker = PickerScreen(field.question, answers, service, hint, now)
        chosen = await self.app.push_screen_wait(picker)
        if chosen is not None:
            field.write(chosen)

    # --- explaining ---

    def on_descendant_focus(self, _: events.DescendantFocus) -> None:
        """Explain the focused question; the answer typed before is complete now."""
        self._explain()
        self._load_suggestions()
        self.call_after_refresh(self._keep_in_sight)

    def focused_field(self) -> Field | None:
        """The field that has the focus."""
        if self.focused is None:
            return None
        return next((n for n in self.focused.ancestors_with_self if isinstance(n, Field)), None)

    def _explain(self) -> None:
        field = None if self._turning else self.focused_field()
        if field:
            means = "" if self._roomy() else field.means  # a roomy page shows it at the choice
            renew(self.query_one("#why-text", Static), _why(field.question, means))

    def _roomy(self) -> bool:
        """Whether each choice is explained; the answers do not change it, so nothing jumps."""
        page = next(p for p in PAGES if p.name == self.page)
        return self.size.width >= _WIDE or len(page.questions) <= _ROOMY

    def explanation(self) -> str:
        """The help on the field that has the focus."""
        field = self.focused_field()
        if not field:
            return self.HELP
        question = field.question
        parts = [question.text, question.why, *filter(None, [question.source])]
        parts += [
            f"{choice.title}: {choice.means or choice.unavailable or '-'}"
            for choice in suggestions.choices(question, self.navigation.answers, self._available())
        ]
        if question.kind == "list":
            parts.append("Words separated by spaces or commas.")
        if suggestions.offered(question):
            parts.append("F4 shows the whole list, to search and choose from.")
        if suggestions.is_path(question):
            parts.append("F4 lists the files here.")
        return "\n\n".join(parts)

    @work(exclusive=True, group="needs")
    async def _show_needs(self) -> None:
        host = await self.wizard.host()
        answers = dict(self.navigation.answers)
        build = await self.in_background(lambda: review.review_of(answers, host, wait=False))
        here = {question.key for question in questions.on_page(self.page, answers)}
        renew(self.query_one("#needs", Static), _needs(build, here))

    # --- turning pages ---

    async def action_back(self) -> None:
        """Show the previous page; a wrong answer stays as it was typed."""
        self.navigation.leave(self.page)
        pages = self.navigation.pages
        before = pages.index(self.page) - 1
        if before < 0:
            self.action_leave()
        else:
            await self.show(pages[before])

    def action_next_field(self) -> None:
        """Go to the next question; after the last one of the page, to the next page."""
        if self.focused_field() is self.query(Field).last():
            self.call_later(self.action_next)  # which removes the input that called this
        else:
            self.focus_next()

    async def action_next(self) -> None:
        """Show the next page if no answer here is wrong; a doubtful one is warned of once."""
        wrong = self.navigation.problems(self.page)
        doubts = self._doubts()
        if wrong:
            self._show_problem(*next(iter(wrong.items())))
        elif doubts and doubts != self._accepted:
            self._accepted = doubts
            key, doubt = next(iter(doubts.items()))
            self._show_problem(key, f"{doubt} Press F3 again to continue anyway.")
        else:
            pages = self.navigation.pages
            await self._turn(pages[pages.index(self.page) + 1])

    def _doubts(self) -> dict[str, str]:
        asked = questions.on_page(self.page, self.navigation.answers)
        return suggestions.doubts(asked, self.navigation.answers, self._available())

    def _show_problem(self, key: str, problem: str) -> None:
        """Focus the question, and show its problem."""
        self._focus(key)
        field = self.query_one(f"#{field_id(key)}", Field)
        self.call_after_refresh(field.judge)  # a notification soon disappears
        text = f"{field.question.text}: {problem}"
        self.app.clear_notifications()
        self.app.notify(text, severity="warning")

    async def action_page(self, number: int) -> None:
        """Show any page, by its position in the row (from 1)."""
        if number <= len(self.navigation.pages):
            await self._turn(self.navigation.pages[number - 1])

    async def _turn(self, page: str) -> None:
        self.navigation.leave(self.page)
        if page == REVIEW:
            self.wizard.show_page(self.navigation, page)
        elif page != self.page:
            await self.show(page)

    def action_leave(self) -> None:
        self.navigation.leave(self.page)
        self.wizard.leave_draft()


def _ask_path(question: Question, answers: RawAnswers) -> AskPath:
    """The dialog that asks for the path of a question, starting at its answer."""
    current = question.answer(answers)
    if question.key not in FILES:
        return AskPath(
            question.text,
            "It is created if it does not exist.",
            "" if current == "." else current,
            lambda p: f"{p} is a file" if p.is_file() else "",
            wanted=lambda _: False,
        )
    kind = inspection.kind_of(answers, question.key)
    return AskPath(
        question.text,
        "Files of this kind are listed; you can also type any path.",
        "" if "://" in current else current,
        lambda p: "" if p.exists() else f"{p} does not exist",
        wanted=lambda p: inspection.may_be(kind, p),
    )


def _why(question: Question, means: str) -> Content:
    parts = [plain(question.text, "bold"), block(question.why)]
    parts += [block(text, MUTED) for text in (means, question.source) if text]
    return Content("\n\n").join(parts)


def _needs(build: BuildReview, here: set[str]) -> Content:
    """The first problem of the answers ``here``, if any, and the disk space that is needed."""
    problems = [plain(f"! {p.message}", "$text-warning") for p in build.problems if p.key in here]
    return Content("\n").join([*problems[:1], *_space(build.expected)])


def _space(forecast: Forecast | None) -> list[Content]:
    if not forecast:
        return []
    if not forecast.needs:
        return [Content.styled(f"Every step is cached. {size(forecast.free)} free.", MUTED)]
    short = forecast.needs > forecast.free
    text = f"{'! ' * short}Needs about {size(forecast.needs)} of {size(forecast.free)} free."
    return [Content.styled(text, "$text-warning" if short else MUTED)]
