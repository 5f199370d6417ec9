"""What a container image says of itself becomes the recipe's, so that the plan is exact."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from zwizard.image.executables.start_script import render_start_script
from zwizard.image.oci import OciImage
from zwizard.recipe.model import Container, Recipe
from zwizard.recipe.problems import Problem, RecipeError
from zwizard.recipe.values import is_secret
from zwizard.sources import inspect
from zwizard.sources.detect_distro import detect_distro


def import_metadata(recipe: Recipe, base: Path) -> Recipe:
    """``recipe`` with what its file says of itself; as it is where nothing is to be taken over.

    Of a root file system, which distribution it is, unless it is said to be another, in which
    nothing is installed. Of an OCI image, how it starts; what the recipe says goes before, as
    Docker has it: another entrypoint is started without the image's arguments. ``base``: what a
    relative location is relative to. Raises RecipeError where the image cannot be taken.
    """
    source, settings = recipe.source, recipe.container
    if source.kind not in {"oci", "rootfs"} or "://" in source.location:
        return recipe
    file = (base / Path(source.location).expanduser()).absolute()
    if wrong := inspect.look(source.kind, file).wrong:
        if source.kind == "oci" and file.exists():  # nothing can be planned without it
            raise RecipeError((Problem("source.location", source.location, wrong),))
        return recipe  # which is told where the file is asked for
    if source.kind == "rootfs":
        return recipe if source.distro == "other" else _recognised(recipe, file)
    image = inspect.read_image(file)
    if settings.entrypoint:
        image = replace(image, entrypoint=(settings.entrypoint,), command=())
    if not (image.entrypoint or image.command):
        _ask("what is started: the image itself starts nothing")
    return replace(recipe, container=_by_script(settings, image) or _directly(settings, image))


def _recognised(recipe: Recipe, file: Path) -> Recipe:
    source = replace(recipe.source, distro=detect_distro(file).distro)
    # By way of its file, which has no suite for it: so it is the same again when it is read there.
    return Recipe.from_dict(replace(recipe, source=source).to_dict())


def _by_script(settings: Container, image: OciImage) -> Container | None:
    """By a script in the image, which has all that a flist has not; None where no shell is."""
    if not image.shell:
        return None
    script = render_start_script(
        image.entrypoint, image.command, image.environment, image.directory, image.user
    )
    return replace(settings, start=script)


def _directly(settings: Container, image: OciImage) -> Container:
    """The program itself; its environment is then for the deployment to set."""
    program, *arguments = (*image.entrypoint, *(settings.args or image.command))
    if not program.startswith("/"):
        _ask(f"the absolute path of {program!r}: the image has no shell to look for it")
    own = {name: "" if is_secret(name, said) else said for name, said in image.environment}
    return replace(
        settings,
        entrypoint=program,
        args=tuple(arguments),
        env={name: said for name, said in own.items() if name != "PATH"} | settings.env,
        start="",
    )


def _ask(said: str) -> NoReturn:
    raise RecipeError((Problem("container.entrypoint", None, said),))
