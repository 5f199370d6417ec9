"""A disk image that a distribution publishes for clouds, as Zero-OS takes it."""

from __future__ import annotations

from zwizard.recipe.model import Recipe
from zwizard.steps.actions import Convert
from zwizard.steps.step import Step
from zwizard.util.text import parse_size

_MIB = 2**20


def convert(recipe: Recipe) -> Step:
    """The raw image: fetched where it is far away, proved to be the one meant, converted."""
    source = recipe.source
    return Step(
        "convert",
        "Convert the cloud image to image.raw",
        (
            '"This is a `Qcow2` image, this is not supported by zos"',
            '"if the image.raw size is larger than the allocated disk, the workload will fail"',
            "Nothing inside is changed.",
        ),
        (Convert(source.location, source.sha256, parse_size(recipe.checklist.disk_size)),),
        answers=("source.location", "source.sha256", "checklist.disk_size"),
        network="://" in source.location,
        size=2500 * _MIB,
        document=(
            "qemu-img convert -p -f qcow2 -O raw bionic-server-cloudimg-amd64.img image.raw"
        ),
    )
