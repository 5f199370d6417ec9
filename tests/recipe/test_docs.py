"""The table of keys and the JSON Schema: made from the records, complete."""

from __future__ import annotations

from zwizard.recipe import docs
from zwizard.recipe.fields import FIELDS
from zwizard.recipe.relevance import SOURCES


def test_the_table_has_a_row_for_every_key() -> None:
    rows = docs.key_table().splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == list(FIELDS)
    by_key = dict(zip(FIELDS, rows, strict=True))
    assert "source.kind = rootfs" in by_key["source.repair"]
    assert "target = vm or image" in by_key["kernel.file"]
    assert "source.distro = arch" in by_key["source.keys"]


def test_the_schema_has_every_key_with_its_type_and_named_values() -> None:
    properties = docs.json_schema()["properties"]
    assert properties["source"]["properties"]["kind"]["enum"] == list(SOURCES)
    assert properties["grub"]["properties"]["timeout"]["type"] == "integer"
    assert properties["kernel"]["properties"]["modules"]["default"] == ["virtiofs", "virtio_pci"]
    keys = {
        f"{name}.{inner}" if table["type"] == "object" and "properties" in table else name
        for name, table in properties.items()
        for inner in table.get("properties", {"": None})
    }
    assert keys == set(FIELDS)
