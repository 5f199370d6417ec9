"""Home: the builds with their states, and the draft."""

from dataclasses import replace
from textwrap import fill
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import OptionList, Static

from zwizard.boottest import records
from zwizard.console import tables
from zwizard.engine import builds, gc
from zwizard.engine.builds import Build
from zwizard.engine.status import CHECKED, Status
from zwizard.hub import records as uploads
from zwizard.tui.build_list import BuildList, ListedBuild
from zwizard.tui.format import MUTED, age, fit, join, mark, plain, renew
from zwizard.tui.navigation import TITLES, Navigation
from zwizard.tui.screens.base import BaseScreen
from zwizard.tui.screens.dialogs import Ask, Option, shows_errors
from zwizard.tui.screens.files import AskPath
from zwizard.tui.widgets.stable_list import Row, StableList
from zwizard.util import paths, places
from zwizard.util.errors import UsageError
from zwizard.util.text import one_line, size
from zwizard.wizard import questions
from zwizard.wizard.draft import Draft

_DRAFT = "draft:"
_BUILD = "build:"
_EVERY = 1.0  # seconds between looks at the builds
Reached = tuple[frozenset[str], frozenset[str]]  # SHA-256 of the tested, and of the uploaded

_WELCOME = (
    "zwizard builds the images that ThreeFold Zero-OS starts as Zmachines. You answer a few"
    " questions; it installs a system that boots there, packs it, and checks it against every"
    " rule. Nothing runs until you have reviewed every command."
)
_HINT = "Builds keep running after you quit. A stopped build resumes at the step it reached."


class BuildRows(StableList):
    """The builds."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "select", "Open")]
    HELP = (
        "Your builds: running ones first, then the latest. Enter opens one: its steps and log"
        " while it runs or after it failed, its checklist when it is finished. Enter on the draft"
        " continues it."
    )


class HomeScreen(BaseScreen[None]):
    """The list of builds, and what can be started."""

    AUTO_FOCUS = ""

    HELP = "Home: your builds and your draft."

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "new", "New", tooltip="Answer the questions for a new image"),
        Binding("o", "app.open", "Open recipe", tooltip="Open a recipe from a file"),
        Binding("u", "duplicate", "Duplicate", tooltip="A new recipe with this build's answers"),
        Binding(
            "r",
            "resume",
            "Resume",
            tooltip="Resume a stopped or failed build at the step it reached",
        ),
        Binding("r", "check_again", "Check again", tooltip="Check an archive that was changed"),
        Binding("c", "check", "Check a file", tooltip="Check a directory, .tar.gz or disk image"),
        Binding("d", "delete", "Delete", tooltip="Delete a build; its archive stays"),
        Binding("q", "app.leave", "Quit"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._builds = BuildList()
        self._listed = BuildRows(id="builds")
        self._entries: dict[str, ListedBuild] = {}
        self._wanted_row = ""  # to highlight as soon as it is listed

    def content(self) -> ComposeResult:
        with Horizontal(classes="top"):
            yield Static("zwizard", classes="title", markup=False)
            yield Static(id="machine", markup=False)
        with Vertical(id="home", classes="pane"):
            yield self._listed
            yield Static(id="welcome", markup=False)

    def on_mount(self) -> None:
        self._listed.display = False
        self.look()
        self.every(_EVERY, self.look)

    def select(self, build: Build | None) -> None:
        """Highlight ``build``, or the draft, when home is next shown."""
        self._wanted_row = _BUILD + build.id if build else _DRAFT

    def on_resize(self) -> None:
        self.look()

    def on_screen_resume(self) -> None:
        self._show_host()
        self.look()

    @work(exclusive=True, group="host")
    async def _show_host(self) -> None:
        host = await self.wizard.host()
        free = await self.in_background(lambda: places.free_space(paths.cache()))
        text = f"{host.word} · {size(free)} free · {host.system}"
        self.query_one("#machine", Static).update(plain(text, MUTED))

    @work(exclusive=True, group="look")
    async def look(self) -> None:
        """Show the builds as they are now."""
        if self.app.screen is not self:
            return
        current = await self.in_background(
            lambda: (
                self._builds.look(),
                _draft(),
                (records.tested_digests(), frozenset(uploads.uploaded_digests())),
            )
        )
        self._show(*current)

    def _show(
        self, entries: tuple[ListedBuild, ...], draft: Draft | None, reached: Reached
    ) -> None:
        entries = tuple(sorted(entries, key=lambda entry: entry.status.state != "running"))
        self._entries = {_BUILD + entry.build.id: entry for entry in entries}
        now, width = self.wizard.clock(), self.size.width
        rows = [Row(_DRAFT, _draft_row(draft, width))] if draft else []
        rows += [
            Row(id_, _row(entry, now, width, reached)) for id_, entry in self._entries.items()
        ]
        self._listed.show(rows)
        if self._listed.go(self._wanted_row):
            self._wanted_row = ""
        self._listed.display = bool(rows)
        self.query_one("#home").border_title = "Builds" if rows else "Welcome"
        if rows and self.focused is None:
            self._listed.focus()
        elif not rows:
            self.set_focus(None)
        welcome = self.query_one("#welcome", Static)
        renew(
            welcome,
            Content.styled(_HINT, MUTED) if rows else _welcome(max(40, min(width - 2, 100))),
        )
        self.refresh_bindings()

    # --- what can be done ---

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        entry = self._entry()
        state = entry.status.state if entry else ""
        offered = {
            "resume": state in {"stopped", "failed", "missing"},
            "check_again": state == "changed",
            "duplicate": bool(entry and entry.recipe),
            "delete": state not in {"", "running"} or self._listed.current == _DRAFT,
        }
        return offered.get(action, True)

    def _entry(self) -> ListedBuild | None:
        return self._entries.get(self._listed.current)

    @on(OptionList.OptionHighlighted)
    def _moved(self) -> None:
        self.refresh_bindings()

    @on(OptionList.OptionSelected)
    def _open(self) -> None:
        if self._listed.current == _DRAFT:
            self.wizard.continue_draft()
        elif entry := self._entry():
            checked = entry.status.state in {*CHECKED, "changed"}
            if checked and entry.build.report_file.exists():
                self.wizard.show_check(entry.build)
            else:
                self.wizard.show_build(entry.build)

    @work
    async def action_new(self) -> None:
        draft = _draft()
        if draft is None:
            self.wizard.continue_draft()
            return
        chosen = await self.app.push_screen_wait(
            Ask(
                f"You have an unfinished draft: {draft.get('name', '')}",
                "",
                (Option("c", "Continue it"), Option("s", "Start over (discards it)")),
            )
        )
        if chosen == "s":
            draft.clear()
        if chosen:
            self.wizard.continue_draft()

    @work
    async def action_resume(self) -> None:
        entry = self._entry()
        if entry and await self.wizard.start_build(entry.build):
            self.wizard.show_build(entry.build)

    def action_check_again(self) -> None:
        if entry := self._entry():
            self.wizard.show_check(entry.build, again=True)

    @work
    async def action_duplicate(self) -> None:
        """Make a draft with this build's answers, under a name that is free."""
        entry = self._entry()
        if not (entry and entry.recipe):
            return
        recipe = entry.recipe
        name = await self.in_background(lambda: builds.free_name(recipe.name))
        navigation = await self.wizard.use_recipe(replace(recipe, name=name))
        if navigation:
            self.wizard.show_page(navigation, "target", "name")

    @work
    async def action_delete(self) -> None:
        entry = self._entry()
        if entry:
            await self._delete(entry)
            return
        options = (Option("k", "Keep it"), Option("d", "Delete the draft"))
        question = Ask("Delete the draft?", "No build is affected.", options)
        if await self.app.push_screen_wait(question) == "d":
            Draft.open(paths.draft()).clear()
            self.look()

    @shows_errors
    async def _delete(self, entry: ListedBuild) -> None:
        """Ask, and delete a build, with the layers that only it uses if the user wants that."""
        build = entry.build
        host = await self.wizard.host()
        frees = await self.in_background(lambda: gc.frees(build, host.privilege))
        options = [Option("k", "Keep it"), Option("d", f"Delete it: frees {size(frees.build)}")]
        if frees.layers:
            freed = f"frees {size(frees.build + frees.layers)}"
            options.append(Option("l", f"Delete it and the layers that only it uses: {freed}"))
        chosen = await self.app.push_screen_wait(
            Ask(f"Delete {build.id}?", _what_stays(entry), options)
        )
        if chosen not in {"d", "l"}:
            return
        if chosen == "l" and not await self.wizard.authorise():
            return
        await self.in_background(lambda: builds.remove(build))
        if chosen == "l":
            await self.in_background(gc.clean)
        self.look()

    @work
    async def action_check(self) -> None:
        path = await self.app.push_screen_wait(
            AskPath(
                "Check an image",
                "Checks a directory, a .tar.gz or a disk image against every rule. Nothing is"
                " changed.",
                "",
                lambda p: "" if p.exists() else f"{p} does not exist",
                wanted=lambda _: True,
            )
        )
        if path:
            self.wizard.show_check(path)


def _draft() -> Draft | None:
    """The unfinished draft, if there is one."""
    draft = Draft.open(paths.draft())
    return draft if len(draft) else None


def _row(entry: ListedBuild, now: float, width: int, reached: Reached) -> Content:
    status = entry.status
    return _columns(
        mark(status.state, 13, tables.word(status, *reached)),
        entry.build.id,
        tables.what(entry.recipe),
        tables.where(status),
        _when(status, now),
        width,
    )


def _when(status: Status, now: float) -> str:
    """How long it has been running, or how long ago it ended."""
    if status.state == "running":
        return age(now - status.started).removesuffix(" ago") if status.started else ""
    return age(now - status.at) if status.at else ""


def _columns(state: Content, name: str, what: str, where: str, when: str, width: int) -> Content:
    """One row, aligned with the others; a narrow terminal leaves out what and when."""
    if width < 76:
        return join(state, plain(fit(name, 20), "bold"), plain(where))
    return join(
        state,
        plain(fit(name, min(28, width - 68)), "bold"),
        plain(fit(what, 20), MUTED),
        plain(fit(where, 15 if width < 100 else 20)),
        plain(when, MUTED),
    )


def _draft_row(draft: Draft, width: int) -> Content:
    try:
        recipe = questions.to_recipe(draft)
        name, what = recipe.name, tables.what(recipe)
    except UsageError:
        name, what = draft.get("name", ""), "some answers need review"
    state = Content.styled(fit("○ draft", 13), MUTED)
    page = TITLES[Navigation(draft).first_open()]
    return _columns(state, name, what, f"page {page}", "", width)


def _what_stays(entry: ListedBuild) -> str:
    archive = entry.status.archive
    archive_stays = f"The archive stays: {one_line(archive)}\n" if archive else ""
    return (
        f"Its recipe, journal and logs are deleted.\n{archive_stays}"
        "Its cached layers stay, so building it again is quick; `zwizard clean` frees them."
    )


def _welcome(width: int) -> Content:
    target = next(q for q in questions.all_questions() if q.key == "target")
    parts = [Content(fill(_WELCOME, width)), Content("\nKinds of Zmachine")]
    for choice in target.choices({}):
        reason = f" – {choice.unavailable}" if choice.unavailable else ""
        parts.append(Content.assemble((f"  {choice.title}", "bold"), (reason, MUTED)))
        means = fill(choice.means, width, initial_indent="    ", subsequent_indent="    ")
        parts.append(Content.styled(means, MUTED))
    parts.append(
        Content.assemble(
            "\nPress ",
            ("n", "bold $text-accent"),
            " to start, or ",
            ("o", "bold $text-accent"),
            " to open a recipe.",
        )
    )
    return Content("\n").join(parts)
