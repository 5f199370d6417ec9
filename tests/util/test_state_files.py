"""A file that zwizard wrote is read back as it was written, or is damaged."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from zwizard.util import state_files
from zwizard.util.state_files import DamagedError

TEXT = 'name = "web"\n[source]\nsuite = "trixie"\n# end, sha256 0\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "state/file"
    state_files.write(path, TEXT)
    return path


def test_a_text_is_read_as_it_was_written(file: Path) -> None:
    assert state_files.read(file, "") == TEXT
    state_files.write(file, "")
    assert state_files.read(file, "") == ""


def test_a_text_that_is_cut_anywhere_is_damaged(file: Path) -> None:
    whole = file.read_bytes()
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        with pytest.raises(DamagedError, match="cut"):
            state_files.read(file, "")


def test_a_text_that_is_changed_or_goes_on_is_damaged(file: Path) -> None:
    whole = file.read_text()
    for text in (whole.replace("web", "wob"), whole + "more", whole.replace("256 ", "256 0")):
        file.write_text(text)
        with pytest.raises(DamagedError, match="its sum is another"):
            state_files.read(file, "")


def test_a_document_that_is_cut_anywhere_is_damaged(file: Path) -> None:
    whole = b'{"a": {"b": "c"}, "d": [1]}'
    file.write_bytes(whole)
    assert state_files.read_json(file, "") == {"a": {"b": "c"}, "d": [1]}
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        with pytest.raises(DamagedError):
            state_files.read_json(file, "")
    file.write_bytes(b"[1]")
    with pytest.raises(DamagedError, match="no JSON object"):
        state_files.read_json(file, "")


def link(path: Path) -> None:
    path.symlink_to(path.with_name("elsewhere"))
    path.with_name("elsewhere").write_text(TEXT)


ODD: list[tuple[str, Callable[[Path], object]]] = [
    ("it is missing", lambda path: None),
    ("it is a directory", Path.mkdir),
    ("it is a link", link),
    ("it is a link", lambda path: path.symlink_to("nowhere")),
    ("it is no file", os.mkfifo),
    ("it is not UTF-8", lambda path: path.write_bytes(TEXT.encode("utf-16"))),
]


@pytest.mark.parametrize("read", [state_files.read, state_files.read_json])
@pytest.mark.parametrize(("why", "put"), ODD, ids=[f"{n}" for n in range(len(ODD))])
def test_what_stands_in_its_place_is_named_with_the_path_and_what_to_do(
    file: Path,
    why: str,
    put: Callable[[Path], object],
    read: Callable[[Path, str], object],
) -> None:
    file.unlink()
    put(file)
    with pytest.raises(DamagedError) as caught:
        read(file, "Do this.")
    assert caught.value.message.startswith(f"{file} is damaged: {why}")
    assert (caught.value.hint, caught.value.exit_code) == ("Do this.", 2)
