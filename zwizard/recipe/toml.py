"""Between the tables of a TOML file and values by key."""

import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from zwizard.recipe.fields import FIELDS, TABLES
from zwizard.recipe.problems import Problem
from zwizard.util.errors import UsageError


def load(path: Path) -> str:
    """The text of the recipe at ``path``; UsageError if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}", "Name a recipe that exists."
        ) from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8 text", "Name a recipe (TOML).") from None


def parse(text: str, where: str) -> dict[str, Any]:
    """The tables of a TOML text; UsageError, which calls it ``where``, if it has none."""
    try:
        if tables := tomllib.loads(text):
            return tables
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(
            f"{where} is not TOML: {error}", "Fix that line; `zwizard new` writes a good recipe."
        ) from None
    raise UsageError(
        f"{where} has no key of a recipe: it is empty, or it was cut",
        "`zwizard build --default` builds the default recipe; `zwizard new` writes one.",
    )


def dumps(tables: Mapping[str, Any]) -> str:
    """The TOML text of ``tables``."""
    import tomli_w

    return tomli_w.dumps(tables, multiline_strings=False)


def flat(tables: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[Problem, ...]]:
    """The values by key that ``tables`` name; and what in them is no key, or no table."""
    values: dict[str, Any] = {}
    problems = []
    for name, value in tables.items():
        if name not in TABLES:
            values[name] = value
        elif isinstance(value, Mapping):
            values |= {f"{name}.{inner}": found for inner, found in value.items()}
        else:
            problems.append(Problem(name, value, f"a table: [{name}]"))
    problems += [_unknown(key) for key in values if key not in FIELDS]
    valid = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in values.items()
        if key in FIELDS
    }
    return valid, tuple(problems)


def _unknown(key: str) -> Problem:
    table, dot, name = key.rpartition(".")
    prefix = f"{table}{dot}"
    names = list(
        dict.fromkeys(
            other.removeprefix(prefix).partition(".")[0]
            for other in FIELDS
            if other.startswith(prefix)
        )
    )
    near = get_close_matches(name, names, n=1)
    hint = f"did you mean {prefix}{near[0]}?" if near else f"allowed: {', '.join(names)}"
    return Problem(key, None, f"there is no such key; {hint}")


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """The tables of ``values`` by key."""
    tables: dict[str, Any] = {}
    for key, value in values.items():
        table, _, name = key.rpartition(".")
        inner = tables.setdefault(table, {}) if table else tables
        inner[name] = list(value) if isinstance(value, tuple) else value
    return tables
