"""Steps and plans: named stages with their actions, and the fingerprint of each."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from zwizard.steps.actions import (
    CHROOT,
    Action,
    Chroot,
    Convert,
    Host,
    Import,
    ImportDisk,
    Kernels,
    MakeDisk,
    Oci,
    OwnKernel,
    Pack,
    Program,
    TrustKeys,
    TrustPackagers,
    canonical,
    functions,
)

_DISK_TOOLS = ("debugfs", "mcopy", "mke2fs", "mkfs.vfat", "mmd", "sfdisk")


@dataclass(frozen=True)
class Step:
    """A stage of a build.

    ``why``: sentences of the document (quoted) and of ours that it carries out. ``answers``: the
    recipe keys that decide it. ``network``: its commands reach the internet. ``size``: about how
    many bytes its layer takes. ``document``: the document's own commands, where they differ.
    """

    name: str
    title: str
    why: tuple[str, ...]
    actions: tuple[Action, ...]
    answers: tuple[str, ...] = ()
    network: bool = False
    size: int = 0
    document: str = ""

    @property
    def enters(self) -> bool:
        """Whether something runs in the tree, which needs its /proc, /dev and so on."""
        return any(
            isinstance(action, Chroot)
            or (isinstance(action, Host) and any(word.startswith(CHROOT) for word in action.argv))
            for action in self.actions
        )

    @property
    def leaves(self) -> Literal["tree", "image", "archive"]:
        """What is left of it: the tree, or a single file that is made of it."""
        for action in self.actions:
            match action:
                case MakeDisk() | Convert():
                    return "image"
                case Pack():
                    return "archive"
                case _:
                    continue
        return "tree"


@dataclass(frozen=True)
class Plan:
    """The steps that lead from nothing to the archive of one recipe.

    ``environment`` is what every command runs with, beside PATH and the proxies of the user.
    ``note`` is what to know for a deployment and the archive does not carry: Markdown, to be kept
    beside it; "" where cloud-init asks for nothing.
    """

    name: str
    target: str
    environment: tuple[tuple[str, str], ...]
    steps: tuple[Step, ...]
    note: str = ""

    @property
    def archive(self) -> str:
        """The archive's file name."""
        return f"{self.name}.tar.gz"

    def fingerprints(self) -> tuple[str, ...]:
        """One per step: 32 hexadecimal digits of a SHA-256 over its actions and its parent's."""
        start = hashlib.sha256(json.dumps(self.environment).encode()).hexdigest()[:32]
        return tuple(accumulate((_identity(step) for step in self.steps), _chain, initial=start))[
            1:
        ]

    def tools(self) -> frozenset[str]:
        """The programs of this machine that the actions run."""
        found = {"bash", "mount", "umount"}
        for step in self.steps:
            for action in step.actions:
                match action:
                    case Host(argv):
                        found.add(argv[0])
                    case Chroot():
                        found.add("chroot")
                    case Pack():
                        found.add("tar")
                    case MakeDisk():
                        found.update(_DISK_TOOLS)
                    case TrustKeys():
                        found.update(("curl", "dpkg-deb", "gpg", "xz"))
                    case TrustPackagers():
                        found.update(("curl", "flock", "gpg", "tar", "zstd"))
                    case Convert(location):
                        found.add("qemu-img")
                        found.update(["curl"] if "://" in location else [])
                    case Import(location):
                        found.update(["tar", "curl"] if "://" in location else ["tar"])
                    case ImportDisk(location):
                        found.update(("qemu-img", "tar"))
                        found.update(["curl"] if "://" in location else [])
                    case Kernels():
                        found.update(("lz4", "xz", "zstd"))
                    case OwnKernel(location, _, initrd):
                        found.update(["curl"] if "://" in location + initrd else [])
                    case Program(location):
                        found.update(["curl"] if "://" in location else [])
                    case Oci(location):
                        found.update(("skopeo", "umoci"))
                        found.update(_PACKERS.get(location.rpartition(".")[2], ()))
                    case _:
                        pass
        return frozenset(found)


_PACKERS = {"xz": ("xz",), "lzma": ("xz",), "zst": ("zstd",)}  # by the end of a file's name


def _identity(step: Step) -> str:
    data: dict[str, object] = {
        "network": step.network,
        "actions": [canonical(action) for action in step.actions],
    }
    if called := functions(map(type, step.actions)):
        data["functions"] = called
    return json.dumps(data, sort_keys=True)


def _chain(parent: str, identity: str) -> str:
    return hashlib.sha256(f"{parent}\n{identity}".encode()).hexdigest()[:32]
