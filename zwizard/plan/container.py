"""Containers: the tree of one program, and the note that says how to deploy what was built."""

from __future__ import annotations

import shlex
from dataclasses import replace

from zwizard.distros.base import Distro
from zwizard.families import family, guest
from zwizard.image.executables.start_script import START_SCRIPT
from zwizard.recipe.model import Recipe
from zwizard.steps.actions import ROOT, Action, Host, InstallBinary, Remove, UnpackOci, Write
from zwizard.steps.step import Step

_MIB = 2**20
BINARY = "/app"  # where a binary is put by default
SMALL = 20 * _MIB  # what a program takes, and its archive

# What Zero-OS mounts over, and where its init writes: resolv.conf, hosts and root's keys.
_DIRECTORIES = ("dev", "etc", "proc", "root", "run", "sys")


def command(recipe: Recipe) -> tuple[str, ...]:
    """What the deployment starts: the program and its arguments."""
    container = recipe.container
    if container.start:
        return (START_SCRIPT, *container.args)
    usual = BINARY if recipe.source.kind == "binary" else "/sbin/init"
    return (container.entrypoint or usual, *container.args)


def entrypoint(recipe: Recipe) -> str | None:
    """The same as the one line that a deployment takes; None for a VM, which needs none."""
    return line(command(recipe)) if recipe.target == "container" else None


def line(words: tuple[str, ...]) -> str:
    """Words as one line of a shell."""
    return shlex.join(words)


def environment(recipe: Recipe) -> dict[str, str]:
    """What the deployment sets; a locale of its own is nothing until LANG names it."""
    language = {"LANG": recipe.system.locale} if _is_made(recipe) else {}
    return language | recipe.container.env


def program(recipe: Recipe) -> Step:
    """One static program, and the directories that Zero-OS expects around it."""
    source, (path, *_) = recipe.source, command(recipe)
    return Step(
        "program",
        f"Put the program to {path}",
        (
            '"A container can be a single binary, or a complete filesystem. In general, the first'
            ' should be preferred"',
            "Alone in its tree it finds no loader and no library, so that it has to be static.",
        ),
        (
            Host(("install", "-d", *(f"{ROOT}/{name}" for name in _DIRECTORIES))),
            Host(("install", "-d", "--mode=1777", f"{ROOT}/tmp")),  # noqa: S108 - the image's
            InstallBinary(source.location, source.sha256, path),
        ),
        answers=("source.location", "source.sha256", "container.entrypoint"),
        network="://" in source.location,
        size=SMALL,
    )


def with_what_it_needs(recipe: Recipe, distro: Distro) -> Recipe:
    """``recipe`` with the packages that its time zone and locale are made of."""
    if distro.family != "apt":
        return recipe  # there the base has them
    needed = (
        *(("tzdata",) if recipe.system.timezone != "UTC" else ()),
        *(("locales",) if _is_made(recipe) else ()),
    )
    names = tuple(dict.fromkeys((*needed, *recipe.source.packages)))
    return replace(recipe, source=replace(recipe.source, packages=names))


def _is_made(recipe: Recipe) -> bool:
    """Whether its locale is one that has to be made."""
    return recipe.system.locale.partition(".")[0] not in {"C", "POSIX"}


def settings(recipe: Recipe, distro: Distro) -> Step:
    """Time zone and locale, where they are not what there is anyway; names of no machine."""
    wanted, of = recipe.system, family.of(distro)
    actions: tuple[Action, ...] = (
        Write("/etc/resolv.conf", "nameserver 1.1.1.1\n"),
        Remove(("/etc/hostname",)),
        Write("/etc/hosts", guest.HOSTS),
        *(guest.timezone(wanted.timezone, of) if wanted.timezone != "UTC" else ()),
        *(guest.localise(wanted.locale, of) if _is_made(recipe) else ()),
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


def image(recipe: Recipe) -> Step:
    """The root file system of an OCI image."""
    source = recipe.source
    return Step(
        "image",
        "Lay out the image",
        (
            "Layer after layer, as the image's own index has them; what a later one takes away is"
            " gone, and owners are as they say.",
            "Zero-OS mounts /dev, /proc, /run, /sys and /tmp, and writes resolv.conf and hosts.",
        ),
        (
            UnpackOci(source.location, source.sha256),
            Host(("mkdir", "-p", *(f"{ROOT}/{name}" for name in (*_DIRECTORIES, "tmp")))),
            Remove(("/dev/*",)),
            Write("/etc/resolv.conf", "nameserver 1.1.1.1\n"),
        ),
        answers=("source.location", "source.sha256"),
        size=500 * _MIB,
    )


def start(recipe: Recipe) -> tuple[Step, ...]:
    """The script that starts the image's program as the image says."""
    script = recipe.container.start
    if not script:
        return ()
    return (
        Step(
            "start",
            f"Write {START_SCRIPT}, which starts what the image would",
            (
                "A flist has no entrypoint, no environment and no working directory: the script"
                " has them, and what a deployment sets goes before.",
            ),
            (Write(START_SCRIPT, script, mode=0o755),),
            answers=("container.entrypoint",),
            size=4096,
        ),
    )


def note(recipe: Recipe) -> str:
    """How to deploy the archive, in Markdown: what the flist does not carry."""
    container = recipe.container
    given = (
        f"Flist: the address that the hub shows for `{recipe.name}.flist`",
        f"Entrypoint: {_code(entrypoint(recipe) or '')}",
        "Memory: at least 250 MiB",
        *(f"Environment: {_variable(*item)}" for item in environment(recipe).items()),
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
