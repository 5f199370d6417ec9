"""Review: every step a build would take, why, and with which commands; nothing has run yet."""

from __future__ import annotations

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
from zwizard.plan.targets import Step
from zwizard.steps import render
from zwizard.tui.background import in_background
from zwizard.tui.format import MUTED, block, fit, join, plain
from zwizard.tui.navigation import REVIEW, Navigation, question_of
from zwizard.tui.screens.base import BaseScreen
from zwizard.tui.screens.dialogs import Reader, copy
from zwizard.tui.screens.files import save_file
from zwizard.tui.screens.pages import PAGE_KEYS
from zwizard.tui.widgets.breadcrumb import Breadcrumb
from zwizard.tui.widgets.stable_list import Row, StableList
from zwizard.util import paths
from zwizard.util.errors import ZwizardError
from zwizard.util.text import ago, size
from zwizard.wizard import questions, review, suggestions
from zwizard.wizard.questions import Question
from zwizard.wizard.review import BuildReview, HostState


class StepRows(StableList):
    """The steps, and before them what is in the way."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", "Commands", tooltip="Every command of this step, and why")
    ]
    HELP = (
        "What a build would do, step by step. A cached step does not run again."
        " Enter shows its commands, or goes to the question that has a problem."
    )


class ReviewScreen(BaseScreen[None]):
    """What will run, before anything does."""

    HELP = "The whole build before it starts. Nothing has run yet; F5 starts it."

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f2", "back", "Back"),
        Binding("f5", "build", "Build"),
        Binding(
            "f9", "rebuild", "Rebuild all", tooltip="Ignore cached steps; take today's packages"
        ),
        Binding("f6", "install", "Install tools", tooltip="Install the missing programs"),
        Binding("s,f7", "save", "Save recipe", tooltip="Save the draft as a recipe (TOML)"),
        Binding("x", "export", "Export script", tooltip="Export a bash script that does the same"),
        Binding("y", "copy", "Copy", tooltip="Copy every command of every step"),
        Binding("f8", "open", "Open", tooltip="Open a recipe; it replaces the draft"),
        Binding("escape", "leave", "Leave", tooltip="Leave; the draft is kept"),
        *PAGE_KEYS,
    ]

    def __init__(self, navigation: Navigation) -> None:
        super().__init__()
        self.navigation = navigation
        self._seen: BuildReview | None = None
        self._host: HostState | None = None
        self._starting = False

    def content(self) -> ComposeResult:
        """Breadcrumb, what it will be, the steps, by which right and with what space."""
        with Horizontal(classes="top"):
            yield Static("New image", classes="title", markup=False)
            yield Breadcrumb()
        yield Static("Looking for cached steps …", id="summary", markup=False)
        yield StepRows(id="steps")
        yield Static(id="facts", markup=False)

    def on_mount(self) -> None:
        """Work out what there is to do."""
        if self.navigation.answers:
            self.navigation.answers.set(questions.HERE, REVIEW)
        self.query_one(Breadcrumb).show(self.navigation, REVIEW)
        self.query_one(StepRows).focus()
        self.look()
        self._learn()

    @work(group="learn")
    async def _learn(self) -> None:
        """What is known of the answers, if the pages have not been there to find it out."""
        if reading := self.wizard.suggestion_service.pending(self.navigation.answers):
            await in_background(reading)
            self.look()

    def on_screen_resume(self) -> None:
        """Back from another screen: things may have changed."""
        self.look()

    @work(exclusive=True, group="look")
    async def look(self) -> None:
        """Show what a build would do now."""
        self._host = await self.wizard.host()
        machine, given = self._host, dict(self.navigation.answers)
        self._seen = await in_background(lambda: review.review_of(given, machine))
        self._show(self._seen, machine)

    def _show(self, seen: BuildReview, machine: HostState) -> None:
        self.query_one("#summary", Static).update(_summary(seen))
        rows = [Row(f"trouble:{i}", _trouble(t)) for i, t in enumerate(seen.problems)]
        rows += self._doubted({trouble.key for trouble in seen.problems})
        now, width = self.wizard.clock(), self.size.width
        states = seen.forecast.steps if seen.forecast else ()
        rows += [Row(f"step:{s.step.name}", _step(s, s.reason, now, width)) for s in states]
        self.query_one(StepRows).show(rows, prefer=f"step:{states[0].step.name}" if states else "")
        self.query_one("#facts", Static).update(_facts(seen, machine))
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """What needs a recipe waits for one."""
        seen = self._seen
        match action:
            case "save" | "export" | "copy" | "build":
                return bool(seen and seen.recipe)
            case "rebuild":
                return bool(seen and seen.forecast and seen.forecast.first)
            case "install":
                return bool(seen and seen.forecast and seen.forecast.missing)
            case _:
                return True

    @on(OptionList.OptionSelected)
    def _open(self, event: OptionList.OptionSelected) -> None:
        kind, _, name = (event.option_id or "").partition(":")
        if not self._seen:
            return
        if kind == "trouble":
            self._mend(self._seen.problems[int(name)])
        elif kind == "doubt":
            self._ask_again(name)
        elif self._seen.forecast:
            state = next(s for s in self._seen.forecast.steps if s.step.name == name)
            self.app.push_screen(commands(state.step, state.reason))

    def _doubted(self, told: set[str]) -> list[Row]:
        """Answers that can be built with, and are probably not what was meant."""
        given = self.navigation.answers
        wrong = questions.problems(given).keys() | told
        asked = {q.key: q for q in questions.asked(given) if q.key not in wrong}
        found = suggestions.doubts(
            asked.values(), given, self.wizard.suggestion_service.current(given)
        )
        return [Row(f"doubt:{key}", _doubt(asked[key], said)) for key, said in found.items()]

    def _ask_again(self, key: str) -> bool:
        """Go to the question that fills ``key``; False if none does."""
        question = question_of(key)
        if question:
            self.wizard.show_page(self.navigation, question.page, question.key)
        return bool(question)

    def _mend(self, trouble: UnmetRequirement) -> None:
        if not self._ask_again(trouble.key):
            text = Content("\n\n").join([block(trouble.message), block(trouble.remedy)])
            self.app.push_screen(Reader("The build cannot start", text, copy=trouble.remedy))

    # --- building ---

    def action_build(self) -> None:
        """Start the build, and watch it."""
        self._build(rebuild_all=False)

    def action_rebuild(self) -> None:
        """Start the build with no step cached."""
        self._build(rebuild_all=True)

    @work
    async def _build(self, *, rebuild_all: bool) -> None:
        seen = self._seen
        if self._starting or not (seen and seen.recipe):
            return
        if seen.problems:
            self.query_one(StepRows).go("trouble:0")
            said = plain(f"The build cannot start: {seen.problems[0].message}").plain
            self.app.notify(said, severity="warning", markup=False)
            return
        recipe = seen.recipe
        self._starting = True
        try:
            build = await in_background(lambda: builds.open_for(recipe, Path.cwd()))
            if await self.wizard.start_build(build, rebuild_all=rebuild_all):
                self.navigation.answers.clear()  # they are in the build's recipe now
                self.wizard.show_build(build)
        except (ZwizardError, OSError) as error:
            self.wizard.show_error(error)
        finally:
            self._starting = False

    @work
    async def action_install(self) -> None:
        """Install what is missing, in the terminal, where it can ask and be read."""
        if not (self._seen and self._seen.forecast and self._seen.forecast.missing):
            return
        lacking = self._seen.forecast.missing
        self.wizard.run_in_terminal(lambda: tools.install(lacking))
        self.wizard.forget_host()
        self.look()

    # --- keeping ---

    def action_save(self) -> None:
        """Save the recipe to a file."""
        self.wizard.save_recipe(self.navigation)

    def action_open(self) -> None:
        """Open another recipe."""
        self.wizard.open_recipe()

    @work
    async def action_export(self) -> None:
        """Save the plan as a script."""
        if self._seen and self._seen.plan:
            made = self._seen.plan
            text = "A bash script that does the whole build on its own; run it as root."
            await save_file(
                self.app,
                f"{made.name}.sh",
                "Export a script",
                text,
                lambda path: paths.write_atomically(path, render.script(made)),
            )

    def action_copy(self) -> None:
        """Copy every command of every step."""
        if self._seen and self._seen.plan:
            copy(self.app, render.text(self._seen.plan))

    # --- going elsewhere ---

    def action_back(self) -> None:
        """The last page of questions."""
        self.wizard.show_page(self.navigation, self.navigation.pages[-2])

    def action_page(self, number: int) -> None:
        """Jump to any page, by its place in the row (from 1)."""
        pages = self.navigation.pages
        if number < len(pages):
            self.wizard.show_page(self.navigation, pages[number - 1])

    def action_leave(self) -> None:
        """Home; the answers are kept."""
        self.wizard.leave_draft()


def _summary(seen: BuildReview) -> Content:
    if not seen.recipe:
        return Content.styled("These answers cannot be built yet.", "bold $text-warning")
    name = plain(f"{seen.recipe.name}.tar.gz", "bold")
    what = plain(tables.what(seen.recipe), MUTED)
    return join(name, what, Content.styled("Nothing has run yet.", MUTED), between=" · ")


def _trouble(trouble: UnmetRequirement) -> Content:
    remedy = f"  {trouble.remedy}" if trouble.remedy else ""
    return Content.assemble(plain(f"✗ {trouble.message}", "$text-error"), plain(remedy, MUTED))


def _doubt(question: Question, said: str) -> Content:
    return plain(f"! {question.text}: {said}", "$text-warning")


def _step(state: StepState, reason: str, now: float, width: int) -> Content:
    layer = state.layer
    if layer:
        mark = Content.styled(fit("✓ cached", 15), "$text-success")
        said = f"built {ago(layer.made, now)}"
    else:
        mark = Content.styled(fit("● will run", 15), "$text-accent")
        said = reason
    amount = size(layer.bytes) if layer else f"~{size(state.step.size)}"
    name = plain(fit(f"{state.number:>2} {state.step.name}", 16), "bold")
    if width < 76:
        return join(name, mark, plain(said, MUTED))
    return join(name, mark, fit(f"{amount:>10}", 10), plain(said, MUTED))


def _facts(seen: BuildReview, machine: HostState) -> Content:
    lines = [Content.assemble(("Runs as  ", MUTED), plain(machine.privilege.description))]
    if ahead := seen.forecast:
        needs = f"about {size(ahead.needs)}" if ahead.needs else "nothing"
        lines.append(Content.assemble(("Needs    ", MUTED), f"{needs} of {size(ahead.free)} free"))
    if seen.plan:
        lines.append(
            Content.assemble(("Output   ", MUTED), plain(str(seen.output / seen.plan.archive)))
        )
    return Content("\n").join(lines)


def commands(step: Step, reason: str) -> Reader:
    """A step to read: why, every exact command, and the guide's own where they differ."""
    lines = "\n".join(action.shell() for action in step.actions)
    said = f"Will run: {reason}" if reason else "Cached: nothing of this runs."
    parts = [
        plain(said, MUTED),
        Content("\n").join(block(why, "italic") for why in step.why),
        Content("\n").join([Content.styled("Runs", "bold"), block(lines)]),
    ]
    if step.guide:
        title = Content.styled("The commands of the Zmachine guide", "bold")
        parts.append(Content("\n").join([title, block(step.guide, MUTED)]))
    return Reader(f"{step.name}: {step.title}", Content("\n\n").join(parts), copy=lines)
