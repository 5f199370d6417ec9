"""cloud-init's configuration in an image, merged as cloud-init merges it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from zwizard.checks.helpers import text, texts
from zwizard.checks.settings.yaml_reader import YamlError, load_yaml
from zwizard.image.tree import FileTree, UnreadableError

_MAIN = "/etc/cloud/cloud.cfg"
_PACKAGES = tuple(
    f"{base}/python3*/{site}-packages/cloudinit/__init__.py"
    for base in ("/usr/lib", "/usr/local/lib")
    for site in ("dist", "site")
)
IDENTIFY = "/etc/cloud/ds-identify.cfg"
READS = (
    _MAIN,
    f"{_MAIN}.d/*.cfg",
    *(path.replace("__init__", "version") for path in _PACKAGES),
    IDENTIFY,
)

_VERSION = re.compile(
    r"""^_?_?(?:PACKAGED_)?VERSION(?:__)?\s*=\s*["'](\d+)\.(\d+)""", re.MULTILINE
)
_STAGES = ("cloud_init_modules", "cloud_config_modules", "cloud_final_modules")
_SIZE = 512 << 10  # of all files; more would take long to read
_MERGES = 10_000  # of mappings; more are aliases of aliases


@dataclass(frozen=True, slots=True)
class CloudConfig:
    """cloud-init's settings.

    ``settings`` are those of all files; ``origins`` maps each of their keys to the last file
    that sets it. ``broken`` maps the files that count as empty to what is wrong with them.
    ``package`` is the directory of the Python package, "" without one; ``version`` its release
    (year, number), None if it was not found. ``identify`` are the settings of ds-identify.
    """

    settings: Mapping[str, object]
    origins: Mapping[str, str]
    broken: Mapping[str, str]
    package: str
    version: tuple[int, int] | None
    identify: Mapping[str, str]

    def get(self, *keys: str) -> object:
        """The setting at a path of keys, None if it is not set."""
        found: object = self.settings
        for key in keys:
            found = found.get(key) if isinstance(found, Mapping) else None
        return found

    def names(self, *keys: str) -> tuple[str, ...]:
        """The setting at a path of keys as a list of words; () for anything else.

        Text counts as a list too: ds-identify reads a line of words so.
        """
        found = self.get(*keys)
        if isinstance(found, str):
            return tuple(found.strip("[]").replace(",", " ").split())
        if not isinstance(found, list):
            return ()
        return tuple(item for item in found if isinstance(item, str))

    def modules(self) -> frozenset[str]:
        """The modules that run in any of its stages, such as ``users_groups``."""
        return frozenset(name for stage in _STAGES for name in self._stage(stage))

    def _stage(self, stage: str) -> Iterator[str]:
        listed = self.get(stage)
        for item in listed if isinstance(listed, list) else ():
            if isinstance(item, Mapping):
                item = item.get("name")
            elif isinstance(item, list):
                item = next(iter(item), None)
            if isinstance(item, str):
                name = item.strip().replace("-", "_")
                yield name.removesuffix(".py").removeprefix("cc_")


def read_cloud_config(tree: FileTree) -> CloudConfig:
    """cloud.cfg and cloud.cfg.d in its order (cloud-init, read_conf_with_confd)."""
    module = next(tree.glob(*_PACKAGES), None)
    package = module.path.rpartition("/")[0] if module is not None else ""
    version = _VERSION.search((text(tree, f"{package}/version.py") if package else None) or "")
    read = dict(texts(tree, _MAIN))
    parsed, broken = _parse(read)
    directory = parsed.get(_MAIN, {}).get("conf_d", f"{_MAIN}.d")
    if isinstance(directory, str) and directory:
        more, faults = _parse(dict(texts(tree, f"{directory.strip().rstrip('/')}/*.cfg")))
        parsed, broken = parsed | more, broken | faults
    return CloudConfig(
        _merge_all([parsed[path] for path in reversed(parsed)]),
        {key: path for path, settings in parsed.items() for key in settings},
        broken,
        package,
        (int(version[1]), int(version[2])) if version is not None else None,
        dict(_identify(tree)),
    )


def _parse(
    contents: Mapping[str, str],
) -> tuple[dict[str, dict[str, object]], dict[str, str]]:
    if sum(map(len, contents.values())) > _SIZE:
        raise UnreadableError(
            f"cloud-init's settings have more than {_SIZE >> 10} KiB", "Check those files."
        )
    parsed: dict[str, dict[str, object]] = {}
    broken: dict[str, str] = {}
    for path, content in contents.items():
        try:
            found = load_yaml(content)
        except YamlError as fault:
            broken[path] = str(fault)
            continue
        if isinstance(found, dict):
            parsed[path] = {str(key): value for key, value in found.items()}
        elif found is not None:
            broken[path] = "it is not a mapping of settings"
    return parsed, broken


def _identify(tree: FileTree) -> Iterator[tuple[str, str]]:
    """ds-identify's own settings: ``key: value``, the last one counts."""
    for line in (text(tree, IDENTIFY) or "").splitlines():
        key, colon, value = line.partition("#")[0].partition(":")
        if colon:
            yield key.strip(), value.strip().strip("\"'")


# --- merging (cloud-init, mergers) ---------------------------------------------------------------

_How = Mapping[str, Sequence[str]]
_DEFAULT: _How = {"list": (), "dict": (), "str": ()}


def _merge_all(documents: Sequence[dict[str, object]]) -> Mapping[str, object]:
    """All documents in one; the first has the last word, unless one states another way."""
    merger, merged = _Merger(), dict[str, object]()
    for document in documents:
        how = document.pop("merge_how", None) or document.pop("merge_type", None)
        merger.how = _DEFAULT if how is None else dict(_ways(how))
        found = merger.merge(merged, document)
        merged = found if isinstance(found, dict) else merged
    return merged


def _ways(how: object) -> Iterator[tuple[str, Sequence[str]]]:
    """``list(append)+dict(recurse_list)``, or the same as a list of mappings."""
    if isinstance(how, str):
        for name, options in re.findall(r"(\w+)\(([^)]*)\)", how):
            yield name, [option.strip() for option in options.split(",")]
    for item in how if isinstance(how, list) else ():
        if isinstance(item, Mapping):
            yield str(item.get("name")), list(map(str, item.get("settings") or ()))
        elif isinstance(item, list) and item:
            yield str(item[0]), list(map(str, item[1:]))


class _Merger:
    def __init__(self) -> None:
        self.how = _DEFAULT
        self.left = _MERGES

    def merge(self, old: object, new: object) -> object:
        """``old`` with ``new``, by the way of old's type; without one ``old`` stays."""
        self.left -= 1
        if self.left < 0:
            raise UnreadableError("cloud-init's settings nest without end", "Check those files.")
        if isinstance(old, dict) and (options := self.how.get("dict")) is not None:
            return self._dict(old, new, options)
        if isinstance(old, list) and (options := self.how.get("list")) is not None:
            return self._list(old, new, options)
        if isinstance(old, str) and (options := self.how.get("str")) is not None:
            appends = isinstance(new, str) and "append" in options
            return f"{old}{new}" if appends else new
        return old

    def _dict(self, old: dict[str, object], new: object, options: Sequence[str]) -> object:
        if not isinstance(new, dict):
            return old
        merged = dict(old)
        for key, value in new.items():
            if key not in merged:
                merged[key] = value
            elif value is None and "allow_delete" in options:
                del merged[key]
            elif "replace" in options:
                merged[key] = value
            elif self._descends(value, options, "dict"):
                merged[key] = self.merge(merged[key], value)
        return merged

    def _list(self, old: list[object], new: object, options: Sequence[str]) -> object:
        if not isinstance(new, list):
            return old if {"append", "prepend", "no_replace"}.intersection(options) else new
        if "append" in options:
            return [*old, *new]
        if "prepend" in options:
            return [*new, *old]
        if "no_replace" in options:
            return old
        pairs = zip(old, new, strict=False)
        merged = [
            self.merge(one, other) if self._descends(other, options, "") else other
            for one, other in pairs
        ]
        return merged + old[len(merged) :]

    @staticmethod
    def _descends(value: object, options: Sequence[str], always: str) -> bool:
        if isinstance(value, dict):
            return always == "dict" or "recurse_dict" in options
        if isinstance(value, list):
            return not {"recurse_array", "recurse_list"}.isdisjoint(options)
        return isinstance(value, str) and "recurse_str" in options
