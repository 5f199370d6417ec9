"""Containers: their settings, and the note that says how to deploy what was built."""

from __future__ import annotations

from zwizard.distros.base import Distro
from zwizard.families import family, guest
from zwizard.image.executables.start_script import START_SCRIPT
from zwizard.recipe.model import Recipe
from zwizard.sources import deployment
from zwizard.steps.actions import Action, Remove, Write
from zwizard.steps.step import Step
from zwizard.util.units import MIB


def settings(recipe: Recipe, distro: Distro) -> Step:
    """Name resolution and, unless they are the defaults, time zone and locale; no host name."""
    system, of = recipe.system, family.of(distro)
    actions: tuple[Action, ...] = (
        Write("/etc/resolv.conf", "nameserver 1.1.1.1\n"),
        Remove(("/etc/hostname",)),
        Write("/etc/hosts", guest.HOSTS),
        *(guest.timezone(system.timezone, of) if system.timezone != "UTC" else ()),
        *(guest.localise(system.locale, of) if guest.is_generated(system.locale) else ()),
    )
    return Step(
        "settings",
        "Set name resolution, time zone and locale",
        (
            '"For containers, the network setup will be created for you"',
            "Zero-OS writes resolv.conf and hosts when it starts the container; they must not be"
            " links.",
        ),
        actions,
        answers=("system.timezone", "system.locale"),
        size=4 * MIB,
    )


def note(recipe: Recipe) -> str:
    """How to deploy the archive, in Markdown: what the flist does not contain."""
    container = recipe.container
    facts = (
        f"Flist: the address that the hub shows for `{recipe.name}.flist`",
        f"Entrypoint: {_code(deployment.entrypoint(recipe) or '')}",
        "Memory: at least 250 MiB",
        *(f"Environment: {_variable(*item)}" for item in deployment.environment(recipe).items()),
        *(f"Disk, mounted at {_code(path)}" for path in container.mounts),
    )
    items = "".join(f"- {line}\n" for line in facts)
    return _NOTE.format(name=recipe.name, facts=items, start=_start(container.start))


def _variable(name: str, value: str) -> str:
    if not value:
        return f"{_code(name)}, without a value in the recipe: set it in the deployment"
    return _code(f"{name}={value}")


def _start(script: str) -> str:
    if not script:
        return ""
    quoted = "".join(f"    {line}\n" for line in script.splitlines())
    return f"\n`{START_SCRIPT}` starts the container image's own entrypoint:\n\n{quoted}"


def _code(text: str) -> str:
    fence = "``" if "`" in text else "`"
    return f"{fence}{text}{fence}"


# A paragraph is one line, so that it can be wrapped wherever it is shown.
_NOTE = (
    "# Deploying {name}\n\n"
    "The hub turns `{name}.tar.gz` into `{name}.flist`. A flist contains only files: entrypoint,"
    " environment and disks are part of each deployment.\n\n"
    "{facts}\n"
    "How Zero-OS runs it:\n\n"
    "- The entrypoint is one line with its arguments, quoted as in a shell. It runs as root in"
    " `/`, after network and disks are ready.\n"
    "- The container stops when its entrypoint exits, with any status. Zero-OS restarts it, and"
    " stops trying after four times in two minutes.\n"
    "- It runs on Zero-OS's own kernel. Modules cannot be loaded.\n"
    "- Its output goes to a console that is shown nowhere: write what you need to a file.\n"
    "{start}\n"
    "`zwizard boot {name}.tar.gz` starts it on this machine as Zero-OS would.\n"
)
