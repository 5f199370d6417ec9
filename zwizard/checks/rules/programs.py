"""Rules about the programs that a machine starts: init, cloud-init, the SSH server, a shell."""

import posixpath
import re
from collections.abc import Iterator

from zwizard.checks.context import CheckContext
from zwizard.checks.helpers import account, verdict_of
from zwizard.checks.rule import VM_IMAGE, must
from zwizard.checks.rules.cloud_init import configuration_fault
from zwizard.checks.rules.ssh import settings_fault
from zwizard.checks.verdict import Outcome, Severity, Verdict, failed, not_applicable, passed
from zwizard.image.executables.entrypoint import Part
from zwizard.image.executables.libraries import READS as LIBRARIES
from zwizard.image.executables.programs import find_program, identify
from zwizard.image.tree import FileTree

_LIBRARY_FIX = (
    "Install the packages of what is missing, and run ldconfig in the image; of a program that was"
    " copied into the image, take the version for this distribution."
)


@must(
    "/sbin/init is a program in the image",
    VM_IMAGE,
    source="The initramfs starts /sbin/init, or stops with “No init found”.",
    fix="Install an init system: apt-get install systemd-sysv, or the distribution's own.",
    example="/sbin/init leads to /lib/systemd/systemd, which does not exist",
    keys=("source.packages",),
)
def init_present(context: CheckContext) -> Verdict:
    """It, or the entrypoint, leads inside the image to an executable file."""
    return verdict_of(context.start, Part.FILE)


@must(
    "The init can start, with its loader and libraries",
    VM_IMAGE,
    source="The kernel panics if the first program does not start or ends: “Attempted to kill"
    " init!”, “error while loading shared libraries” (execve(2), ld.so(8)).",
    fix=_LIBRARY_FIX,
    example="/sbin/init needs libmount.so.1, which is not where its loader searches",
    after="init-present",
    reads=LIBRARIES,
    keys=("source.packages",),
)
def init_starts(context: CheckContext) -> Verdict:
    """Its interpreter or ELF loader is executable, and every library is where it is searched."""
    return verdict_of(context.start, Part.INTERPRETER, Part.LIBRARY)


@must(
    "The SSH server and root's shell can start",
    VM_IMAGE,
    source="Nobody can log in to a machine whose sshd ends with “error while loading shared"
    " libraries”, or whose shell does not exist (ld.so(8), login(1)). sshd also ends if it"
    " does not know an option or a value, and without host keys (sshd(8)).",
    fix=f"{_LIBRARY_FIX} Correct what sshd -t in the image reports.",
    example="/etc/ssh/sshd_config line 3: ciphers has foo, which this sshd does not know",
    reads=(
        *("/sbin/sshd", "/lib/openssh/*", "/bin/bash", "/bin/dash", "/bin/zsh", "/etc/passwd"),
        *("/etc/systemd/system/ssh*.service.d/*.conf", "/etc/init.d/ssh*"),
    ),
    keys=("source.packages",),
)
def ssh_starts(context: CheckContext) -> Verdict:
    """sshd and root's shell: files, loaders and libraries; sshd's settings, user and host keys."""
    server = find_program(context.guest, "sshd")
    if server is None:
        return not_applicable("sshd is not installed: ssh-server reports it")
    shell = account(context.guest, "/etc/passwd")[-1] or "/bin/sh"
    for path in (server.path, shell):
        found = context.starter.check(path)
        if not found.starts:
            return failed(found.evidence)
    if fault := settings_fault(context):
        return failed(fault, "Correct what sshd -t in the image reports.", Severity.SHOULD)
    return passed(f"{server.path} and {shell} can start")


# What cloud-init 22 and newer imports before it does anything; without one of them it ends.
_IMPORTS = ("yaml", "requests", "urllib3", "idna", "configobj", "jsonpatch", "jsonpointer")
_STANDARD = ("os", "encodings", "json", "logging", "http", "email", "argparse")


@must(
    "cloud-init can start, with its Python, modules and settings",
    VM_IMAGE,
    source="Without cloud-init the machine has no network and no key: “ModuleNotFoundError” in its"
    " services, and nothing else happens (cloudinit.cmd.main). A file that is not YAML counts as"
    " empty, and a stage without modules does nothing (cloudinit/config/modules.py).",
    fix="Install cloud-init and its Python as packages of the distribution, with their"
    " /etc/cloud/cloud.cfg; cloud-init schema --system names what is wrong in it.",
    example="settings are ignored; /etc/cloud/cloud.cfg.d/zz-own.cfg is not YAML",
    after="cloud-init-installed",
    reads=("/bin/cloud-init", "/bin/python3*", "/bin/env"),
    keys=("source.packages",),
)
def cloud_init_runs(context: CheckContext) -> Verdict:
    """Its interpreter starts and finds cloudinit; its settings are YAML and install root's key."""
    found = _cloud_init_starts(context)
    return (configuration_fault(context) or found) if found.outcome is Outcome.PASS else found


def _cloud_init_starts(context: CheckContext) -> Verdict:
    program = find_program(context.guest, "cloud-init")
    if program is None:
        return not_applicable("cloud-init is not installed")
    found = context.starter.check(program.path)
    if not found.starts:
        return failed(found.evidence)
    python = _python(context.guest, identify(context.guest, program).interpreter)
    if not python:
        return passed(found.evidence)
    places = list(_module_places(python))
    missing = [
        name
        for name in (*_STANDARD, "cloudinit", *_IMPORTS)
        if not any(_has_module(context.guest, place, name) for place in places)
    ]
    if missing:
        return failed(f"{python} does not find the modules {', '.join(missing)}")
    return passed(f"{found.evidence}; {python} finds the modules of cloud-init")


def _python(tree: FileTree, interpreter: str) -> str:
    """The real path of a Python with its version, "" for anything else."""
    if posixpath.basename(interpreter) == "env":
        file = find_program(tree, "python3")
    else:
        file = tree.resolve(interpreter).file if interpreter else None
    return file.path if file is not None and re.fullmatch(r"python3\.\d+", file.name) else ""


def _module_places(python: str) -> Iterator[str]:
    """Python's sys.path (its site module, and Debian's change of it)."""
    prefix, version = posixpath.dirname(posixpath.dirname(python)), posixpath.basename(python)
    prefix = "/usr" if prefix in {"", "/"} else prefix
    for base in dict.fromkeys((prefix, "/usr/local")):
        for lib in ("lib", "lib64"):
            yield f"{base}/{lib}/{version}"
            yield f"{base}/{lib}/{version}/lib-dynload"
            yield f"{base}/{lib}/{version}/site-packages"
        yield f"{base}/lib/{version}/dist-packages"
    yield f"{prefix}/lib/python3/dist-packages"


def _has_module(tree: FileTree, place: str, name: str) -> bool:
    names = (f"{name}.py", f"{name}/__init__.py", f"{name}.pyc", f"{name}/__init__.pyc")
    return any(tree.resolve(f"{place}/{file}").file is not None for file in names)
