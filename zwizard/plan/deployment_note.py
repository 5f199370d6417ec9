"""What to type to deploy a flist: for people, for the dashboard, tfcmd, Terraform and programs.

A flist contains only files: entrypoint, environment and disks are part of each deployment.
"""

import json
import math
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from zwizard.image.executables.start_script import START_SCRIPT
from zwizard.recipe.model import Recipe
from zwizard.sources import deployment
from zwizard.util.text import one_line, parse_size
from zwizard.util.units import GIB

_INIT = "/sbin/init"
_ANYTHING = "/"  # where a deployment needs an entrypoint, and Zero-OS ignores it
_KEY = "~/.ssh/id_ed25519.pub"
_URL = "https://HUB/USER/NAME.flist"
_ROOT, _DISK = 2, 10  # GiB: the least root of most machines, and a disk of any size
_LEAST = {"container": 256, "vm": 1024, "image": 1024}  # MiB of memory
_VARIABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]{1,127}", re.ASCII)  # what the dashboard takes


@dataclass(frozen=True)
class Deployment:
    """A deployment of one image. ``memory`` is in MiB, ``root`` and the sizes of disks in GiB.

    ``kind`` is container, vm or image. ``flist`` and ``checksum`` are "" before it is uploaded;
    ``disks`` are by mount point; ``start`` is the script that is the entrypoint, if there is one.
    """

    name: str
    kind: str
    flist: str = ""
    checksum: str = ""
    entrypoint: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    memory: int = 256
    root: int = _ROOT
    disks: Mapping[str, int] = field(default_factory=dict)
    start: str = ""

    @property
    def refused(self) -> tuple[str, ...]:
        """The variables that the dashboard does not take: by their name, or without a value."""
        return tuple(
            name
            for name, value in self.environment.items()
            if not value or not _VARIABLE.fullmatch(name)
        )

    @property
    def machine(self) -> str:
        """The name as a deployment takes it."""
        return re.sub(r"\W", "_", self.name, flags=re.ASCII)[:35].ljust(2, "_")

    def to_json(self) -> dict[str, Any]:
        """As plain data, with the texts to copy."""
        texts = {name: text(self) for name, (_, text) in BLOCKS.items()}
        return asdict(self) | {"refused": self.refused, "texts": texts}


def describe(
    name: str,
    kind: str,
    recipe: Recipe | None = None,
    *,
    flist: str = "",
    checksum: str = "",
    unpacked: int = 0,
) -> Deployment:
    """The deployment of an image, which takes ``unpacked`` bytes.

    Without its ``recipe`` the entrypoint of a container is unknown.
    """
    disks: dict[str, int] = {}
    if kind == "container":
        entrypoint = (deployment.entrypoint(recipe) or "") if recipe else "ENTRYPOINT"
        disks = dict.fromkeys(recipe.container.mounts, _DISK) if recipe else {}
    else:
        entrypoint = _INIT if kind == "vm" else _ANYTHING
    if kind == "image":
        needs = parse_size(recipe.checklist.disk_size) if recipe else 0
        disks = {"/disk": math.ceil(max(needs, unpacked, GIB) / GIB)}
    return Deployment(
        name,
        kind,
        flist,
        checksum,
        entrypoint,
        deployment.environment(recipe) if recipe and kind == "container" else {},
        _LEAST[kind],
        _ROOT,
        disks,
        recipe.container.start if recipe else "",
    )


# --- as texts ------------------------------------------------------------------------------------


def dashboard(made: Deployment) -> str:
    """The fields of the dashboard's page "Micro Virtual Machine", image "Other"."""
    lines = [
        f"Name: {made.machine}",
        f"Flist: {made.flist or _URL}",
        f"Entry Point: {made.entrypoint}",
        f"Memory (MB): {made.memory}",
        f"Disk Size (GB): {made.root}",
    ]
    for name, value in made.environment.items():
        refused = "  (refused here: use tfcmd or Terraform)" if name in made.refused else ""
        lines.append(f"Environment variable: {name} = {value}{refused}")
    lines += [f"Disk: {size} GB at {place}" for place, size in made.disks.items()]
    return "\n".join(map(one_line, lines))


def tfcmd(made: Deployment) -> str:
    """A command line of tfcmd, for a shell."""
    words = [
        "tfcmd", "deploy", "vm", "--name", made.machine, "--ssh", _KEY,
        "--flist", made.flist or _URL, "--entrypoint", made.entrypoint, "--cpu", "1",
        "--memory", str(math.ceil(made.memory / 1024)), "--rootfs", str(made.root),
    ]  # fmt: skip
    options = {"/data": "--disk", "/volume": "--volume"}  # tfcmd mounts these nowhere else
    for place, size in made.disks.items():
        words += [options.get(place, "--disk"), str(size)]
    for name, value in made.environment.items():
        words += ["--env", f"{name}={value}"]
    return shlex.join(words).replace(shlex.quote(_KEY), _KEY, 1)  # the shell replaces ~


def terraform(made: Deployment) -> str:
    """A block for Terraform's provider of the grid."""
    disks = list(enumerate(made.disks.items(), 1))
    lines = [f'resource "grid_deployment" {_hcl(made.machine)} {{', "  node = NODE"]
    for number, (_, size) in disks:
        lines += ["  disks {", f'    name = "disk{number}"', f"    size = {size}", "  }"]
    lines += [
        "  vms {",
        f"    name           = {_hcl(made.machine)}",
        f"    flist          = {_hcl(made.flist or _URL)}",
        *([f"    flist_checksum = {_hcl(made.checksum)}"] if made.checksum else []),
        f"    entrypoint     = {_hcl(made.entrypoint)}",
        "    cpu            = 1",
        f"    memory         = {made.memory}",
        f"    rootfs_size    = {made.root * 1024}",
    ]
    for number, (place, _) in disks:
        lines += ["    mounts {", f'      disk_name   = "disk{number}"']
        lines += [f"      mount_point = {_hcl(place)}", "    }"]
    lines.append("    env_vars = {")
    lines += [f"      {_hcl(name)} = {_hcl(value)}" for name, value in made.environment.items()]
    lines += ['      "SSH_KEY" = file(pathexpand("~/.ssh/id_ed25519.pub"))', "    }", "  }", "}"]
    return "\n".join(lines)


def _hcl(text: str) -> str:
    return json.dumps(text).replace("${", "$${").replace("%{", "%%{")


# By the name of the form: its title, and the text for it.
BLOCKS: dict[str, tuple[str, Callable[[Deployment], str]]] = {
    "dashboard": ("Dashboard", dashboard),
    "tfcmd": ("tfcmd", tfcmd),
    "terraform": ("Terraform", terraform),
}

_MEANING = {
    "container": (
        "The entrypoint is one line with its arguments, quoted as in a shell. It runs as root in"
        " `/`, after network and disks are ready.",
        "The container stops when its entrypoint exits, with any status. Zero-OS restarts it, and"
        " stops trying after four times in two minutes.",
        "It runs on Zero-OS's own kernel. Modules cannot be loaded.",
        "Its output goes to a console that is shown nowhere: write what you need to a file.",
    ),
    "vm": (
        "The image's kernel gets the entrypoint as init=; other programs than the init do not"
        " start it.",
    ),
    "image": (
        "Zero-OS ignores the entrypoint of a disk image, but the forms need one.",
        "The image is written to the first disk, which must not be smaller; its mount point means"
        " nothing.",
    ),
}


def markdown(made: Deployment) -> str:
    """The note for people."""
    facts = [
        f"Flist: {made.flist or 'not uploaded yet: zwizard upload'}",
        *([f"Checksum (md5): {made.checksum}"] if made.checksum else []),
        f"Entrypoint: {_code(made.entrypoint)}",
        f"Memory: at least {made.memory} MiB",
        f"Root: {made.root} GiB, which limits what is written, not the image",
        *(_disk(made, *item) for item in made.disks.items()),
        *(_variable(made, *item) for item in made.environment.items()),
        "`SSH_KEY`: your public key",
    ]
    lines = [f"# Deploying {made.name}", "", *(f"- {fact}" for fact in facts)]
    lines += ["", "## How Zero-OS runs it", "", *(f"- {line}" for line in _MEANING[made.kind])]
    if made.start:
        lines += ["", f"`{START_SCRIPT}` starts the container image's own entrypoint:", ""]
        lines += [f"    {line}" for line in made.start.splitlines()]
    for title, text in BLOCKS.values():
        lines += ["", f"## {title}", "", *(f"    {line}" for line in text(made).splitlines())]
    return "\n".join(map(one_line, lines)) + "\n"


def _disk(made: Deployment, place: str, size: int) -> str:
    if made.kind == "image":
        return f"Disk: at least {size} GiB"
    return f"Disk, mounted at {_code(place)}"


def _variable(made: Deployment, name: str, value: str) -> str:
    if not value:
        return (
            f"Environment: {_code(name)}, without a value in the recipe: set it in the deployment"
        )
    refused = ", which the dashboard refuses by its name" if name in made.refused else ""
    return f"Environment: {_code(f'{name}={value}')}{refused}"


def _code(text: str) -> str:
    fence = "``" if "`" in text else "`"
    return f"{fence}{text}{fence}"
