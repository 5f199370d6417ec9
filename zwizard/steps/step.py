"""Steps and plans: named stages with their actions, and the fingerprint of each."""

import hashlib
import json
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from zwizard.steps import programs
from zwizard.steps.actions import Action

IMAGE = "image.raw"  # after a step that leaves an image, the only file in the tree


@dataclass(frozen=True)
class Step:
    """A stage of a build.

    ``why``: sentences of the Zmachine guide (quoted), and ours. ``answers``: the
    recipe keys that decide it. ``network``: its commands reach the internet. ``size``: about how
    many bytes its layer takes; ``unpacks``: the file, directory or URL that decides it instead.
    ``guide``: the guide's own commands, where they differ.
    """

    name: str
    title: str
    why: tuple[str, ...]
    actions: tuple[Action, ...]
    answers: tuple[str, ...] = ()
    network: bool = False
    size: int = 0
    unpacks: str = ""
    guide: str = ""

    @property
    def leaves(self) -> Literal["tree", "image", "archive"]:
        """What is left of it: the tree, or a single file that is made of it."""
        return next((a.leaves for a in self.actions if a.leaves != "tree"), "tree")


@dataclass(frozen=True)
class Plan:
    """The steps that lead from nothing to the archive of one recipe.

    ``environment`` is what every command runs with, beside PATH and the proxies of the user.
    ``note`` is what to know for a deployment and the archive does not carry: Markdown, to be kept
    beside it. ``shares_network``: the mirror is on this machine's loopback, so that steps with a
    network share this machine's.
    """

    name: str
    target: str
    environment: tuple[tuple[str, str], ...]
    steps: tuple[Step, ...]
    note: str = ""
    shares_network: bool = False

    def network(self, step: Step) -> Literal["", "internet", "machine"]:
        """What programs in the sandbox get of the network, as sandbox.sh has it."""
        if not step.network:
            return ""
        return "machine" if self.shares_network else "internet"

    @property
    def archive(self) -> str:
        """The archive's file name."""
        return f"{self.name}.tar.gz"

    def fingerprints(self) -> tuple[str, ...]:
        """One per step: 32 hexadecimal digits of a SHA-256.

        It covers the step's actions, the code that they run, and the fingerprint before it.
        """
        start = hashlib.sha256(json.dumps(self.environment).encode()).hexdigest()[:32]
        return tuple(accumulate((_identity(step) for step in self.steps), _chain, initial=start))[
            1:
        ]

    def tools(self) -> frozenset[str]:
        """The programs of this machine that the actions run."""
        actions = (action for step in self.steps for action in step.actions)
        return frozenset(("bash", "mount", "umount")).union(*(a.tools for a in actions))


def environment(epoch: int) -> tuple[tuple[str, str], ...]:
    """What the commands of every plan run with; ``epoch`` caps the time stamps that they make."""
    return (
        ("DEBIAN_FRONTEND", "noninteractive"),
        # dpkg need not wait for the disk at each package: a layer is synced as a whole.
        ("DPKG_FORCE", "unsafe-io"),
        ("HOME", "/root"),
        ("LC_ALL", "C.UTF-8"),
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("SOURCE_DATE_EPOCH", str(epoch)),
    )


def _identity(step: Step) -> str:
    code = {name for action in step.actions for name in (*action.scripts, *action.modules)}
    data: dict[str, object] = {
        "network": step.network,
        "actions": [action.canonical() for action in step.actions],
        "code": sorted(map(programs.digest, code)),
    }
    return json.dumps(data, sort_keys=True)


def _chain(parent: str, identity: str) -> str:
    return hashlib.sha256(f"{parent}\n{identity}".encode()).hexdigest()[:32]
