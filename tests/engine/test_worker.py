"""The worker: the environment of commands, and how an archive is made durable and checked."""

from __future__ import annotations

import gzip
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.builds import new_build
from zwizard.engine.layers import Store, new_layer
from zwizard.engine.sandbox import environment
from zwizard.engine.worker import Worker
from zwizard.jobs import events, journal
from zwizard.plan.targets import make
from zwizard.recipe.model import Recipe
from zwizard.steps import render
from zwizard.steps.actions import Host
from zwizard.steps.step import Step
from zwizard.util.errors import ZwizardError
from zwizard.util.user_files import ForeignFileError

SUM = "11" * 32
PACKED = gzip.compress(bytes(10240))  # an empty tar
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
    store = Store(tmp_path)
    store.path(SUM).mkdir()
    store.archive(SUM).write_bytes(b"packed")
    order: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: order.append(_name_of(descriptor)))
    store.keep_sum(SUM, SUM)
    assert order[0] == "archive.tar.gz"
    assert store.sum_file(SUM).read_text() == SUM
    store.keep_sum(SUM, SUM)  # it is known already
    assert order.count("archive.tar.gz") == 1
    with pytest.raises(ZwizardError, match="is not the packed one"):
        store.keep_sum(SUM, "22" * 32)


def _name_of(descriptor: int) -> str:
    return Path(f"/proc/self/fd/{descriptor}").readlink().name


@pytest.fixture
def delivery(tmp_path: Path) -> tuple[Worker, Path]:
    """A worker at its last task, and the packed archive that it delivers."""
    build, store = new_build("web", tmp_path), Store(tmp_path / "layers")
    packed = store.archive("a" * 32)
    packed.parent.mkdir(parents=True)
    packed.write_bytes(PACKED)
    at_work = Worker(build, make(build.recipe()), store, tmp_path / "step", rebuild_all=False)
    return at_work, packed


def test_a_delivered_archive_shares_no_inode_with_the_cache(
    delivery: tuple[Worker, Path],
) -> None:
    at_work, packed = delivery
    at_work._deliver("a" * 32)
    archive = at_work.build.archive()
    assert archive.read_bytes() == PACKED
    assert not archive.samefile(packed)
    assert (archive.stat().st_nlink, packed.stat().st_nlink) == (1, 1)
    assert not list(archive.parent.glob(".*"))


def test_an_archive_that_is_there_already_is_not_written_again(
    delivery: tuple[Worker, Path],
) -> None:
    at_work, _ = delivery
    at_work._deliver("a" * 32)
    inode = at_work.build.archive().stat().st_ino
    at_work._deliver("a" * 32)
    assert at_work.build.archive().stat().st_ino == inode


def test_a_file_that_appeared_during_the_build_is_kept(delivery: tuple[Worker, Path]) -> None:
    at_work, packed = delivery
    archive = at_work.build.archive()
    archive.write_text("precious")
    with pytest.raises(ForeignFileError, match=str(archive)):
        at_work._deliver("a" * 32)
    assert archive.read_text() == "precious"
    assert packed.exists()
    at_work.build.user_files.allow(archive)
    at_work._deliver("a" * 32)
    assert archive.read_bytes() == PACKED


@pytest.mark.parametrize(
    ("last", "interrupted"),
    [
        (None, False),
        (events.BuildFinished(ready=True), False),
        (events.BuildFailed(error="x"), False),
        (events.BuildCancelled(), False),
        (events.BuildInterrupted(), True),
        (events.StepStarted(step="bootstrap"), True),
    ],
)
def test_all_of_a_layer_is_looked_at_after_a_run_that_was_killed(
    tmp_path: Path, last: events.Event | None, *, interrupted: bool
) -> None:
    build = new_build("web", tmp_path)
    if last:
        journal.append(build.journal, last)
    work = Worker(build, make(build.recipe()), Store(tmp_path), tmp_path / "step", False)
    assert work._was_interrupted() is interrupted


def test_a_layer_whose_maker_was_killed_before_its_manifest_gets_one(tmp_path: Path) -> None:
    build = new_build("web", tmp_path)
    store, first = Store(tmp_path / "layers"), make(build.recipe()).fingerprints()[:1]
    step = store.work("build")
    (step / "tree").mkdir(parents=True)
    store.commit(step, new_layer(first[0], "bootstrap", step / "tree", whole=True, since=0.0))
    work = Worker(build, make(build.recipe()), store, tmp_path / "step", rebuild_all=False)
    with work._beside:
        assert work._find(first) == (store.get(first[0]), "")
    assert store.manifest(first[0]).exists()
    (store.tree(first[0]) / "more").touch()
    assert work._find(first) == (None, "./more was added")


def test_to_rebuild_all_is_to_use_no_layer_older_than_that(tmp_path: Path) -> None:
    build = new_build("web", tmp_path)
    store, first = Store(tmp_path / "layers"), make(build.recipe()).fingerprints()[:1]
    step = store.work("build")
    (step / "tree").mkdir(parents=True)
    layer = new_layer(first[0], "bootstrap", step / "tree", whole=True, since=0.0)
    store.commit(step, layer)
    work = Worker(build, make(build.recipe()), store, tmp_path / "step", rebuild_all=True)
    work._since = layer.made + 1
    assert work._find(first) == (None, "")
    work._since = layer.made - 1  # another build made it meanwhile
    with work._beside:
        assert work._find(first) == (layer, "")
