"""What the answers of a page come to, drawn: the disk to scale, the boot loader's settings."""

from __future__ import annotations

from zwizard import distros
from zwizard.plan import disk, grub
from zwizard.questions import Given, to_recipe
from zwizard.recipe import Recipe, RecipeError, parse_size
from zwizard.text import size


def preview(page: str, given: Given, width: int) -> tuple[str, ...]:
    """Lines to show below the questions of ``page``; none where there is nothing to show.

    ``width``: of the bar, in characters. Nothing either while an answer cannot be used: what is
    wrong with it is said beside it.
    """
    drawn = {"disk": _disk, "grub": _grub}.get(page)
    if drawn is None:
        return ()
    try:
        return drawn(to_recipe(given), width)
    except RecipeError:
        return ()


def _disk(recipe: Recipe, width: int) -> tuple[str, ...]:
    """The disk to be rented: ESP, root, and what the root grows into."""
    where = disk.layout(recipe, distros.KNOWN[recipe.source.distro])
    rented = parse_size(recipe.checklist.disk_size)
    esp, root, free = _shares((where.esp_size, where.root_size, rented - where.size), width)
    return (
        "█" * esp + "▓" * root + "░" * free,
        f"█ EFI system partition {size(where.esp_size)}, FAT32, {where.esp_mount}",
        f"▓ root {size(where.root_size)}, {recipe.disk.filesystem}, {where.label}",
        f"░ {size(rented - where.size)} more on a rented disk of {size(rented)}: the root grows"
        " into it at the first start",
    )


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
