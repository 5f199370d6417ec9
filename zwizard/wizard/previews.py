"""Previews below a page: the disk to scale, GRUB's settings, what a container image starts."""

from pathlib import Path

from zwizard import distros
from zwizard.image.executables.start_script import START_SCRIPT
from zwizard.plan import disk, grub
from zwizard.recipe.model import Recipe
from zwizard.recipe.problems import RecipeError
from zwizard.sources import deployment, inspection
from zwizard.sources.resolve import import_settings
from zwizard.util.text import one_line, parse_size, size
from zwizard.wizard.questions import RawAnswers, to_recipe


def preview(page: str, answers: RawAnswers, width: int) -> tuple[str, ...]:
    """Lines to show below the questions of ``page``; none where there is nothing to show.

    ``width``: of the bar, in characters; 0: words without a bar. Nothing while an answer is wrong.
    """
    draw = {"disk": _disk, "grub": _grub, "container": _started}.get(page)
    if draw is None or (
        draw is _started and not inspection.is_known(answers)
    ):  # that takes reading it
        return ()
    try:
        return draw(to_recipe(answers), width)
    except RecipeError:
        return ()


def _disk(recipe: Recipe, width: int) -> tuple[str, ...]:
    """The disk to be rented: ESP, root, and what the root grows into."""
    where = disk.layout(recipe, distros.KNOWN[recipe.source.distro])
    rented = parse_size(recipe.checklist.disk_size)
    esp, root, free = _shares((where.esp_size, where.root_size, rented - where.size), width)
    words = (
        f"EFI system partition {size(where.esp_size)}, FAT32, {where.esp_mount}",
        f"root {size(where.root_size)}, {recipe.disk.filesystem}, {where.label}",
        f"{size(rented - where.size)} more on a rented disk of {size(rented)}: the root grows"
        " into it at the first start",
    )
    if not width:
        return words
    bar = "█" * esp + "▓" * root + "░" * free
    return (bar, *(f"{glyph} {text}" for glyph, text in zip("█▓░", words, strict=True)))


def _shares(parts: tuple[int, ...], width: int) -> tuple[int, ...]:
    """``width`` shared out among ``parts``, at least one for each that is not nothing."""
    total = sum(parts)
    shares = [max(1, part * width // total) if part else 0 for part in parts]
    shares[shares.index(max(shares))] += width - sum(shares)
    return tuple(shares)


def _grub(recipe: Recipe, _: int) -> tuple[str, ...]:
    """The file that the answers become."""
    title = distros.KNOWN[recipe.source.distro].title
    text = grub.defaults(recipe.grub, title)
    return ("/etc/default/grub:", *(f"  {line}" for line in text.splitlines()))


def _started(recipe: Recipe, _: int) -> tuple[str, ...]:
    """What is taken over of a container image: how the deployment starts it."""
    settled = import_settings(recipe, Path.cwd())
    if settled.container == recipe.container:
        return ()
    if script := settled.container.start:
        lines = script.splitlines()[2:]  # its head says nothing of the image
        return (f"{START_SCRIPT} starts what the image does:", *_indented(lines))
    lines = [deployment.entrypoint(settled) or ""]
    lines += [f"{name}={value}" for name, value in deployment.environment(settled).items()]
    return ("The deployment starts, as set in the image:", *_indented(lines))


def _indented(lines: list[str]) -> tuple[str, ...]:
    return tuple(f"  {one_line(line)}" for line in lines)
