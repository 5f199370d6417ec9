"""The keys of a recipe for people and for editors: a table in Markdown, and a JSON Schema."""

from __future__ import annotations

from typing import Any

from zwizard.recipe.fields import FIELDS, Field
from zwizard.recipe.relevance import SOURCES, TARGETS
from zwizard.recipe.toml import nested
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


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a recipe: keys, types, defaults and named values."""
    tables = nested({key: _schema(field) for key, field in FIELDS.items()})
    properties = {
        name: inner if "type" in inner else _object(inner) for name, inner in tables.items()
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_object(properties)}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


_TYPES: dict[type, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    tuple: {"type": "array", "items": {"type": "string"}},
    dict: {"type": "object", "additionalProperties": {"type": "string"}},
}


def _schema(field: Field) -> dict[str, Any]:
    named = {"enum": list(allowed)} if (allowed := _named(field)) else {}
    default = list(field.default) if isinstance(field.default, tuple) else field.default
    return {"title": field.title, **_TYPES[type(field.default)], **named, "default": default}


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
