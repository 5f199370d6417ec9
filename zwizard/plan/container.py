"""Containers: their settings, and the note that says how to deploy what was built."""

from __future__ import annotations

from zwizard.distros.base import Distro
from zwizard.families import family, guest
from zwizard.image.executables.start_script import START_SCRIPT
from zwizard.recipe.model import Recipe
from zwizard.sources import deployment
from zwizard.steps.actions import Action, Remove, Write
from zwizard.steps.step import Step

_MIB = 2**20


def settings(recipe: Recipe, distro: Distro) -> Step:
    """Time zone and locale, where they are not what there is anyway; names of no machine."""
    wanted, of = recipe.system, family.of(distro)
    actions: tuple[Action, ...] = (
        Write("/etc/resolv.conf", "nameserver 1.1.1.1\n"),
        Remove(("/etc/hostname",)),
        Write("/etc/hosts", guest.HOSTS),
        *(guest.timezone(wanted.timezone, of) if wanted.timezone != "UTC" else ()),
        *(guest.localise(wanted.locale, of) if guest.has_generated_locale(recipe) else ()),
    )
    return Step(
        "settings",
        "Set name resolution, time zone and locale",
        (
            '"For containers, the network setup will be created for you"',
            "Zero-OS writes resolv.conf and hosts when it starts the container; a link in their"
            " place would lead it astray.",
        ),
        actions,
        answers=("system.timezone", "system.locale"),
        size=4 * _MIB,
    )


def note(recipe: Recipe) -> str:
    """How to deploy the archive, in Markdown: what the flist does not carry."""
    container = recipe.container
    given = (
        f"Flist: the address that the hub shows for `{recipe.name}.flist`",
        f"Entrypoint: {_code(deployment.entrypoint(recipe) or '')}",
        "Memory: at least 250 MiB",
        *(f"Environment: {_variable(*item)}" for item in deployment.environment(recipe).items()),
        *(f"Disk, mounted at {_code(path)}" for path in container.mounts),
    )
    said = "".join(f"- {line}\n" for line in given)
    return _NOTE.format(name=recipe.name, given=said, start=_start(container.start))


def _variable(name: str, value: str) -> str:
    if not value:
        return f"{_code(name)}, whose value is in no recipe: type it into the deployment"
    return _code(f"{name}={value}")


def _start(script: str) -> str:
    if not script:
        return ""
    quoted = "".join(f"    {line}\n" for line in script.splitlines())
    return f"\n`{START_SCRIPT}` starts what the image itself would, as the image says:\n\n{quoted}"


def _code(text: str) -> str:
    fence = "``" if "`" in text else "`"
    return f"{fence}{text}{fence}"


# A paragraph is one line, so that it can be wrapped wherever it is shown.
_NOTE = (
    "# Deploying {name}\n\n"
    "The hub makes `{name}.flist` of `{name}.tar.gz`. A flist is only the files: what is started,"
    " and with what, each deployment says.\n\n"
    "{given}\n"
    "What Zero-OS does with it:\n\n"
    "- The entrypoint is one line with its arguments, quoted as in a shell. It is started as root,"
    " in `/`, when the network and the disks are there.\n"
    "- A container lives as long as its entrypoint: when that ends, with whatever status, the"
    " machine ends too. Zero-OS starts it again, and gives it up after four times in two"
    " minutes.\n"
    "- Its kernel is Zero-OS's own. Modules cannot be loaded.\n"
    "- What it prints goes to a console that is shown nowhere: keep what matters.\n"
    "{start}\n"
    "`zwizard boot {name}.tar.gz` starts it here as Zero-OS would.\n"
)
