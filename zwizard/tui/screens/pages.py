"""The pages of questions: drawn from the declarations, answered into the draft."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ClassVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from zwizard.engine.requirements import Forecast
from zwizard.sources import inspection
from zwizard.sources.inspection import FILES
from zwizard.tui.background import in_background
from zwizard.tui.format import MUTED, block, plain, renew
from zwizard.tui.navigation import MOST_PAGES, REVIEW, Navigation
from zwizard.tui.screens.base import BaseScreen
from zwizard.tui.screens.files import AskPath
from zwizard.tui.screens.picker import PickerScreen
from zwizard.tui.widgets.breadcrumb import Breadcrumb
from zwizard.tui.widgets.field import Field, field_id
from zwizard.util.text import size
from zwizard.wizard import questions, review, suggestions
from zwizard.wizard.previews import preview
from zwizard.wizard.questions import PAGES, Question, RawAnswers
from zwizard.wizard.review import BuildReview
from zwizard.wizard.suggestions import Suggestions

_PAUSE = 1.0  # seconds without a key
_ROOMY = 3  # a page of at most so many questions has room to say what each choice means

PAGE_KEYS = tuple(
    Binding(
        f"alt+{number}",
        f"page({number})",
        "Page",
        show=number == 1,  # one stands for all of them
        key_display=f"Alt+1–{MOST_PAGES}" if number == 1 else f"Alt+{number}",
        tooltip="The page at that position in the row above",
        priority=True,  # a line being typed into would take the digit for text
    )
    for number in range(1, MOST_PAGES + 1)
)


class PageScreen(BaseScreen[None]):
    """One page of questions at a time, and why each is asked."""

    TOPIC = "recipe"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f2", "back", "Back"),
        Binding("f3", "next", "Next"),
        Binding("escape", "leave", "Leave", tooltip="Leave; the draft is kept"),
        *PAGE_KEYS,
        Binding("f7", "save", "Save", tooltip="Save the draft as a recipe (TOML)"),
        Binding("f8", "open", "Open", tooltip="Open a recipe; it replaces the draft"),
    ]

    def __init__(self, navigation: Navigation, page: str, key: str = "") -> None:
        super().__init__()
        self.navigation = navigation
        self.page = page
        self._key = key  # the question to begin with
        self._warned = False  # that the answers cannot be kept
        self._doubted: dict[str, str] = {}  # what was said to be doubtful, and left so
        self._turning = False  # the fields are being exchanged: none is looked at

    def content(self) -> ComposeResult:
        """Breadcrumb, questions, why."""
        with Horizontal(classes="top"):
            yield Static("New image", classes="title", markup=False)
            yield Breadcrumb()
        with Horizontal(id="page"):
            yield VerticalScroll(id="questions", can_focus=False)
            with Vertical(id="why"):
                with VerticalScroll(can_focus=False):
                    yield Static(id="why-text", markup=False)
                yield Static(id="needs", markup=False)

    async def on_mount(self) -> None:
        """Show the page."""
        await self.show(self.page, self._key)

    async def show(self, page: str, key: str = "") -> None:
        """Turn to ``page``, at the question ``key`` or the first."""
        self.page = page
        if self.navigation.answers:
            self.navigation.answers.set(questions.HERE, page)
        self.app.clear_notifications()  # they were of the page before
        heading = next(p.heading for p in PAGES if p.name == page)
        asked = questions.on_page(page, self.navigation.answers)
        roomy, known = len(asked) <= _ROOMY, self._known()
        body = self.query_one("#questions", VerticalScroll)
        self._turning = True
        try:
            with self.app.batch_update():
                body.scroll_home(animate=False, immediate=True)
                await body.remove_children()
                await body.mount(
                    Static(plain(heading), classes="heading", markup=False),
                    *(
                        Field(question, self.navigation.answers, known, roomy=roomy)
                        for question in asked
                    ),
                    Static(id="preview", markup=False),
                )
        finally:
            self._turning = False
        if self._known() != known:
            self._look()  # read meanwhile
        self.query_one(Breadcrumb).show(self.navigation, page)
        self._focus(key or asked[0].key)
        self.call_after_refresh(self._keep_in_sight)
        self.call_after_refresh(self._draw)
        # Only when the page is there: threads that compute would hold its painting up.
        self.call_after_refresh(self._foresee)
        self.call_after_refresh(self._learn)
        self.wizard.collect_garbage_soon()

    def on_resize(self, _: events.Resize) -> None:
        """However the page folds, the question one is at stays in sight."""
        self.call_after_refresh(self._keep_in_sight)
        self.call_after_refresh(self._draw)

    @on(Field.Resized)
    def _resized(self) -> None:
        self.call_after_refresh(self._keep_in_sight)

    def _draw(self) -> None:
        """What the answers come to, below them, where there is something to draw."""
        if self._turning:
            return
        width = self.query_one("#questions").content_size.width - 4
        lines = preview(self.page, self.navigation.answers, max(20, width))
        drawn = Content("\n").join(plain(line) for line in lines)
        renew(self.query_one("#preview", Static), drawn)

    def _keep_in_sight(self) -> None:
        field = self.focused_field()
        if field and field is self.query(Field).first():
            self.query_one("#questions").scroll_home(animate=False)
        elif field:
            field.scroll_visible(animate=False)

    def _focus(self, key: str) -> None:
        for field in self.query(f"#{field_id(key)}").results(Field):
            field.control.focus(scroll_visible=False)  # _keep_in_sight does, to the whole field

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
        self._look()
        self.query_one(Breadcrumb).show(self.navigation, self.page)
        self._explain()
        self._foresee()
        if event.field.question.kind == "choice" or event.field.question.key in FILES:
            self._learn()
        self._warn()
        self._sync()

    @work(exclusive=True, group="sync")
    async def _sync(self) -> None:
        """Bring the answers to the disk once nobody types: a slow disk holds no key up."""
        await asyncio.sleep(_PAUSE)
        await in_background(self.navigation.answers.sync)

    def _look(self) -> None:
        if self._turning:
            return
        known = self._known()
        for field in self.query(Field):
            field.look(self.navigation.answers, known)
        self._draw()

    def _warn(self) -> None:
        """Once, where the answers cannot be kept."""
        if self.navigation.answers.unsaved and not self._warned:
            said = plain(f"Your draft cannot be saved: {self.navigation.answers.unsaved}").plain
            self.app.notify(said, severity="error", timeout=10, markup=False)
        self._warned = bool(self.navigation.answers.unsaved)

    # --- what is known of possible answers ---

    def _known(self) -> Suggestions:
        return self.wizard.library.current(self.navigation.answers)

    def _learn(self) -> None:
        """Have the lists read that these answers call for, if they are not yet."""
        reading = (
            self.wizard.library.pending(self.navigation.answers) if self.page != "target" else None
        )
        if reading:
            self._look()
            self._read(reading)

    @work(group="learn")
    async def _read(self, reading: Callable[[], None]) -> None:
        """Show what is read, when it has been."""
        await in_background(reading)
        self._look()
        self._explain()

    @on(Field.Wanted)
    @work
    async def _choose(self, event: Field.Wanted) -> None:
        """Choose from the list."""
        field, given = event.field, self.navigation.answers
        if suggestions.is_path(field.question):
            path = await self.app.push_screen_wait(_ask_path(field.question, dict(given)))
            if path:
                field.write(str(path))
            return
        hint = suggestions.hint(field.question, given, self._known())
        pick = PickerScreen(field.question, given, self.wizard.library, hint, self.wizard.clock())
        chosen = await self.app.push_screen_wait(pick)
        if chosen is not None:
            field.write(chosen)

    # --- explaining ---

    def on_descendant_focus(self, _: events.DescendantFocus) -> None:
        """Say why this is asked; what was typed elsewhere is whole now."""
        self._explain()
        self._learn()

    def focused_field(self) -> Field | None:
        """The field that has the focus."""
        if self.focused is None:
            return None
        return next((n for n in self.focused.ancestors_with_self if isinstance(n, Field)), None)

    def _explain(self) -> None:
        field = None if self._turning else self.focused_field()
        if field:
            said = _why(field.question, "" if field.means and self._roomy() else field.means)
            renew(self.query_one("#why-text", Static), said)

    def _roomy(self) -> bool:
        return len(self.query(Field)) <= _ROOMY

    def explanation(self) -> str:
        """What F1 says of the field that has the focus."""
        field = self.focused_field()
        if not field:
            return "The pages of questions. Tab and Enter go to the next question."
        question = field.question
        parts = [question.text, question.why, *filter(None, [question.source])]
        parts += [
            f"{choice.title}: {choice.means or choice.unavailable or '-'}"
            for choice in suggestions.choices(question, self.navigation.answers, self._known())
        ]
        if question.kind == "list":
            parts.append("Words, separated by spaces or commas.")
        if suggestions.offered(question):
            parts.append("F4 shows the whole list, to search and choose from.")
        if suggestions.is_path(question):
            parts.append("F4 lists the files here.")
        return "\n\n".join(parts)

    @work(exclusive=True, group="foresee")
    async def _foresee(self) -> None:
        machine = await self.wizard.host()
        given = dict(self.navigation.answers)
        seen = await in_background(lambda: review.review_of(given, machine, wait=False))
        here = {question.key for question in questions.on_page(self.page, given)}
        renew(self.query_one("#needs", Static), _needs(seen, here))

    # --- turning pages ---

    async def action_back(self) -> None:
        """The page before; what is wrong here stays as it was typed."""
        self.navigation.leave(self.page)
        pages = self.navigation.pages
        before = pages.index(self.page) - 1
        if before < 0:
            self.action_leave()
        else:
            await self.show(pages[before])

    async def action_next(self) -> None:
        """The next page, if nothing on this one is wrong; what is doubtful is said once."""
        wrong = self.navigation.problems(self.page)
        doubts = self._doubts()
        if wrong:
            self._stay(*next(iter(wrong.items())))
        elif doubts and doubts != self._doubted:
            self._doubted = doubts
            key, said = next(iter(doubts.items()))
            self._stay(key, f"{said} F3 again goes on with it.")
        else:
            pages = self.navigation.pages
            await self._turn(pages[pages.index(self.page) + 1])

    def _doubts(self) -> dict[str, str]:
        asked = questions.on_page(self.page, self.navigation.answers)
        return suggestions.doubts(asked, self.navigation.answers, self._known())

    def _stay(self, key: str, said: str) -> None:
        """Go to the question, and say what keeps one there."""
        self._focus(key)
        field = self.query_one(f"#{field_id(key)}", Field)
        self.call_after_refresh(field.judge)  # what is said in passing is soon gone
        text = plain(f"{field.question.text}: {said}").plain
        self.app.clear_notifications()
        self.app.notify(text, severity="warning", markup=False)

    async def action_page(self, number: int) -> None:
        """Jump to any page, by its place in the row (from 1)."""
        if number <= len(self.navigation.pages):
            await self._turn(self.navigation.pages[number - 1])

    async def _turn(self, page: str) -> None:
        self.navigation.leave(self.page)
        if page == REVIEW:
            self.wizard.show_review(self.navigation)
        elif page != self.page:
            await self.show(page)

    def action_leave(self) -> None:
        """Home; the answers are kept."""
        self.navigation.leave(self.page)
        self.wizard.leave_draft()

    def action_save(self) -> None:
        """Save the answers as a recipe."""
        self.wizard.save_recipe(self.navigation)

    def action_open(self) -> None:
        """Open a recipe."""
        self.wizard.open_recipe()


def _ask_path(question: Question, given: RawAnswers) -> AskPath:
    """The dialog that finds what a question names on the disk, from where its answer leads."""
    now = question.answer(given)
    if question.key not in FILES:
        return AskPath(
            question.text,
            "It is created if it does not exist.",
            "" if now == "." else now,
            lambda p: f"{p} is a file" if p.is_file() else "",
            wanted=lambda _: False,
        )
    kind = inspection.kind_of(given, question.key)
    return AskPath(
        question.text,
        "Files that fit are listed; you can also type any path.",
        "" if "://" in now else now,
        lambda p: "" if p.exists() else f"{p} does not exist",
        wanted=lambda p: inspection.may_be(kind, p),
    )


def _why(question: Question, means: str) -> Content:
    parts = [plain(question.text, "bold"), block(question.why)]
    parts += [block(text, MUTED) for text in (means, question.source) if text]
    return Content("\n\n").join(parts)


def _needs(seen: BuildReview, here: set[str]) -> Content:
    """What an answer on the page keeps away, if any does, and what is needed of this machine."""
    wrong = [plain(f"! {t.message}", "$text-warning") for t in seen.problems if t.key in here]
    return Content("\n").join([*wrong[:1], *_space(seen.expected)])


def _space(ahead: Forecast | None) -> list[Content]:
    if not ahead:
        return []
    if not ahead.needs:
        return [Content.styled(f"Every step is cached. {size(ahead.free)} free.", MUTED)]
    short = ahead.needs > ahead.free
    said = f"{'! ' * short}Needs about {size(ahead.needs)} of {size(ahead.free)} free."
    return [Content.styled(said, "$text-warning" if short else MUTED)]
