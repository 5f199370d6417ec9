"""Where the root file system of an image comes from: a file for each kind (recipe/relevance).

``cloud-image`` is in cloud_image.py, and so on; what each becomes is one table there.
"""

from importlib import import_module
from typing import cast

from zwizard.sources.base import SourceKind


def of(kind: str) -> SourceKind:
    """The record of a kind of source, as recipes name it."""
    module = import_module(f"{__name__}.{kind.replace('-', '_')}")
    return cast("SourceKind", module.SOURCE)
