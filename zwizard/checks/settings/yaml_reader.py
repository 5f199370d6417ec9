"""YAML as PyYAML reads it, within bounds: a hostile file can neither hang nor recurse."""

import yaml

_MERGED = 10_000  # entries of one mapping, once its merge keys (<<) are resolved


class _Loader(yaml.CSafeLoader):
    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        super().flatten_mapping(node)
        if len(node.value) > _MERGED:
            raise yaml.YAMLError("its merge keys (<<) multiply without end")


class YamlError(Exception):
    """Text that is no YAML, with the reason and the line."""


def load_yaml(content: str, *, tabs: bool = False) -> object:
    """The document in ``content``; raises YamlError.

    libyaml bounds its depth. It accepts ``tabs`` between words, which Python's own reader, that
    of cloud-init, refuses.
    """
    try:
        document: object = yaml.load(content, _Loader)  # noqa: S506 - a safe loader
        if "\t" in content and not tabs:
            yaml.safe_load(content)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"line {mark.line + 1}: " if mark is not None else ""
        raise YamlError(f"{line}{error.problem or error.context}") from error
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise YamlError(str(error).partition("\n")[0] or type(error).__name__) from error
    return document
