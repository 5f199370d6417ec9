"""JSON documents for other programs: each names the version of its layout."""

import json
from collections.abc import Mapping
from typing import Any

SCHEMA = 1  # changes whenever a key is renamed or removed, or means something else


def document(data: Mapping[str, Any], indent: int | None = 1) -> str:
    """``data`` as a JSON object with ``schema`` first; in one line if ``indent`` is None."""
    return json.dumps({"schema": SCHEMA, **data}, indent=indent)
