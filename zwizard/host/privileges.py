"""How this user may make namespaces and mounts: as root, in a user namespace, or through sudo."""

import contextlib
import os
import pwd
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from zwizard.util.errors import ZwizardError

SUBUIDS, SUBGIDS = Path("/etc/subuid"), Path("/etc/subgid")
_TUN = Path("/dev/net/tun")

_UNSHARE = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
_MAPPED = ("unshare", "--map-auto", "--map-root-user", *_UNSHARE[1:])

# What a sandbox begins with (sandbox.sh).
_SANDBOX = (
    "bwrap",
    "--bind",
    "/",
    "/",
    "--dev",
    "/dev",
    "--proc",
    "/proc",
    "--unshare-net",
    "true",
)
_USABLE: set[tuple[str, ...]] = set()  # what has been tried and works


@dataclass(frozen=True)
class Privilege:
    """How commands get the privileges to make namespaces and mounts.

    ``description`` is for the user; where ``mode`` is none it says what is missing, and
    ``remedy`` how to get it.
    """

    mode: Literal["root", "userns", "sudo", "none", "own"]
    description: str
    remedy: str = ""

    def require(self) -> None:
        """Raise ZwizardError if there is no privilege to build with."""
        if self.mode == "none":
            raise ZwizardError(self.description, self.remedy)

    def launch(self) -> tuple[str, ...]:
        """The prefix that runs a command with this privilege."""
        return ("sudo", "--non-interactive", "--") if self.mode == "sudo" else ()

    def isolate(self) -> tuple[str, ...]:
        """The prefix that runs a command in namespaces of its own."""
        if self.mode == "own":
            return ()
        return _MAPPED if self.mode == "userns" else _UNSHARE

    def launch_isolated(self) -> tuple[str, ...]:
        """Both prefixes: for a command with this privilege in namespaces of its own."""
        return (*self.launch(), *self.isolate())

    def authorise(self) -> None:
        """Let sudo ask for its password on the terminal now, where it needs one."""
        if self.mode == "sudo" and subprocess.run(["sudo", "-v"], check=False).returncode != 0:
            raise ZwizardError(
                "sudo refused access", "Try again, or ask who may use sudo on this host."
            )

    def remove(self, directory: Path) -> None:
        """Delete a tree whose files may belong to mapped users; failure is not reported."""
        command = [*self.isolate(), "rm", "-rf", "--one-file-system", str(directory)]
        subprocess.run(command, stderr=subprocess.DEVNULL, check=False)

    def layers_below(self, cache: Path) -> Path:
        """The directory for layers: one for each id map, since file owners depend on it."""
        if self.mode != "userns":
            return cache / "layers/root"
        ids = subordinate_ids(SUBUIDS)
        return cache / f"layers/uid-{ids.start if ids else None}"


OWN = Privilege("own", "you, without namespaces")  # for what runs no other program

_FOR_ROOT = (
    "In a container: start it with --privileged. In a chroot whose root is no mount point: bind it"
    " on itself first (mount --bind DIRECTORY DIRECTORY)."
)


def find_privilege() -> Privilege:
    """What this user has: root already, else user namespaces, else sudo."""
    if os.geteuid() == 0:
        if problem := _problem(_UNSHARE):
            return Privilege("none", f"root may not make namespaces here: {problem}", _FOR_ROOT)
        return Privilege("root", "root")
    problem = _user_namespace_problem()
    if not problem:
        return Privilege("userns", "you, in a user namespace (no sudo needed)")
    if shutil.which("sudo"):
        return Privilege("sudo", f"root, through sudo, which asks once ({problem})")
    return Privilege(
        "none",
        f"building needs root or user namespaces: {problem}, and sudo is missing",
        "As root: apt-get install uidmap && usermod --add-subuids 100000-165535"
        " --add-subgids 100000-165535 USER",
    )


def _user_namespace_problem() -> str:
    """Why user namespaces cannot be used, or ""."""
    if not shutil.which("newuidmap"):
        return "newuidmap is missing (package uidmap)"
    if subordinate_ids(SUBUIDS) is None:
        return "this user has no range in /etc/subuid"
    problem = _problem(_MAPPED)
    return problem and f"user namespaces are not allowed here ({problem})"


def _problem(unshare: tuple[str, ...]) -> str:
    """Why a sandbox cannot be made in these namespaces, or ""; tried until it works once."""
    probe = (*unshare, *(_SANDBOX if shutil.which("bwrap") else ("true",)))
    if probe in _USABLE:
        return ""
    done = subprocess.run(probe, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode == 0:
        _USABLE.add(probe)
        return ""
    output = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return output[-1] if output else f"unshare ended with exit status {done.returncode}"


def shared_network() -> str:
    """Why programs of a tree share this machine's network in steps that have one, or "".

    The reasons are those of sandbox.sh: joining needs slirp4netns and /dev/net/tun.
    """
    if not shutil.which("slirp4netns"):
        return "slirp4netns is missing"
    return "" if os.access(_TUN, os.R_OK | os.W_OK) else f"{_TUN} cannot be opened"


def subordinate_ids(file: Path) -> range | None:
    """This user's first range in ``file`` (/etc/subuid or /etc/subgid)."""
    names = {str(os.geteuid())}
    with contextlib.suppress(KeyError):
        names.add(pwd.getpwuid(os.geteuid()).pw_name)
    with contextlib.suppress(OSError):
        for line in file.read_text("utf-8", "replace").splitlines():
            name, first, count = (*line.split(":"), "", "")[:3]
            if name in names and first.isdigit() and count.isdigit():
                return range(int(first), int(first) + int(count))
    return None


def in_user_namespace() -> bool:
    """Whether this process is root only in a user namespace."""
    return not re.match(r"\s*0\s+0\s", Path("/proc/self/uid_map").read_text("ascii"))
