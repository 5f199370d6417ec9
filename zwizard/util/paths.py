"""Where zwizard keeps builds, layers, preferences and the draft; atomic writes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import platformdirs


def state() -> Path:
    """Builds and the draft (XDG_STATE_HOME moves it)."""
    return platformdirs.user_state_path("zwizard")


def cache() -> Path:
    """Layers and downloads (XDG_CACHE_HOME moves it)."""
    return platformdirs.user_cache_path("zwizard")


def preferences() -> Path:
    """The user's preferences (XDG_CONFIG_HOME moves it)."""
    return platformdirs.user_config_path("zwizard") / "preferences.toml"


def draft() -> Path:
    """The draft: answers that are not built yet."""
    return state() / "draft.json"


def numbered(name: str) -> Iterator[str]:
    """``name``, ``name-2``, ``name-3`` and so on, to find one that is free."""
    yield name
    for number in count(2):
        yield f"{name}-{number}"


def write_atomically(path: Path, text: str, *, lasting: bool = True) -> None:
    """Write ``text`` so that ``path`` holds either what it held or all of ``text``.

    ``lasting``: not before it is on the disk, where it outlives a power cut.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            if lasting:
                os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)  # it is still there only if something failed
