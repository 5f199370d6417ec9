"""The review screen: every step that a build would run, why, and its commands."""

from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import OptionList, Static

from zwizard.console import tables
from zwizard.engine import builds
from zwizard.engine.requirements import StepState, UnmetRequirement
from zwizard.host import tools
from zwizard.steps import render
from zwizard.steps.step import Step
from zwizard.tui.format import MUTED, block, fit, join, plain
from zwizard.tui.navigation import REVIEW, Navigation, question_of
from zwizard.tui.screens.base import BaseScreen
from zwizard.tui.screens.dialogs import Reader, copy, shows_errors
from zwizard.tui.screens.files import save_file
from zwizard.tui.screens.pages import PAGE_KEYS
from zwizard.tui.widgets.breadcrumb import Breadcrumb
from zwizard.tui.widgets.stable_list import Row, StableList
from zwizard.util import user_files
from zwizard.util.text import ago, size
from zwizard.wizard import questions, suggestions
from zwizard.wizard.review import BuildReview, HostState, review_of


class StepRows(StableList):
    """What prevents the build, then its steps."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", "Commands", tooltip="Every command of this step, and why")
    ]
    HELP = (
        "What a build would do, step by step. A cached step does not run again."
        " Enter shows its commands, or goes to the question that has a problem."
    )


class ReviewScreen(BaseScreen[None]):
    """The whole build, before anything runs."""

    HELP = "The whole build before it starts. Nothing has run yet; F5 starts it."

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f2", "back", "Back"),
        Binding("f5", "build", "Build"),
        Binding(
            "f9",
            "build(True)",
            "Rebuild all",
            tooltip="Ignore cached steps; use current packages",
            id="review.rebuild",
        ),
        Binding("f6", "install", "Install tools", tooltip="Install the missing programs"),
        Binding("s,f7", "save", "Save recipe", tooltip="Save the draft as a recipe (TOML)"),
        Binding("x", "export", "Export script", tooltip="Export the build as a bash script"),
        Binding("y", "copy", "Copy", tooltip="Copy every command of every step"),
        Binding("f8", "app.open", "Open", tooltip="Open a recipe; it replaces the draft"),
        Binding("escape", "leave", "Leave", tooltip="Leave; the draft is kept"),
        *PAGE_KEYS,
    ]

    def __init__(self, navigation: Navigation) -> None:
        super().__init__()
        self.navigation = navigation
        self._review: BuildReview | None = None
        self._starting = False

    def content(self) -> ComposeResult:
        with Horizontal(classes="top"):
            yield Static("New image", classes="title", markup=False)
            yield Breadcrumb()
        yield Static("Looking for cached steps …", id="summary", markup=False)
        yield StepRows(id="steps", title="Steps")
        yield Static(id="facts", markup=False)

    def on_mount(self) -> None:
        """Show the review, and again once the suggestions are loaded."""
        if self.navigation.answers:
            self.navigation.answers.set(questions.HERE, REVIEW)
        self.query_one(Breadcrumb).show(self.navigation, REVIEW)
        self.query_one(StepRows).focus()
        self.update()
        self._load_suggestions()

    @work(group="suggestions")
    async def _load_suggestions(self) -> None:
        """Load the suggestions that check the answers, if the pages have not done so."""
        if load := self.wizard.suggestion_service.pending(self.navigation.answers):
            await self.in_background(load)
            self.update()

    def on_screen_resume(self) -> None:
        """Update: another screen may have changed something."""
        self.update()

    @work(exclusive=True, group="update")
    async def update(self) -> None:
        """Work out what a build would do now, and show it."""
        host, answers = await self.wizard.host(), dict(self.navigation.answers)
        self._review = review = await self.in_background(lambda: review_of(answers, host))
        self.query_one("#summary", Static).update(_summary(review))
        rows = [Row(f"problem:{i}", _problem(p)) for i, p in enumerate(review.problems)]
        rows += self._doubts({problem.key for problem in review.problems})
        now, width = self.wizard.clock(), self.size.width
        states = review.forecast.steps if review.forecast else ()
        rows += [Row(f"step:{s.step.name}", _step(s, s.reason, now, width)) for s in states]
        self.query_one(StepRows).show(rows, prefer=f"step:{states[0].step.name}" if states else "")
        self.query_one("#facts", Static).update(_facts(review, host))
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        review = self._review
        if action in {"save", "export", "copy", "build"} and not parameters:
            return bool(review and review.recipe)
        forecast = review.forecast if review else None
        offered = {
            "build": bool(forecast and forecast.cached),  # all of it again
            "install": bool(forecast and forecast.missing),
        }
        return offered.get(action, True)

    @on(OptionList.OptionSelected)
    def _open(self, event: OptionList.OptionSelected) -> None:
        kind, _, name = (event.option_id or "").partition(":")
        if not self._review:
            return
        if kind == "problem":
            self._show_problem(self._review.problems[int(name)])
        elif kind == "doubt":
            self._go_to_question(name)
        elif self._review.forecast:
            state = next(s for s in self._review.forecast.steps if s.step.name == name)
            self.app.push_screen(commands(state.step, state.reason))

    def _doubts(self, reported: set[str]) -> list[Row]:
        """Answers that are valid but probably a mistake, except those ``reported`` already."""
        answers = self.navigation.answers
        current = self.wizard.suggestion_service.current(answers)
        doubts = suggestions.all_doubts(answers, current)
        return [
            Row(f"doubt:{q.key}", plain(f"! {q.text}: {reason}", "$text-warning"))
            for q, reason in doubts.items()
            if q.key not in reported
        ]

    def _go_to_question(self, key: str) -> bool:
        """Go to the question that sets ``key``; False if there is none."""
        question = question_of(key)
        if question:
            self.wizard.show_page(self.navigation, question.page, question.key)
        return bool(question)

    def _show_problem(self, problem: UnmetRequirement) -> None:
        if not self._go_to_question(problem.key):
            text = Content("\n\n").join([block(problem.message), block(problem.remedy)])
            self.app.push_screen(Reader("The build cannot start", text, copy=problem.remedy))

    # --- building ---

    @work
    @shows_errors
    async def action_build(self, rebuild_all: bool = False) -> None:
        """Start the build, and show it; ``rebuild_all`` ignores cached steps."""
        review = self._review
        if self._starting or not (review and review.recipe):
            return
        if review.problems:
            self.query_one(StepRows).go("problem:0")
            message = f"The build cannot start: {review.problems[0].message}"
            self.app.notify(message, severity="warning")
            return
        recipe = review.recipe
        self._starting = True
        try:
            if not await self.wizard.may_write(*builds.targets(recipe, review.output)):
                return
            build = await self.in_background(lambda: builds.open_for(recipe, Path.cwd()))
            if await self.wizard.start_build(build, rebuild_all=rebuild_all):
                self.navigation.answers.clear()  # the build's recipe has them
                self.wizard.show_build(build)
        finally:
            self._starting = False

    @work
    async def action_install(self) -> None:
        """Install the missing programs, in the bare terminal: the installer may ask questions."""
        if not (self._review and self._review.forecast and self._review.forecast.missing):
            return
        missing = self._review.forecast.missing
        self.wizard.run_in_terminal(lambda: tools.install(missing))
        self.wizard.forget_host()
        self.update()

    # --- saving ---

    def action_save(self) -> None:
        self.wizard.action_save()

    @work
    @shows_errors
    async def action_export(self) -> None:
        if self._review and self._review.plan:
            plan = self._review.plan
            text = "A bash script that does the whole build on its own; run it as root."
            await save_file(
                self.app,
                f"{plan.name}.sh",
                "Export a script",
                text,
                lambda path: user_files.here().write(path, render.script(plan)),
            )

    def action_copy(self) -> None:
        if self._review and self._review.plan:
            copy(self.app, render.text(self._review.plan))

    # --- navigation ---

    def action_back(self) -> None:
        self.wizard.show_page(self.navigation, self.navigation.pages[-2])

    def action_page(self, number: int) -> None:
        """Go to a page by its number (from 1)."""
        pages = self.navigation.pages
        if number < len(pages):
            self.wizard.show_page(self.navigation, pages[number - 1])

    def action_leave(self) -> None:
        self.wizard.leave_draft()


def _summary(review: BuildReview) -> Content:
    if not review.recipe:
        return Content.styled("This draft cannot be built yet.", "bold $text-warning")
    name = plain(f"{review.recipe.name}.tar.gz", "bold")
    what = plain(tables.what(review.recipe), MUTED)
    return join(name, what, Content.styled("Nothing has run yet.", MUTED), between=" · ")


def _problem(problem: UnmetRequirement) -> Content:
    remedy = f"  {problem.remedy}" if problem.remedy else ""
    return Content.assemble(plain(f"✗ {problem.message}", "$text-error"), plain(remedy, MUTED))


def _step(state: StepState, reason: str, now: float, width: int) -> Content:
    layer = state.layer
    if layer:
        mark = Content.styled(fit("✓ cached", 15), "$text-success")
        note = f"built {ago(layer.made, now)}"
    else:
        mark = Content.styled(fit("● will run", 15), "$text-accent")
        note = reason
    amount = size(layer.bytes) if layer else f"~{size(state.step.size)}"
    name = plain(fit(f"{state.number:>2} {state.step.name}", 16), "bold")
    if width < 76:
        return join(name, mark, plain(note, MUTED))
    return join(name, mark, fit(f"{amount:>10}", 10), plain(note, MUTED))


def _facts(review: BuildReview, host: HostState) -> Content:
    lines = [Content.assemble(("Runs as  ", MUTED), plain(host.privilege.description))]
    if host.network:
        lines.append(Content.assemble(("Network  ", MUTED), plain(f"! shared: {host.network}")))
    if forecast := review.forecast:
        needs = f"about {size(forecast.needs)}" if forecast.needs else "nothing"
        lines.append(
            Content.assemble(("Needs    ", MUTED), f"{needs} of {size(forecast.free)} free")
        )
    if review.plan:
        lines.append(
            Content.assemble(("Output   ", MUTED), plain(str(review.output / review.plan.archive)))
        )
    if review.replaces:
        lines.append(Content.assemble(("Replaces ", MUTED), plain(review.replaces)))
    return Content("\n").join(lines)


def commands(step: Step, reason: str) -> Reader:
    """A dialog with a step's reasons, its exact commands, and the guide's where they differ."""
    lines = "\n".join(action.shell() for action in step.actions)
    state = f"Will run: {reason}" if reason else "Cached: these commands do not run."
    parts = [
        plain(state, MUTED),
        Content("\n").join(block(why, "italic") for why in step.why),
        Content("\n").join([Content.styled("Runs", "bold"), block(lines)]),
    ]
    if step.guide:
        title = Content.styled("The commands of the Zmachine guide", "bold")
        parts.append(Content("\n").join([title, block(step.guide, MUTED)]))
    return Reader(f"{step.name}: {step.title}", Content("\n\n").join(parts), copy=lines)
