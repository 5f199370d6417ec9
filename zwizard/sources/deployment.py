"""What the deployment of a container starts, and with which environment: a flist has neither."""

import shlex

from zwizard import sources
from zwizard.families.guest import is_generated
from zwizard.image.executables.start_script import START_SCRIPT
from zwizard.recipe.model import Recipe


def command(recipe: Recipe) -> tuple[str, ...]:
    """What the deployment starts: the program and its arguments."""
    container = recipe.container
    if container.start:
        return (START_SCRIPT, *container.args)
    program = container.entrypoint or sources.of(recipe.source.kind).entrypoint
    return (program, *container.args)


def entrypoint(recipe: Recipe) -> str | None:
    """The same as the one line that a deployment takes; None for a VM, which needs none."""
    return shlex.join(command(recipe)) if recipe.target == "container" else None


def environment(recipe: Recipe) -> dict[str, str]:
    """What the deployment sets; a generated locale has no effect until LANG names it."""
    language = {"LANG": recipe.system.locale} if is_generated(recipe.system.locale) else {}
    return language | recipe.container.env
