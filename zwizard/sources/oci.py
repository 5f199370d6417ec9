"""A container image: what docker save, podman save or skopeo copy wrote."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from zwizard.image.executables.start_script import START_SCRIPT, render_start_script
from zwizard.image.oci import OciError, OciImage, layered_tree, read_oci
from zwizard.image.tarball import TAR_NAMES
from zwizard.recipe.fields import Container
from zwizard.recipe.model import Recipe
from zwizard.recipe.problems import Problem, RecipeError
from zwizard.recipe.values import is_secret
from zwizard.sources.base import InputReport, SourceKind
from zwizard.sources.binary import DIRECTORIES
from zwizard.steps.actions import ROOT, Host, Remove, UnpackOci, Write
from zwizard.steps.step import Step
from zwizard.util.hashing import sha256_of
from zwizard.util.text import one_line
from zwizard.util.units import MIB


def _image(recipe: Recipe) -> tuple[Step, ...]:
    """The root file system of the image, and the script that starts its program as it says."""
    source, text = recipe.source, recipe.container.start
    if not (recipe.container.entrypoint or text):
        allowed = "required: the image's own is known only where its file is on this machine"
        raise RecipeError((Problem("container.entrypoint", None, allowed),))
    image = Step(
        "image",
        "Lay out the image",
        (
            "Layer after layer, as the image's own index has them; what a later one removes is"
            " gone, and owners are as they say.",
            "Zero-OS mounts /dev, /proc, /run, /sys and /tmp, and writes resolv.conf and hosts.",
        ),
        (
            UnpackOci(source.location, source.sha256),
            Host(("mkdir", "-p", *(f"{ROOT}/{name}" for name in (*DIRECTORIES, "tmp")))),
            Remove(("/dev/*",)),
            Write("/etc/resolv.conf", "nameserver 1.1.1.1\n"),
        ),
        answers=("source.location", "source.sha256"),
        size=500 * MIB,
        unpacks=source.location,
    )
    start = Step(
        "start",
        f"Write {START_SCRIPT}, which starts what the image would",
        (
            "A flist has no entrypoint, no environment and no working directory: the script has"
            " them, and what a deployment sets takes precedence.",
        ),
        (Write(START_SCRIPT, text, mode=0o755),),
        answers=("container.entrypoint",),
        size=4096,
    )
    return (image, start) if text else (image,)


def inspect(file: Path) -> InputReport:
    """What the image at ``file`` starts, and with what; raises OSError."""
    try:
        image = read_oci(file)
    except OciError as error:
        return InputReport(wrong=one_line(str(error)))
    starts = shlex.join((*image.entrypoint, *image.command)) or "nothing by itself"
    names = ", ".join(name for name, _ in image.environment)
    summary = f"linux/amd64; starts {starts} in {image.directory}"
    summary += f", sets {names}" if names else ""
    if not image.shell and image.directory != "/":
        summary += ". It has no shell to change there: Zero-OS starts it in /"
    return InputReport(one_line(summary), facts=image)


def _settle(recipe: Recipe, image: OciImage) -> Recipe:
    """``recipe`` with how ``image`` starts; what the recipe sets takes precedence, as in Docker:
    another entrypoint is started without the image's arguments."""
    settings = recipe.container
    if settings.entrypoint:
        image = replace(image, entrypoint=(settings.entrypoint,), command=())
    if not (image.entrypoint or image.command):
        _require("what is started: the image itself starts nothing")
    if not image.shell:
        return replace(recipe, container=_directly(settings, image))
    # By a script in the image, which has all that a flist has not.
    text = render_start_script(
        image.entrypoint, image.command, image.environment, image.directory, image.user
    )
    return replace(recipe, container=replace(settings, start=text))


def _directly(settings: Container, image: OciImage) -> Container:
    """The program itself; its environment is then for the deployment to set."""
    program, *arguments = (*image.entrypoint, *(settings.args or image.command))
    if not program.startswith("/"):
        _require(f"the absolute path of {program!r}: the image has no shell to look for it")
    own = {name: "" if is_secret(name, value) else value for name, value in image.environment}
    return replace(
        settings,
        entrypoint=program,
        args=tuple(arguments),
        env={name: value for name, value in own.items() if name != "PATH"} | settings.env,
        start="",
    )


def _require(what: str) -> NoReturn:
    raise RecipeError((Problem("container.entrypoint", None, what),))


SOURCE = SourceKind(
    title="A container image",
    about={"container": "A tar by docker save, podman save or skopeo copy, or an OCI directory."},
    tree={"container": _image},
    file_title="Container image",
    file_why="A tar that `docker save`, `podman save` or `skopeo copy` wrote, or an OCI directory,"
    " on this machine: it is read before anything runs. Entrypoint, arguments and environment are"
    " imported and shown on the next page.",
    file_example="web.tar",
    inspect=inspect,
    slow=True,
    settle=_settle,
    contents=layered_tree,
    # A layout's index names everything else in it by its sum.
    sum=lambda file: sha256_of(file / "index.json" if file.is_dir() else file),
    names=TAR_NAMES,
)
