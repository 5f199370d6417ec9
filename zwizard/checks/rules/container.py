"""Rules about containers, which Zero-OS starts with a kernel and a network of its own making."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from typing import TYPE_CHECKING

from zwizard.checks.helpers import lines, text, verdict_of
from zwizard.checks.rule import CONTAINER, Rule
from zwizard.checks.verdict import Severity, Verdict, failed, passed, unknown
from zwizard.image.executables.entrypoint import check_loader, check_program
from zwizard.image.executables.programs import READS, find_program
from zwizard.image.executables.start_script import START_SCRIPT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zwizard.checks.context import CheckContext
    from zwizard.image.tree import Entry, FileTree

_STARTUP = "/.startup.toml"


@Rule(
    "entrypoint",
    "The entrypoint is a program in the image",
    severity=Severity.MUST,
    modes=CONTAINER,
    source="“After setup this is done, the users entrypoint is started.” (zmachine.md,"
    " “Container”); without one /sbin/init. Zero-OS's init tests that very path, which has to be"
    " absolute, and stops with “… does not exist”.",
    fix="Say the absolute path of an executable file of the image with --entrypoint, and the"
    " same in the deployment; chmod +x it.",
    reads=(*READS, START_SCRIPT),
    keys=("container.entrypoint",),
)
def entrypoint(context: CheckContext) -> Verdict:
    """An absolute path that exists and is executable; without one, /sbin/init."""
    found = verdict_of(check_program(context.tree, context.starts))
    if context.entrypoint or context.tree.resolve(context.starts).file is not None:
        return found
    return replace(found, evidence=f"{found.evidence}, and no entrypoint is given")


@Rule(
    "entrypoint-link",
    "No absolute link leads to the entrypoint",
    severity=Severity.SHOULD,
    modes=CONTAINER,
    source="Zero-OS's init looks for the entrypoint before it enters the image: an absolute link"
    " leads it to its own files, where nothing is (cloud-container, init).",
    fix="Name the file that the link leads to, such as /usr/lib/systemd/systemd, or make the"
    " link relative.",
    after="entrypoint",
    keys=("container.entrypoint",),
)
def entrypoint_link(context: CheckContext) -> Verdict:
    """The test is made outside the image's root."""
    found = context.tree.resolve(context.starts)
    if found.outside is not None:
        return failed(f"on the way of {context.starts}: {found.outside.path} ->"
                      f" {found.outside.target}")  # fmt: skip
    return passed(f"{len(found.chain)} links, all relative" if found.chain else "no links")


@Rule(
    "entrypoint-loader",
    "What the entrypoint needs to run is in the image",
    severity=Severity.MUST,
    modes=CONTAINER,
    source="Without its #! interpreter or its ELF loader a program that is there ends with “No"
    " such file or directory” (execve(2)).",
    fix="Build the program static, or put the libraries and the interpreter into the image as"
    " well.",
    after="entrypoint",
    keys=("container.entrypoint",),
)
def entrypoint_loader(context: CheckContext) -> Verdict:
    """Its ``#!`` interpreter or ELF loader resolves inside the image."""
    return verdict_of(check_loader(context.tree, context.starts))


@Rule(
    "entrypoint-startup-toml",
    "The entrypoint is not left to .startup.toml",
    severity=Severity.SHOULD,
    modes=CONTAINER,
    source="Zero-OS takes the environment from /.startup.toml, as converted Docker images have it,"
    " and today not its entrypoint: without one in the deployment it starts /sbin/init (zosbase,"
    " fListStartup).",
    fix="Put the entrypoint into the deployment, and give it here with --entrypoint.",
    reads=(_STARTUP,),
    keys=("container.entrypoint",),
)
def entrypoint_startup_toml(context: CheckContext) -> Verdict:
    """There is none, or the entrypoint is given beside it."""
    content = text(context.tree, _STARTUP)
    if content is None:
        return passed(f"there is no {_STARTUP}")
    if context.entrypoint:
        return passed(f"the entrypoint {context.entrypoint} is given")
    try:
        settings = tomllib.loads(content)
    except (tomllib.TOMLDecodeError, RecursionError):
        return unknown(f"{_STARTUP} is no TOML")
    named = _named(settings)
    if named:
        return failed(f"{_STARTUP} names {named}, and no entrypoint is given")
    return passed(f"{_STARTUP} names no entrypoint")


def _named(settings: dict[str, object]) -> str:
    """The program of ``[startup.entry.args]``, "" if there is none."""
    found: object = settings
    for key in ("startup", "entry", "args", "name"):
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, str) else ""


@Rule(
    "container-kernel-modules",
    "Nothing in the image expects to load kernel modules",
    severity=Severity.ADVICE,
    modes=CONTAINER,
    source="Zero-OS's own kernel is built without modules (cloud-container, CONFIG_MODULES is not"
    " set): “a container has no control over the kernel” (zmachine.md, “Container”).",
    fix="Remove /lib/modules and the lists of modules, or make it a VM with its own kernel.",
    reads=("/etc/modules", "/etc/modules-load.d/*"),
    keys=("target",),
)
def container_kernel_modules(context: CheckContext) -> Verdict:
    """No modules, and no list of some to load."""
    found = next(_modules(context.tree), None)
    return failed(found) if found is not None else passed("no modules, no lists of them")


def _modules(tree: FileTree) -> Iterator[str]:
    paths = ["/etc/modules", *(entry.path for entry in tree.listing("/etc/modules-load.d"))]
    for path in paths:
        named = next(lines(tree, path), None)
        if named is not None:
            yield f"{path} asks for {named}"
    for entry in tree.walk("/lib/modules"):
        if ".ko" in entry.name:
            yield f"{entry.path} is there"


# What shows that a whole operating system is meant, not one service.
_SYSTEM = ("systemd", "sshd", "cloud-init", "crond", "cron", "openrc")


@Rule(
    "container-single-process",
    "The image is one service, not a whole system",
    severity=Severity.ADVICE,
    modes=CONTAINER,
    source="“a container should ideally only have 1 process running […] if you need the latter, it"
    " might be an indication that you actually want a VM” (zmachine.md, “Container”)",
    fix="Leave out what the service does not need, or make it a VM with its own kernel.",
    keys=("target",),
)
def container_single_process(context: CheckContext) -> Verdict:
    """No init system, ssh server or other parts of a machine."""
    found = [entry.path for entry in _parts(context.tree)]
    if found:
        return failed(f"parts of a whole system: {', '.join(found)}")
    return passed("no init system, no ssh server")


def _parts(tree: FileTree) -> Iterator[Entry]:
    systemd = tree.resolve("/usr/lib/systemd/systemd").file
    if systemd is not None:
        yield systemd
    for name in _SYSTEM:
        found = find_program(tree, name)
        if found is not None:
            yield found
