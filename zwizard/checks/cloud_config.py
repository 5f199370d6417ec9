"""cloud-init's configuration in an image: the few settings that decide whether it works."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from zwizard.checks.helpers import text
from zwizard.image.tree import FileTree

READS = (
    "/etc/cloud/cloud.cfg",
    "/etc/cloud/cloud.cfg.d/*",
    "/etc/cloud/ds-identify.cfg",
    "/lib/python3*/*-packages/cloudinit/version.py",
    "/local/lib/python3*/*-packages/cloudinit/version.py",
)

_COMMENT = re.compile(r"(?:^|(?<=\s))#.*$", re.MULTILINE)
_WORD = re.compile(r"[A-Za-z0-9_.-]+")
_VERSION = re.compile(
    r"""^_?_?(?:PACKAGED_)?VERSION(?:__)?\s*=\s*["'](\d+)\.(\d+)""", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class CloudConfig:
    """cloud-init's configuration files in the order in which later ones win.

    ``package`` is the directory of its Python package, "" without one; ``version`` its release
    (year, number), None if it was not found.
    """

    files: tuple[tuple[str, str], ...]
    package: str
    version: tuple[int, int] | None

    def values(self, key: str) -> Iterator[tuple[str, str]]:
        """Each file that sets the top-level ``key``, and the value's text, in order."""
        for path, content in self.files:
            value = block(content, key)
            if value is not None:
                yield path, value

    def last(self, key: str) -> tuple[str, str] | None:
        """The file whose value for ``key`` counts, and that value's text."""
        return next(reversed(list(self.values(key))), None)

    def renderers(self) -> tuple[str, ...]:
        """The order in which ways to write the network are tried, () for cloud-init's own."""
        found: tuple[str, ...] = ()
        for _, value in self.values("system_info"):
            listed = re.search(
                r"renderers[\"']?[ \t]*:[ \t]*(\[[^\[\]]*\]|(?:\n[ \t]*-[^\n]*)+)", value
            )
            if listed is not None:
                found = words(listed[1])
        return found


def read_cloud_config(tree: FileTree) -> CloudConfig:
    """cloud.cfg, and cloud.cfg.d in its order (cloud-init, read_conf_with_confd)."""
    paths = ["/etc/cloud/cloud.cfg"]
    paths += [
        entry.path
        for entry in tree.listing("/etc/cloud/cloud.cfg.d")
        if entry.name.endswith(".cfg")
    ]
    contents = ((path, text(tree, path)) for path in paths)
    files = tuple((path, _plain(content)) for path, content in contents if content is not None)
    package = _package(tree)
    return CloudConfig(files, package, _version(tree, package))


def block(content: str, key: str) -> str | None:
    """The text of a top-level ``key``'s value in YAML without comments, None if it is not set.

    Not a YAML reader: enough for the settings asked for, in block and flow style alike.
    """
    start = re.compile(rf"""^(?:\{{[ ]*)?["']?{re.escape(key)}["']?[ ]*:""", re.MULTILINE)
    found = next(reversed(list(start.finditer(content))), None)
    if found is None:
        return None
    first, *rest = content[found.end() :].split("\n")
    value = [first]
    for line in rest:
        if line.strip() and not line.startswith((" ", "\t", "-", "]", "}")):
            break
        value.append(line)
    return "\n".join(value)


def words(value: str) -> tuple[str, ...]:
    """The items of a list of plain words."""
    return tuple(word.strip("-") for word in _WORD.findall(value) if word.strip("-"))


def _plain(content: str) -> str:
    return _COMMENT.sub("", content)


def _package(tree: FileTree) -> str:
    for base in ("/usr/lib", "/usr/local/lib"):
        for python in tree.listing(base):
            if not python.name.startswith("python3"):
                continue
            for site in ("dist-packages", "site-packages"):
                path = f"{python.path}/{site}/cloudinit"
                if tree.resolve(f"{path}/__init__.py").file is not None:
                    return path
    return ""


def _version(tree: FileTree, package: str) -> tuple[int, int] | None:
    source = text(tree, f"{package}/version.py") if package else None
    found = _VERSION.search(source or "")
    return (int(found[1]), int(found[2])) if found else None
