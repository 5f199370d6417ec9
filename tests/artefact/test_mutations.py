"""Artefacts with bytes changed at random: our own errors at most, and in bounded time."""

from __future__ import annotations

import contextlib
import gzip
import io
import tempfile
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.artefact.composed import MICROCODE, PACKERS, bzimage, elf, initramfs, tarred, vm_tree
from zwizard.artefact import UnreadableError, open_view
from zwizard.artefact.initramfs import read_initramfs
from zwizard.artefact.kernel import KernelError, extract, read_kernel, verify

bounded = settings(
    max_examples=60, deadline=5000, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
changes = st.lists(
    st.tuples(
        st.floats(0, 1, exclude_max=True),
        st.one_of(st.binary(min_size=1, max_size=12), st.integers(-3000, -1)),
    ),
    min_size=1,
    max_size=4,
)


def mutated(data: bytes, edits: list[tuple[float, bytes | int]]) -> bytes:
    """``data`` with bytes overwritten, or a run of them (a negative number) cut out."""
    for share, edit in edits:
        place = int(len(data) * share)
        if isinstance(edit, bytes):
            data = data[:place] + edit + data[place + len(edit) :]
        else:
            data = data[:place] + data[place - edit :]
    return data


@cache
def good_tar() -> bytes:
    with tempfile.TemporaryDirectory() as place:
        return tarred(vm_tree(Path(place) / "root"))


def survives(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    try:
        view = open_view(path)
    except UnreadableError:
        return
    with view:
        for entry in view.entries():
            view.resolve(entry.path)
        for name in ("/boot/vmlinuz", "/boot/initrd.img", "/sbin/init", "/etc/hosts"):
            with contextlib.suppress(UnreadableError):
                view.read(name, 1 << 20)


@bounded
@given(edits=changes)
def test_gzip(tmp_path: Path, edits: list[tuple[float, bytes | int]]) -> None:
    survives(tmp_path / "a.tar.gz", mutated(gzip.compress(good_tar(), 1, mtime=0), edits))


@bounded
@given(edits=changes)
def test_tar(tmp_path: Path, edits: list[tuple[float, bytes | int]]) -> None:
    survives(tmp_path / "a.tar.gz", gzip.compress(mutated(good_tar(), edits), 1))


@pytest.mark.parametrize("form", PACKERS)
@settings(bounded, max_examples=20)
@given(edits=changes)
def test_bzimage(form: str, edits: list[tuple[float, bytes | int]]) -> None:
    data = mutated(bzimage(PACKERS[form](elf())), edits)
    read_kernel(io.BytesIO(data))
    with contextlib.suppress(KernelError):
        verify(extract(data))


@bounded
@given(edits=changes)
def test_elf(edits: list[tuple[float, bytes | int]]) -> None:
    read_kernel(io.BytesIO(mutated(elf(configuration="CONFIG_X=y"), edits)))


@settings(bounded, max_examples=200)
@given(head=st.binary(min_size=60, max_size=60), rest=st.binary(max_size=300))
def test_elf_of_any_headers(head: bytes, rest: bytes) -> None:
    read_kernel(io.BytesIO(b"\x7fELF\x02\x01" + head[:12] + b"\x3e\x00" + head[12:] + rest))


@pytest.mark.parametrize("form", ["", *PACKERS])
@settings(bounded, max_examples=20)
@given(edits=changes)
def test_initramfs(form: str, edits: list[tuple[float, bytes | int]]) -> None:
    body = PACKERS[form](initramfs()) if form else initramfs()
    read_initramfs(io.BytesIO(mutated(MICROCODE[:2048] + body, edits)))
    read_initramfs(io.BytesIO(mutated(body, edits)))
