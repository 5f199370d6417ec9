"""The archive for the hub."""

from __future__ import annotations

from zwizard.recipe.model import Recipe
from zwizard.steps.actions import Pack
from zwizard.steps.step import Step
from zwizard.util.units import MIB

# libdeflate's: level 2 makes an archive a few per cent larger than gzip's default in a tenth of
# the time, level 9 one a few per cent smaller in the same time.
_LEVELS = {"fast": 2, "small": 9}

AS_THEY_ARE = 2**33 - 1  # as an epoch it caps no time stamp: the last that a tar can hold


def pack(recipe: Recipe, epoch: int) -> Step:
    """The tree as one .tar.gz, everything at its root, owners as numbers."""
    return Step(
        "pack",
        f"Pack the archive {recipe.name}.tar.gz",
        (
            '"Now package the tar for upload"',
            "Owners as numbers: the hub would map names to its own users.",
        ),
        (Pack(_LEVELS[recipe.output.compression], epoch),),
        answers=("output.compression", "name"),
        size=260 * MIB,
        guide="sudo tar -czf ubuntu-jammy.tar.gz -C ubuntu:jammy .",
    )
