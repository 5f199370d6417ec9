"""The worker: the environment of commands, and how an archive is made durable and checked."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.support.builds import new_build
from zwizard import checks
from zwizard.engine import worker
from zwizard.engine.layers import Store
from zwizard.engine.worker import Worker, environment
from zwizard.plan.targets import make
from zwizard.recipe.model import Recipe
from zwizard.steps import render
from zwizard.steps.actions import Host
from zwizard.steps.step import Step
from zwizard.util import state_files

PROXIES = [
    *("http_proxy", "https_proxy", "ftp_proxy", "no_proxy"),
    *("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY"),
]


@pytest.mark.parametrize("name", PROXIES)
def test_a_proxy_of_the_user_reaches_the_commands(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for proxy in PROXIES:
        monkeypatch.delenv(proxy, raising=False)
    monkeypatch.setenv(name, "http://proxy.example:3128")
    plan = make(Recipe())
    expected = {name: "http://proxy.example:3128"} | dict(plan.environment)
    assert environment(plan) == expected


@pytest.mark.parametrize("name", PROXIES)
def test_a_proxy_of_the_user_reaches_the_commands_of_an_exported_script(
    name: str, tmp_path: Path
) -> None:
    plan = replace(make(Recipe()), steps=(Step("env", "Env", ("why",), (Host(("env",)),)),))
    for program, text in {
        "id": "echo 0",
        "unshare": 'while [ "$1" != bash ]; do shift; done\n"$@"',
    }.items():
        (tmp_path / program).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / program).chmod(0o755)
    script = tmp_path / "script"
    script.write_text(render.script(plan))
    variables = {
        "PATH": f"{tmp_path}:/usr/bin:/bin",
        name: "http://proxy.example:3128",
        "SECRET": "1",
    }
    done = subprocess.run(
        ["bash", script, tmp_path / "tree"],
        env=variables,
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"{name}=http://proxy.example:3128" in done.stdout.splitlines()
    assert "SECRET" not in done.stdout


def test_a_packed_archive_is_on_the_disk_before_its_sum_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "archive.tar.gz"
    archive.write_bytes(b"packed")
    order: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: order.append(_name_of(descriptor)))
    worker._sync_and_hash(archive)
    assert order[0] == "archive.tar.gz"
    assert (tmp_path / "sha256").exists()
    worker._sync_and_hash(archive)  # it is known, so that nothing is read again
    assert order.count("archive.tar.gz") == 1


SUM = "11" * 32


@pytest.mark.parametrize(
    ("kept", "intact"),
    [(None, True), (SUM.encode(), False), (b"", False), (SUM.encode("utf-16"), False)],
)
def test_an_archive_is_packed_again_only_if_its_sum_is_another(
    tmp_path: Path, kept: bytes | None, *, intact: bool
) -> None:
    build = new_build("web", tmp_path)
    store = Store(tmp_path / "layers")
    work = Worker(build, make(build.recipe()), store, tmp_path / "step", rebuild_all=False)
    packed = store.archive("a" * 32)
    assert not work._intact("a" * 32)
    packed.parent.mkdir(parents=True)
    packed.write_bytes(b"packed")
    if kept is not None:
        (packed.parent / "sha256").write_bytes(kept)
    assert work._intact("a" * 32) is intact
    (packed.parent / "sha256").unlink(missing_ok=True)
    worker._sync_and_hash(packed)
    assert work._intact("a" * 32)
    (packed.parent / "sha256").unlink()
    (packed.parent / "sha256").mkdir()
    assert not work._intact("a" * 32)


def _name_of(descriptor: int) -> str:
    return Path(f"/proc/self/fd/{descriptor}").readlink().name


def test_a_report_is_used_again_only_for_the_same_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = new_build("web", tmp_path)
    made = make(build.recipe())
    work = Worker(build, made, Store(tmp_path / "layers"), tmp_path / "step", rebuild_all=False)
    checked: list[Path] = []

    def check(path: Path, **_: object) -> object:
        checked.append(path)
        return SimpleNamespace(to_json=lambda: {"number": len(checked)})

    monkeypatch.setattr(checks, "check", check)
    archive = build.archive()
    assert work._report(archive, "a" * 32) == {"number": 1}
    assert work._report(archive, "a" * 32) == {"number": 1}
    assert work._report(archive, "b" * 32) == {"number": 2}
    assert work._report(archive.with_name("other.tar.gz"), "b" * 32) == {"number": 3}
    monkeypatch.setattr(worker, "__version__", "another")
    assert work._report(archive, "b" * 32) == {"number": 4}
    waived = replace(build.recipe(), checklist=replace(build.recipe().checklist, waive=("etc",)))
    state_files.write(build.recipe_file, waived.to_toml())
    assert work._report(archive, "b" * 32) == {"number": 5}
