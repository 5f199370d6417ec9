"""The table of a recipe's keys, in Markdown, for the manual."""

from __future__ import annotations

from zwizard.recipe.fields import FIELDS, Field
from zwizard.recipe.relevance import SOURCES, TARGETS
from zwizard.recipe.values import OneOf


def key_table() -> str:
    """Every key: its default, what it is, and where it means something, as a Markdown table."""
    rows = [
        ("key", "default", "what", "only for"),
        ("---", "---", "---", "---"),
        *(
            (f"`{field.key}`", f"`{_toml(field.default)}`", _what(field), _code(str(field.use)))
            for field in FIELDS.values()
        ),
    ]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in rows)


def _named(field: Field) -> tuple[str, ...]:
    """The values that are allowed, where they are a list."""
    if isinstance(field.check, OneOf):
        return field.check.values
    return {"source.kind": tuple(SOURCES), "target": TARGETS}.get(field.key, ())


def _what(field: Field) -> str:
    about = f": {field.about}" if field.about else ""
    values = " · ".join(f"`{value}`" for value in _named(field))
    return f"{field.title}{about}{f' ({values})' if values else ''}"


def _toml(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        return "{}"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _code(text: str) -> str:
    return f"`{text}`" if text else ""
