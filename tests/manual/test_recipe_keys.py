"""The table of keys: made from the records, complete."""

from __future__ import annotations

from tests.manual import recipe_keys
from zwizard.recipe.fields import FIELDS


def test_the_table_has_a_row_for_every_key() -> None:
    rows = recipe_keys.key_table().splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == list(FIELDS)
    by_key = dict(zip(FIELDS, rows, strict=True))
    assert "source.kind = rootfs" in by_key["source.repair"]
    assert "target = vm or image" in by_key["kernel.file"]
    assert "source.distro = arch" in by_key["source.keys"]
