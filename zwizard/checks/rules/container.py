"""Rules about containers, which Zero-OS starts with a kernel and a network of its own making."""

from collections.abc import Iterator
from dataclasses import replace

from zwizard.checks.context import CheckContext
from zwizard.checks.helpers import (
    STARTUP,
    lines,
    relative_links,
    startup_arguments,
    text,
    verdict_of,
)
from zwizard.checks.rule import CONTAINER, advice, must, should
from zwizard.checks.verdict import Severity, Verdict, failed, passed
from zwizard.image.executables.entrypoint import Part
from zwizard.image.executables.libraries import READS as LIBRARIES
from zwizard.image.executables.programs import READS, find_program
from zwizard.image.executables.start_script import START_SCRIPT
from zwizard.image.tree import Entry, FileTree

_MODULE_LISTS = ("/etc/modules", "/etc/modules-load.d/*")


@must(
    "The entrypoint is a program in the image",
    CONTAINER,
    source="“After setup this is done, the users entrypoint is started.” (Zmachine guide,"
    " “Container”); without one Zero-OS starts /sbin/init. Its init requires an absolute path,"
    " and stops with “… does not exist”.",
    fix="Give the absolute path of an executable file in the image (--entrypoint, and in the"
    " deployment); chmod +x it.",
    example="/app does not exist",
    reads=(*READS, START_SCRIPT),
    keys=("container.entrypoint",),
)
def entrypoint(context: CheckContext) -> Verdict:
    """The entrypoint, or else /sbin/init, is the absolute path of an executable file."""
    found = verdict_of(context.start, Part.FILE)
    if context.entrypoint or context.tree.resolve(context.starts).file is not None:
        return found
    return replace(found, evidence=f"{found.evidence}, and no entrypoint is given")


@must(
    "The path of the entrypoint has no absolute links",
    CONTAINER,
    source="Zero-OS's init looks for the entrypoint before it enters the image: an absolute link"
    " leads to its own files, where nothing is found (cloud-container, init).",
    fix="Use the path that the link leads to, such as /usr/lib/systemd/systemd, or make the link"
    " relative.",
    example="on the path /usr/bin/java: /usr/bin/java -> /etc/alternatives/java",
    after="entrypoint",
    keys=("container.entrypoint",),
)
def entrypoint_link(context: CheckContext) -> Verdict:
    """No link on the path is absolute or leaves the image; one to /bin/busybox is a warning."""
    path = context.tree.resolve(context.starts)
    # Zero-OS's own init has a /bin/busybox too, so that it finds something there.
    works = path.outside is not None and path.outside.target == "/bin/busybox"
    return replace(relative_links(path), severity=Severity.SHOULD if works else None)


@must(
    "The interpreter or ELF loader of the entrypoint is in the image",
    CONTAINER,
    source="A program whose #! interpreter or ELF loader is missing fails with “No such file or"
    " directory”, although it exists (execve(2)).",
    fix="Link the program statically, or add the interpreter and the libraries to the image.",
    example="/app needs /lib64/ld-linux-x86-64.so.2 does not exist",
    after="entrypoint",
    keys=("container.entrypoint",),
)
def entrypoint_loader(context: CheckContext) -> Verdict:
    """The ``#!`` interpreter or ELF loader exists in the image."""
    return verdict_of(context.start, Part.INTERPRETER)


@must(
    "The libraries of the entrypoint are in the image",
    CONTAINER,
    source="The loader ends a program with “error while loading shared libraries” if one is"
    " missing, or has not the symbol versions that the program was linked with (ld.so(8)).",
    fix="Add the packages of these libraries, run ldconfig in the image, or link the program"
    " statically.",
    example="/app needs libpq.so.5, which is not where its loader searches",
    after="entrypoint-loader",
    reads=(*LIBRARIES, STARTUP),
    keys=("container.entrypoint",),
)
def entrypoint_starts(context: CheckContext) -> Verdict:
    """Every library that the program needs is where its loader searches, for x86-64."""
    return verdict_of(context.start, Part.LIBRARY)


@should(
    "The entrypoint does not depend on .startup.toml",
    CONTAINER,
    source="Zero-OS reads the environment from /.startup.toml (written when Docker images are"
    " converted), but currently not the entrypoint: without one in the deployment it starts"
    " /sbin/init (zosbase, fListStartup).",
    fix="Set the entrypoint in the deployment, and give it here with --entrypoint.",
    example="/.startup.toml names /bin/app, and no entrypoint is given",
    reads=(STARTUP,),
    keys=("container.entrypoint",),
)
def entrypoint_startup_toml(context: CheckContext) -> Verdict:
    """/.startup.toml does not exist or names no entrypoint, or the entrypoint is given."""
    content = text(context.tree, STARTUP)
    if content is None:
        return passed(f"{STARTUP} does not exist")
    if context.entrypoint:
        return passed(f"the entrypoint {context.entrypoint} is given")
    named = startup_arguments(context.tree).get("name")
    if named:
        return failed(f"{STARTUP} names {named}, and no entrypoint is given")
    return passed(f"{STARTUP} names no entrypoint")


@advice(
    "Nothing in the image loads kernel modules",
    CONTAINER,
    source="Zero-OS's own kernel is built without modules (cloud-container, CONFIG_MODULES is not"
    " set): “a container has no control over the kernel” (Zmachine guide, “Container”).",
    fix="Remove /lib/modules and the lists of modules, or make it a VM with its own kernel.",
    example="/etc/modules names loop",
    reads=_MODULE_LISTS,
    keys=("target",),
)
def container_kernel_modules(context: CheckContext) -> Verdict:
    """The image has no kernel modules and no list of modules to load."""
    found = next(_modules(context.tree), None)
    return failed(found) if found is not None else passed("no modules, no module lists")


def _modules(tree: FileTree) -> Iterator[str]:
    for entry in tree.glob(*_MODULE_LISTS):
        named = next(lines(tree, entry.path), None)
        if named is not None:
            yield f"{entry.path} names {named}"
    for entry in tree.walk("/lib/modules"):
        if ".ko" in entry.name:
            yield f"{entry.path} exists"


# What shows that a whole operating system is meant, not one service.
_SYSTEM = ("systemd", "sshd", "cloud-init", "crond", "cron", "openrc")


@advice(
    "The image is a single service, not a whole system",
    CONTAINER,
    source="“a container should ideally only have 1 process running […] if you need the latter, it"
    " might be an indication that you actually want a VM” (Zmachine guide, “Container”)",
    fix="Remove what the service does not need, or make it a VM with its own kernel.",
    example="parts of a whole system: /usr/sbin/sshd",
    keys=("target",),
)
def container_single_process(context: CheckContext) -> Verdict:
    """The image has no init system, SSH server or other system service."""
    found = [entry.path for entry in _parts(context.tree)]
    if found:
        return failed(f"parts of a whole system: {', '.join(found)}")
    return passed("no init system, no SSH server")


def _parts(tree: FileTree) -> Iterator[Entry]:
    systemd = tree.resolve("/usr/lib/systemd/systemd").file
    if systemd is not None:
        yield systemd
    for name in _SYSTEM:
        found = find_program(tree, name)
        if found is not None:
            yield found
