"""Artefacts with bytes changed at random: only our own errors, in bounded time and memory."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support import disks, fuzz_targets
from tests.support.fuzz_targets import Edit, edits
from tests.support.limits import TooLongError, TooMuchError, bounds
from zwizard.image.executables.kernel import read_kernel

pytestmark = pytest.mark.slow

bounded = settings(
    max_examples=15,
    deadline=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # `make fuzz` goes on where these end


@pytest.fixture(scope="module", autouse=True)
def _shared() -> Iterator[None]:
    disks.need_tools()
    yield
    fuzz_targets.forget()


@pytest.mark.parametrize("name", [name for name in fuzz_targets.NAMES if name != "disk"])
def test_a_changed_input_is_accepted_or_refused(name: str, tmp_path: Path) -> None:
    target = fuzz_targets.target(name)

    @bounded
    @given(changes=edits)
    def takes(changes: list[Edit]) -> None:
        target.run(tmp_path, changes)

    takes()


@settings(bounded, max_examples=200)
@given(head=st.binary(min_size=60, max_size=60), rest=st.binary(max_size=300))
def test_elf_of_any_headers(head: bytes, rest: bytes) -> None:
    read_kernel(io.BytesIO(b"\x7fELF\x02\x01" + head[:12] + b"\x3e\x00" + head[12:] + rest))


def endless() -> None:
    while True:
        pass


def test_excessive_time_or_memory_is_reported() -> None:
    with pytest.raises(TooLongError), bounds(seconds=0.05):
        endless()
    with pytest.raises(TooMuchError), bounds():
        bytearray(300 << 20)
