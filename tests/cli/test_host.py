"""The commands clean, doctor and completion."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.builds import new_build, running
from tests.support.command import Run, refused
from zwizard.engine.builds import Build
from zwizard.host import tools
from zwizard.plan.targets import make


def test_clean_without_layers_frees_nothing(run: Run) -> None:
    assert run("clean") == (0, "0 layers removed, 0 Bytes freed\n", "")
    assert run("clean", "--json") == (
        0,
        '{\n "schema": 1,\n "layers": 0,\n "bytes": 0\n}\n',
        "",
    )


def test_clean_removes_only_layers_that_no_build_uses(run: Run, build: Build) -> None:
    from zwizard.engine.requirements import store_of
    from zwizard.host.privileges import find_privilege

    allowed = find_privilege()
    if allowed.mode in {"sudo", "none"}:
        pytest.skip("needs a allowed to clean that asks for nothing")
    layers = store_of(allowed).directory
    used = make(build.recipe()).fingerprints()[0]
    for name in (used, "f" * 32, ".work-gone"):
        (layers / name / "tree").mkdir(parents=True)
        (layers / name / "tree/file").write_text("x" * 5000)
    code, out, _ = run("clean", "--json")
    freed = json.loads(out)
    assert (code, freed["layers"]) == (0, 1)
    assert freed["bytes"] >= 10_000
    assert [path.name for path in layers.iterdir()] == [used]
    with running(build):
        refused(run("clean", "--all"), "running now: web", "zwizard cancel")
    assert "1 layers removed" in run("clean", "--all")[1]
    assert list(layers.iterdir()) == []


def test_doctor_lists_the_programs_and_how_builds_run(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, _ = run("doctor", "--json")
    result = json.loads(out)
    assert set(result) == {
        "schema", "privilege", "description", "remedy", "shared_network", "tools", "missing",
        "install",
    }  # fmt: skip
    assert code == (1 if result["missing"] else 0)
    assert result["tools"]["bash"].endswith("/bash")
    monkeypatch.setattr(tools, "PATH", "/nowhere")
    code, out, _ = run("doctor")
    assert code == 1
    assert "✗ missing  mmdebstrap" in out
    assert "Builds run as:" in out
    assert "To install: install: base64, bash, bwrap" in out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_is_printed_for_each_shell(run: Run, shell: str) -> None:
    code, out, _ = run("completion", shell)
    assert code == 0
    assert f"_ZWIZARD_COMPLETE={shell}_complete" in out


def test_the_bash_completion_is_valid_bash(run: Run) -> None:
    script = run("completion", "bash")[1]
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def test_commands_and_builds_are_completed(build: Build, tmp_path: Path) -> None:
    new_build("other", tmp_path)

    def complete(*words: str) -> list[str]:
        environment = os.environ | {
            "_ZWIZARD_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(("zwizard", *words)),
            "COMP_CWORD": str(len(words)),
        }
        done = subprocess.run(
            [sys.executable, "-m", "zwizard"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return [line.partition(",")[2] for line in done.stdout.splitlines()]

    assert complete("re") == ["resume", "repair"]
    assert complete("show", "w") == ["web"]
