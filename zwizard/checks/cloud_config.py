"""cloud-init's configuration in an image: the few settings that decide whether it works."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from zwizard.checks.helpers import text, texts
from zwizard.image.tree import FileTree

_FILES = ("/etc/cloud/cloud.cfg", "/etc/cloud/cloud.cfg.d/*.cfg")
_PACKAGES = tuple(
    f"{base}/python3*/{site}-packages/cloudinit/__init__.py"
    for base in ("/usr/lib", "/usr/local/lib")
    for site in ("dist", "site")
)
READS = (
    *_FILES,
    *(path.replace("__init__", "version") for path in _PACKAGES),
    "/etc/cloud/ds-identify.cfg",
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
    files = tuple((path, _COMMENT.sub("", content)) for path, content in texts(tree, *_FILES))
    module = next(tree.glob(*_PACKAGES), None)
    package = module.path.rpartition("/")[0] if module is not None else ""
    version = _VERSION.search((text(tree, f"{package}/version.py") if package else None) or "")
    return CloudConfig(
        files, package, (int(version[1]), int(version[2])) if version is not None else None
    )


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
