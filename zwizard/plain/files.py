"""Recipes and scripts that the user saves and opens, by the names typed."""

from collections.abc import Callable
from pathlib import Path

from zwizard.plain.terminal import choose, say, say_error, type_line
from zwizard.recipe.model import Recipe
from zwizard.sources.resolve import place, relocate
from zwizard.steps import render
from zwizard.steps.step import Plan
from zwizard.util import user_files
from zwizard.util.errors import UsageError


def read_recipe(file: Path) -> Recipe:
    """The recipe in ``file``; its relative paths stay relative to the file."""
    return relocate(Recipe.load(file), file.resolve().parent, Path.cwd())


def save_recipe(recipe: Recipe) -> None:
    """Write the recipe to a file that the user names; its paths keep their meaning."""

    def text(file: Path) -> str:
        return relocate(recipe, Path.cwd(), file.parent).to_toml()

    if name := _write(f"{recipe.name}.toml", text):
        say(f"Saved: `zwizard build {name}` builds it.")


def export_script(plan: Plan) -> None:
    """Write the plan as a bash script to a file that the user names."""
    if name := _write(f"{plan.name}.sh", lambda _: render.script(plan)):
        say(f"Saved: `bash {name} DIRECTORY ARCHIVE`, run as root, builds the same archive.")


def open_recipe() -> Recipe | None:
    """The recipe in a file that the user names; None to go back."""
    name: str | None = ""
    while name := type_line("Recipe", name or "", "a file"):
        try:
            return read_recipe(place(name.strip(), Path.cwd()))
        except UsageError as error:
            say_error(error)
    return None


def _write(suggested: str, text: Callable[[Path], str]) -> str:
    """Write ``text(file)`` to a file that the user names; its name, "" if there is none."""
    name: str | None = suggested
    while name := type_line("Save as", name or ""):
        try:
            place(name.strip(), Path.cwd())  # or an error; a link that has the name stays one
            file = Path.cwd() / Path(name.strip()).expanduser()
            if may_write(file, "Use another name"):
                user_files.here().write(file, text(file))
                return name.strip()
        except OSError as error:
            say(f"Error: {name}: {error.strerror}.", indent="  ")
        except UsageError as error:
            say_error(error)
    return ""


def may_write(file: Path, otherwise: str) -> bool:
    """Whether ``file`` is free or zwizard's own, or the user lets it be replaced."""
    files = user_files.here()
    what = files.foreign(file)
    if not what:
        return True
    if file.is_dir() and not file.is_symlink():
        say(f"Error: {file} is a directory.", indent="  ")
        return False
    rows = (("Replace it", "yes", ""), (otherwise, "no", ""))
    if choose(f"{file.name} {what}", rows) != "yes":
        return False
    files.allow(file)
    return True
