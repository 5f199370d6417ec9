"""The draft in the wizard: opening a recipe as the draft, and saving it as a recipe."""

from __future__ import annotations

from pathlib import Path

from textual import work
from textual.app import App

from zwizard.recipe.model import Recipe
from zwizard.sources.resolve import relocate
from zwizard.tui.background import in_background
from zwizard.tui.navigation import Navigation
from zwizard.tui.screens.dialogs import Ask, Option, show_error
from zwizard.tui.screens.files import AskPath, save_file
from zwizard.util import paths
from zwizard.util.errors import ZwizardError
from zwizard.wizard import questions
from zwizard.wizard.draft import Draft


class DraftApp(App[None]):
    """An app that has one draft."""

    _navigation: Navigation | None = None  # of the page or review shown last

    def show_page(self, navigation: Navigation, page: str, key: str = "") -> None:
        """Show a page of questions, at the question ``key``."""
        raise NotImplementedError

    def draft(self) -> Draft:
        """The draft on the disk, or the one in memory if that could not be saved."""
        draft = self._navigation.answers if self._navigation else None
        return draft if draft and draft.unsaved else Draft.open(paths.draft())

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

    async def _open(self, path: Path) -> None:
        try:
            recipe = await in_background(
                lambda: relocate(Recipe.load(path), path.parent, Path.cwd())
            )
        except ZwizardError as error:
            show_error(self, error)
            return
        navigation = await self.use_recipe(recipe)
        if navigation:
            self.show_page(navigation, "target")

    @work
    async def open_recipe(self) -> None:
        """Ask for a recipe's file, and open it."""
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
    async def save_recipe(self, navigation: Navigation) -> None:
        """Ask for a file, and save the draft as a recipe."""
        try:
            recipe = questions.to_recipe(navigation.answers)
        except ZwizardError as error:
            show_error(self, error)
            return

        def write(path: Path) -> None:
            moved = relocate(recipe, Path.cwd(), path.parent)
            paths.write_atomically(path, moved.to_toml())

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
