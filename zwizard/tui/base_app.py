"""The app as screens use it: the host, builds and boot tests, the draft."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from textual import work
from textual.app import App
from textual.driver import Driver

from zwizard.boottest import session
from zwizard.boottest.request import BootTest, BootTestRequest
from zwizard.engine.builds import Build
from zwizard.recipe.model import Recipe
from zwizard.sources.resolve import relocate
from zwizard.tui import preferences, terminal
from zwizard.tui.background import in_background
from zwizard.tui.navigation import Navigation
from zwizard.tui.screens.dialogs import Ask, Option, show_error, shows_errors
from zwizard.tui.screens.files import AskPath, save_file
from zwizard.util import paths, user_files
from zwizard.util.errors import ZwizardError
from zwizard.util.text import one_line
from zwizard.util.user_files import FileState
from zwizard.wizard import questions
from zwizard.wizard.draft import Draft
from zwizard.wizard.review import HostState, inspect_host
from zwizard.wizard.suggestion_service import SuggestionService


class BaseApp(App[None]):
    """An app with one draft, on this host. What opens screens is left to :class:`ZwizardApp`."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        inspect: Callable[[], HostState] = inspect_host,
        suggestion_service: SuggestionService | None = None,
        driver: type[Driver] | None = None,
    ) -> None:
        super().__init__(driver_class=driver)
        self.clock = clock
        self.suggestion_service = suggestion_service or SuggestionService()
        self.preferences = preferences.load()
        self._inspect = inspect
        self._host: asyncio.Task[HostState] | None = None
        # By artefact, with its state before; they end when this process does.
        self._boot_tests: dict[Path, tuple[BootTest, FileState | None]] = {}
        self._navigation: Navigation | None = None  # of the page or review shown last

    def notify(self, message: str, *, markup: bool = False, **options: Any) -> None:
        """Show a notification; nothing in it acts on the terminal or is markup."""
        super().notify(one_line(message), markup=markup, **options)

    # --- screens, opened by the app ---

    def show_page(self, navigation: Navigation, page: str, key: str = "") -> None:
        """Show a page of questions, at the question ``key``, or the review."""

    def show_build(self, build: Build) -> None:
        """Show a build's steps and log."""

    def show_check(self, subject: Build | Path, *, again: bool = False) -> None:
        """Show the checklist of a build (checked ``again``), or check any file or directory."""

    def show_boot_test(self, path: Path, disk_size: int | None = None) -> None:
        """Boot a file or directory as Zero-OS would; ``disk_size`` (bytes) is an image's disk."""

    def show_upload(self, path: Path) -> None:
        """Upload an archive to a hub."""

    def leave_draft(self) -> None:
        """Go home; the draft is kept."""

    def collect_garbage_soon(self) -> None:
        """Collect garbage soon after a change, so that it does not hold up a key later."""

    # --- the host ---

    async def host(self) -> HostState:
        """The state of this host; inspected once, in the background."""
        if self._host is None:
            self._host = asyncio.create_task(in_background(self._inspect))
        return await asyncio.shield(self._host)

    def forget_host(self) -> None:
        """Inspect the host again: something was installed."""
        self._host = None

    def run_in_terminal(self, work: Callable[[], object]) -> bool:
        """Run ``work`` in the terminal outside the app, where it can ask; whether it succeeded."""
        failed: ZwizardError | OSError | None = None
        with self.suspend():
            try:
                work()
            except (ZwizardError, OSError) as error:
                failed = error
                terminal.wait_for_enter()
        if failed:
            show_error(self, failed)
        return failed is None

    async def authorise(self) -> bool:
        """Ask for the sudo password if builds need it; False if sudo refused."""
        privilege = (await self.host()).privilege
        return privilege.mode != "sudo" or self.run_in_terminal(privilege.authorise)

    # --- jobs ---

    async def may_write(self, *places: Path) -> bool:
        """Whether files may be written there; asks about what zwizard did not write itself."""
        files = user_files.here()
        foreign = {path: what for path in places if (what := files.foreign(path))}
        if not foreign:
            return True
        text = "\n".join(f"{path} {what}." for path, what in foreign.items())
        options = (Option("k", "Keep it; nothing is built"), Option("r", "Replace it"))
        if await self.push_screen_wait(Ask("Replace what is there?", text, options)) != "r":
            return False
        files.allow(*foreign)
        return True

    async def start_build(self, build: Build, *, rebuild_all: bool = False) -> bool:
        """Start or resume a build; whether it runs. Errors are shown.

        ``rebuild_all`` ignores cached layers and uses today's packages.
        """
        from zwizard.jobs import supervisor

        options = ["rebuild-all"] if rebuild_all else []
        try:
            if not (await self.may_write(*build.targets()) and await self.authorise()):
                return False
            await in_background(lambda: supervisor.start(build, *options))
        except (ZwizardError, OSError) as error:
            show_error(self, error)
            return False
        return True

    async def boot_test(self, request: BootTestRequest, *, again: bool) -> BootTest | None:
        """The boot test of the artefact, or a new one (``again``); None if sudo refused."""
        last = self._boot_tests.get(request.artefact)
        if last and (last[0].running() or not (again or self.changed_since_boot(request))):
            return last[0]
        if not await self.authorise():
            return None
        before = user_files.state_of(request.artefact)
        test = await in_background(lambda: session.start(request))
        self._boot_tests[request.artefact] = (test, before)
        return test

    def changed_since_boot(self, request: BootTestRequest) -> bool:
        """Whether the artefact is another than its last boot test of this process was of."""
        _, booted = self._boot_tests.get(request.artefact, (None, None))
        return booted != user_files.state_of(request.artefact)

    # --- the draft ---

    def draft(self) -> Draft:
        """The draft on the disk, or the one in memory if that could not be saved."""
        draft = self._navigation.answers if self._navigation else None
        return draft if draft and draft.unsaved else Draft.open(paths.draft())

    def continue_draft(self) -> None:
        """Show the page that the draft has reached, or the review."""
        navigation = Navigation(self.draft())
        self.show_page(navigation, navigation.first_open())

    async def use_recipe(self, recipe: Recipe) -> Navigation | None:
        """Make ``recipe`` the draft; None if the user keeps the unfinished one."""
        answers = self.draft()
        if answers and not answers.matches(recipe) and not await in_background(answers.is_built):
            chosen = await self.push_screen_wait(
                Ask(
                    f"You have an unfinished draft: {answers.get('name', '')}",
                    f"Opening {recipe.name} replaces it.",
                    (
                        Option("k", "Keep the draft"),
                        Option("o", f"Open {recipe.name} (discards the draft)"),
                    ),
                )
            )
            if chosen != "o":
                return None
        answers.load(recipe)
        return Navigation(answers)

    @shows_errors
    async def _open(self, path: Path) -> None:
        recipe = await in_background(lambda: relocate(Recipe.load(path), path.parent, Path.cwd()))
        if navigation := await self.use_recipe(recipe):
            self.show_page(navigation, "target")

    @work
    async def action_open(self) -> None:
        path = await self.push_screen_wait(
            AskPath(
                "Open a recipe",
                "Its answers replace your current draft.",
                "",
                lambda p: "" if p.is_file() else f"{p} is not a file",
                wanted=lambda p: p.suffix == ".toml",
            )
        )
        if path:
            await self._open(path)

    @work
    @shows_errors
    async def action_save(self) -> None:
        assert self._navigation is not None
        recipe = questions.to_recipe(self._navigation.answers)

        def write(path: Path) -> None:
            moved = relocate(recipe, Path.cwd(), path.parent)
            user_files.here().write(path, moved.to_toml())

        text = "`zwizard build FILE` builds it, `zwizard new --from FILE` opens it again."
        await save_file(self, f"{recipe.name}.toml", "Save the recipe", text, write)

    @work
    async def action_leave(self) -> None:
        """Quit; ask first only if the draft cannot be saved."""
        answers = self._navigation.answers if self._navigation else None
        if answers and answers.unsaved:
            answers.save()
        if answers and answers.unsaved:
            stay = Option("k", "Keep the wizard open, and free some space")
            leave = Option("q", "Quit, and lose the draft")
            reason = f"It could not be saved: {answers.unsaved}"
            question = Ask("Your draft would be lost", reason, (stay, leave))
            if await self.push_screen_wait(question) != "q":
                return
        self.exit(return_code=0)
