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
from zwizard.engine.layers import DOWNLOADS, Store, new_layer
from zwizard.engine.requirements import store_of
from zwizard.host import tools
from zwizard.host.privileges import find_privilege
from zwizard.jobs import lock
from zwizard.plan.targets import make
from zwizard.util import manifest


def test_clean_without_layers_frees_nothing(run: Run) -> None:
    assert run("clean") == (0, "0 layers removed, 0 Bytes freed\n", "")
    assert run("clean", "--json") == (
        0,
        '{\n "schema": 1,\n "layers": 0,\n "bytes": 0,\n "in_use": 0\n}\n',
        "",
    )


@pytest.mark.slow
def test_clean_removes_only_layers_that_no_build_uses(
    run: Run, build: Build, store: Store
) -> None:
    layers = store.directory
    used = make(build.recipe()).fingerprints()[0]
    for name in (used, "f" * 32, ".work-gone"):
        (layers / name / "tree").mkdir(parents=True)
        (layers / name / "tree/file").write_text("x" * 5000)
    code, out, _ = run("clean", "--json")
    freed = json.loads(out)
    assert (code, freed["layers"]) == (0, 1)
    assert freed["bytes"] >= 10_000
    assert layer_names(layers) == [used]
    with running(build):
        refused(run("clean", "--all"), "running now: web", "zwizard cancel")
    assert "1 layers removed" in run("clean", "--all")[1]
    assert layer_names(layers) == []


def layer_names(layers: Path) -> list[str]:
    return sorted(p.name for p in layers.iterdir() if p.name not in {".locks", ".work"})


@pytest.mark.slow
def test_clean_keeps_what_a_build_a_shell_or_a_boot_test_uses(run: Run, store: Store) -> None:
    for name in ("e" * 32, "f" * 32):
        (store.path(name) / "tree").mkdir(parents=True)
    store.work("other-12345678").mkdir(parents=True)
    work = lock.acquire(store.work("other-12345678"))
    downloads = store.lock(DOWNLOADS, shared=True)
    (store.directory / DOWNLOADS).mkdir()
    with store.using(["e" * 32]):
        code, out, _ = run("clean", "--all")
        assert (code, out.partition(" removed")[0]) == (0, "1 layers")
        assert out.endswith("freed; 1 in use are kept\n")
        assert layer_names(store.directory) == [DOWNLOADS, "e" * 32]
        assert store.work("other-12345678").exists()
    assert work is not None
    assert downloads is not None
    os.close(work)
    os.close(downloads)
    run("clean", "--all")
    assert layer_names(store.directory) == []
    assert list((store.directory / ".locks").iterdir()) == []
    assert list((store.directory / ".work").iterdir()) == []


@pytest.mark.slow
def test_verify_cache_removes_what_is_damaged_and_names_it(run: Run, store: Store) -> None:
    assert run("verify-cache") == (0, "0 layers, 0 damaged\n", "")
    for name in ("e" * 32, "f" * 32):
        work = store.work("build")
        (work / "tree").mkdir(parents=True)
        (work / "tree/file").write_text("made")
        store.commit(work, new_layer(name, "bootstrap", work / "tree", whole=True, since=0.0))
        manifest.write(store.tree(name), store.manifest(name))
    assert run("verify-cache") == (0, "2 layers, 0 damaged\n", "")
    moment = (store.tree("e" * 32) / "file").stat().st_mtime
    (store.tree("e" * 32) / "file").write_text("mAde")
    os.utime(store.tree("e" * 32) / "file", (moment, moment))
    code, out, _ = run("verify-cache", "--json")
    assert (code, json.loads(out)["damaged"]) == (1, [["bootstrap", "./file has other contents"]])
    assert layer_names(store.directory) == ["f" * 32]


@pytest.fixture
def store() -> Store:
    privilege = find_privilege()
    if privilege.mode in {"sudo", "none"}:
        pytest.skip("needs a privilege that asks for nothing")
    found = store_of(privilege)
    found.directory.mkdir(parents=True)
    return found


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


@pytest.mark.slow
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
