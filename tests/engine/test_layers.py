"""Layers: there whole or not at all, across kills, crashes of the machine, and copies."""

from __future__ import annotations

import ctypes
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from zwizard.engine import layers
from zwizard.engine.layers import Layer, Store, boot_id, discard, disk_usage, new_layer

PRINT = "0123456789abcdef" * 2


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "layers").mkdir()
    return Store(tmp_path / "layers")


def make(store: Store, fingerprint: str = PRINT, text: str = "made", made: float = 1.0) -> Layer:
    """Make and commit a layer, as a step does."""
    work = store.work("build") / "layer"
    (work / "tree").mkdir(parents=True)
    (work / "tree" / "file").write_text(text)
    layer = new_layer(fingerprint, "bootstrap", work / "tree", whole=True, since=0.0)
    store.commit(work, replace(layer, made=made))
    discard(store.work("build"))
    return replace(layer, made=made)


def test_a_layer_is_found_by_its_fingerprint_as_it_was_made(store: Store) -> None:
    layer = make(store)
    assert store.get(PRINT) == layer
    assert (store.tree(PRINT) / "file").read_text() == "made"
    assert store.get("f" * 32) is None


def test_nothing_of_a_layer_is_there_before_it_is_finished(store: Store) -> None:
    (store.work("build") / "layer/tree").mkdir(parents=True)
    assert store.get(PRINT) is None
    assert store.all() == []
    assert not store.path(PRINT).exists()


@pytest.mark.parametrize("record", ["", "{", "[]", "{}", '{"fingerprint": "x"}', '{"x": 1}', "\0"])
def test_a_layer_whose_record_is_torn_is_none(store: Store, record: str) -> None:
    make(store)
    (store.path(PRINT) / "layer.json").write_text(record)
    assert store.get(PRINT) is None
    assert store.all() == []


def test_a_layer_of_an_earlier_boot_counts_only_if_it_had_reached_the_disk(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(store, PRINT)
    store.sync()
    make(store, "e" * 32)
    monkeypatch.setattr(layers, "boot_id", lambda: "another boot")
    assert store.get(PRINT) is not None
    assert store.get("e" * 32) is None
    assert [layer.fingerprint for layer in store.all()] == [PRINT]


def test_an_unsynced_layer_is_rebuilt_in_place(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(store, text="half of it")
    monkeypatch.setattr(layers, "boot_id", lambda: "another boot")
    make(store, text="whole")
    assert (store.tree(PRINT) / "file").read_text() == "whole"
    assert store.get(PRINT) is not None


def test_of_two_that_finish_the_same_layer_the_first_stays(store: Store) -> None:
    make(store, text="first")
    make(store, text="second")
    assert (store.tree(PRINT) / "file").read_text() == "first"
    assert {path.name for path in store.directory.iterdir()} == {PRINT, ".work"}


def test_layers_are_on_the_disk_before_they_are_marked_so(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(store)
    synced: list[tuple[Path, bool]] = []

    class Libc:
        def syncfs(self, descriptor: int) -> int:
            marked = (store.path(PRINT) / "synced").exists()
            synced.append((Path(f"/proc/self/fd/{descriptor}").readlink(), marked))
            return 0

    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: Libc())
    store.sync()
    assert synced == [(store.directory, False)]
    assert (store.path(PRINT) / "synced").exists()
    store.sync()
    assert len(synced) == 1


def test_syncing_what_is_not_there_marks_nothing(store: Store) -> None:
    store.sync()
    assert not store.path(PRINT).exists()


def test_all_layers_come_oldest_first_and_work_in_progress_is_none_of_them(store: Store) -> None:
    make(store, "b" * 32, made=2.0)
    make(store, "a" * 32, made=1.0)
    store.work("other").mkdir(parents=True)
    assert [layer.fingerprint[0] for layer in store.all()] == ["a", "b"]


def test_a_store_that_is_not_there_yet_is_empty(tmp_path: Path) -> None:
    assert Store(tmp_path / "none").all() == []


def test_a_removed_layer_is_gone_with_all_it_held(store: Store) -> None:
    make(store)
    store.remove(PRINT)
    store.remove(PRINT)
    assert store.all() == []
    assert [path.name for path in store.directory.iterdir()] == [".work"]


def test_the_record_tells_the_size_on_disk_as_du_does(store: Store) -> None:
    work = store.work("build")
    (work / "deep/er").mkdir(parents=True)
    (work / "deep/er/file").write_bytes(b"x" * 100_000)
    (work / "link").symlink_to("/usr")
    with (work / "sparse").open("wb") as sparse:
        sparse.truncate(2**30)
    du = subprocess.run(["du", "-s", "-B1", str(work)], capture_output=True, text=True, check=True)
    assert disk_usage(work) == int(du.stdout.split()[0])
    assert disk_usage(work) < 2**20


def test_the_boot_is_the_kernels(store: Store) -> None:
    assert boot_id() == make(store).boot
    assert len(boot_id()) == 36


def test_discarding_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/file").write_text("kept")
    (tmp_path / "work").mkdir()
    (tmp_path / "work/link").symlink_to(tmp_path / "precious")
    discard(tmp_path / "work")
    discard(tmp_path / "work")
    assert os.listdir(tmp_path) == ["precious"]  # noqa: PTH208
    assert (tmp_path / "precious/file").read_text() == "kept"
