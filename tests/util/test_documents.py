"""The JSON that commands print."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.builds import end, new_build
from tests.support.command import Run
from zwizard.util.documents import SCHEMA, document


def test_a_document_begins_with_its_schema() -> None:
    assert document({"a": "é"}, indent=None) == '{"schema": 1, "a": "\\u00e9"}'


@pytest.mark.parametrize(
    "command",
    ["list", "show web", "doctor", "clean", "check tree", "plan web.toml", "resume web"],
)
def test_everything_that_a_command_prints_as_json_has_a_schema(
    command: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = new_build("web", tmp_path)
    end(build)
    (tmp_path / "web.toml").write_text('name = "web"\n')
    (tmp_path / "tree").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("zwizard.jobs.supervisor.start", lambda *_, **__: None)
    out = run(*command.split(), "--json")[1]
    parts = out.splitlines() if command.startswith("resume") else [out]
    assert [json.loads(part)["schema"] for part in parts] == [SCHEMA] * len(parts)
