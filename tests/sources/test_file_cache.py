"""The cache of what was read from files: once, until the file changes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from zwizard.sources.file_cache import FileCache


def test_a_file_is_read_once_for_each_purpose_until_it_changes(tmp_path: Path) -> None:
    file, cache, read = tmp_path / "file", FileCache[str](8), list[str]()

    def get(purpose: str) -> str:
        def read_text(path: Path) -> str:
            read.append(purpose)
            return path.read_text()

        return cache.get(purpose, file, read_text)

    file.write_text("one")
    assert not cache.has("a", file)
    assert [get("a"), get("a"), get("b")] == ["one"] * 3
    assert read == ["a", "b"]
    assert cache.has("a", file)
    file.write_text("other")
    os.utime(file, ns=(1, 1))
    assert not cache.has("a", file)
    assert get("a") == "other"


def test_the_oldest_goes_and_a_failure_is_not_kept(tmp_path: Path) -> None:
    cache = FileCache[str](2)
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text(name)
        cache.get("x", tmp_path / name, Path.read_text)
    assert [cache.has("x", tmp_path / name) for name in ("a", "b", "c")] == [False, True, True]
    with pytest.raises(FileNotFoundError):
        cache.get("x", tmp_path / "none", Path.read_text)
    with pytest.raises(ZeroDivisionError):
        cache.get("x", tmp_path / "a", lambda _: str(1 / 0))
    assert cache.get("x", tmp_path / "a", Path.read_text) == "a"
