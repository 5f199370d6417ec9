"""The program, a recipe and a build for the tests of the command line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.builds import new_build
from tests.support.command import Run
from zwizard.__main__ import main
from zwizard.engine.builds import Build


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs ``zwizard`` with these arguments: exit code, standard output, standard error."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["zwizard", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        output = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, output.out, output.err

    return run


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    file = tmp_path / "web.toml"
    file.write_text('name = "web"\n')
    return file


@pytest.fixture
def build(tmp_path: Path) -> Build:
    return new_build("web", tmp_path)
