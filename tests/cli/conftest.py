"""A recipe and a build for the tests of the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.builds import new_build
from zwizard.engine.builds import Build


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    file = tmp_path / "web.toml"
    file.write_text('name = "web"\n')
    return file


@pytest.fixture
def build(tmp_path: Path) -> Build:
    return new_build("web", tmp_path)
