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
from zwizard.jobs import lock
from zwizard.util import manifest
from zwizard.util.errors import ZwizardError

PRINT = "0123456789abcdef" * 2


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "layers").mkdir()
    return Store(tmp_path / "layers")


def make(
    store: Store,
    fingerprint: str = PRINT,
    text: str = "made",
    made: float = 1.0,
    below: float = 0.0,
) -> Layer:
    """Make and commit a layer, as a step does."""
    work = store.work("build") / "layer"
    (work / "tree").mkdir(parents=True)
    (work / "tree" / "file").write_text(text)
    layer = new_layer(fingerprint, "bootstrap", work / "tree", whole=True, since=0.0)
    layer = replace(layer, made=made, below=below)
    store.commit(work, layer)
    discard(store.work("build"))
    return layer


def write_manifest(store: Store, layer: Layer) -> None:
    manifest.write(store.tree(layer.fingerprint), store.manifest(layer.fingerprint))


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
    write_manifest(store, make(store, PRINT))
    store.sync()
    make(store, "e" * 32)
    store.sync()  # without a manifest it is not marked
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
    write_manifest(store, make(store))
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


# --- which layers count --------------------------------------------------------------------------

A, B, C = "a" * 32, "b" * 32, "c" * 32


def test_a_layer_counts_only_on_the_very_layer_that_it_was_made_on(store: Store) -> None:
    make(store, A, made=1.0)
    make(store, B, made=2.0, below=1.0)
    make(store, C, made=3.0, below=2.0)
    assert [layer.fingerprint for layer in store.chain([A, B, C])] == [A, B, C]
    store.remove(A)
    assert store.chain([A, B, C]) == []
    make(store, A, made=4.0)  # made again, perhaps from other packages
    assert [layer.fingerprint for layer in store.chain([A, B, C])] == [A]


def test_a_file_in_the_place_of_a_layer_gives_way(store: Store) -> None:
    store.path(A).write_text("no layer")
    assert store.record_damage(A) == "its record is missing or damaged"
    make(store, A)
    assert store.get(A) is not None
    assert {path.name for path in store.directory.iterdir()} == {A, ".work"}


def test_a_layer_without_a_manifest_is_one_whose_maker_was_killed_only_before_it_is_synced(
    store: Store,
) -> None:
    write_manifest(store, make(store))
    assert not store.has_no_manifest_yet(PRINT)
    store.manifest(PRINT).unlink()
    assert store.has_no_manifest_yet(PRINT)
    (store.path(PRINT) / "synced").touch()
    assert not store.has_no_manifest_yet(PRINT)
    assert store.damage(PRINT, whole=False) == "its manifest is damaged"


SUM = "11" * 32


@pytest.mark.parametrize(
    ("kept", "intact"),
    [(None, True), (SUM.encode(), False), (b"", False), (SUM.encode("utf-16"), False)],
)
def test_an_archive_is_damaged_only_if_its_sum_is_another(
    store: Store, kept: bytes | None, *, intact: bool
) -> None:
    assert store.damage(A, whole=True) == "its contents are missing"
    store.path(A).mkdir()
    store.archive(A).write_bytes(b"packed")
    if kept is not None:
        store.sum_file(A).write_bytes(kept)
    assert (store.damage(A, whole=True) == "") is intact
    store.sum_file(A).unlink(missing_ok=True)
    store.sum_file(A).mkdir()
    assert store.damage(A, whole=True)


# --- two at once ---------------------------------------------------------------------------------


def test_who_makes_a_layer_is_waited_for_and_named(store: Store) -> None:
    maker = store.lock(A)
    assert maker is not None
    os.write(maker, b"web")
    with pytest.raises(ZwizardError, match="web is making a layer"), store.using([B, A]):
        pass
    assert store.lock(A, shared=True) is None
    holders: list[str] = []

    def end_the_maker(holder: str) -> None:
        holders.append(holder)
        os.close(maker)  # as the kernel does if it is killed

    os.close(store.wait_for_lock(A, end_the_maker))
    assert holders == ["web"]


def test_a_layer_in_use_is_not_locked_alone_and_the_name_of_a_killed_maker_is_forgotten(
    store: Store,
) -> None:
    maker = store.lock(A)
    assert maker is not None
    os.write(maker, b"web")
    os.close(maker)
    with store.using([A]), store.using([A]):
        assert store.lock(A) is None
        assert store.lock_file(A).read_text() == ""
    alone = store.lock(A)
    assert alone is not None
    lock.share(alone)
    with store.using([A]):
        os.close(alone)
        assert store.lock(A) is None


def test_a_lock_whose_file_was_removed_meanwhile_is_taken_on_the_new_file(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[int] = []
    real = os.open

    def open_and_lose(path: str | Path, flags: int, mode: int = 0o777) -> int:
        opened.append(real(path, flags, mode))
        if len(opened) == 1:
            Path(path).unlink()
        return opened[-1]

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", open_and_lose)
        held = store.lock(A)
    assert held == opened[1]
    assert store.lock(A) is None
