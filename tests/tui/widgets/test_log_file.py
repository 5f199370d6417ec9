"""The index of a log file: growth, truncation, long lines, text as shown, search."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zwizard.tui.widgets.log_file import LogFile


def open_log(path: Path) -> LogFile:
    log = LogFile(path)
    while log.grow():
        pass
    return log


def test_a_missing_file_has_no_lines_until_it_exists(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "log")
    assert not log.grow()
    assert len(log) == 0
    (tmp_path / "log").write_text("a\n")
    assert log.grow()
    assert len(log) == 1
    log.close()


def test_an_unfinished_line_counts_and_grows(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\ntw")
    log = open_log(path)
    assert [log.line(n) for n in range(len(log))] == ["one", "tw"]
    with path.open("ab") as file:
        file.write(b"o\n")
    assert log.grow()
    assert [log.line(n) for n in range(len(log))] == ["one", "two"]
    assert not log.grow()
    log.close()


def test_a_truncated_log_is_indexed_again(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\ntwo\nthree\n")
    log = open_log(path)
    path.write_bytes(b"new\n")
    assert log.grow()
    assert [log.line(n) for n in range(len(log))] == ["new"]
    log.close()


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"10%\r50%\r99%", "99%"),
        (b"done\r", "done"),
        (b"\x1b[31mred\x1b[0m\x1b]0;title\x07", "red"),
        (b"\x1b[2J\x1b", "\ufffd"),
        (b"caf\xc3\xa9 \xff", "café \ufffd"),
        (b"a\tb", "a       b"),
        (b"\x1b[31ma\x1b[0m\tb", "a       b"),
        (b"ab\x1b[1mcd\x1b[0m\r12", "12"),
        (b"working |\x08/\x08-\x08done", "working done"),
        (b"50%\r" * 10_000 + b"100%", "100%"),
    ],
)
def test_a_line_is_shown_as_on_a_terminal(tmp_path: Path, raw: bytes, shown: str) -> None:
    path = tmp_path / "log"
    path.write_bytes(raw + b"\n")
    log = open_log(path)
    assert log.line(0) == shown
    log.close()


def test_only_the_beginning_of_a_very_long_line_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x" * 5_000_000)
    log = open_log(path)
    assert log.line(0).startswith("xxx")
    assert log.line(0).endswith(f"{5_000_000 - 16 * 1024} bytes more")
    log.close()


@given(lines=st.lists(st.sampled_from(["", "a", "needle", "a needle", "b" * 3000]), max_size=30))
def test_a_search_finds_the_same_lines_as_reading(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    path = tmp_path_factory.mktemp("log") / "log"
    path.write_text("".join(f"{line}\n" for line in lines))
    log = open_log(path)
    hits = [n for n, line in enumerate(lines) if "needle" in line]
    for start in range(len(lines)):
        after = [n for n in hits if n >= start]
        before = [n for n in hits if n <= start]
        assert log.find("needle", start, back=False) == (after[0] if after else None)
        assert log.find("needle", start, back=True) == (before[-1] if before else None)
    log.close()


def test_overwritten_text_is_not_found(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"needle\rgone\nneedle\n")
    log = open_log(path)
    assert log.find("needle", 0, back=False) == 1
    assert log.find("Needle", 0, back=False) is None  # capital letters match only themselves
    assert log.find("NEEDLE".lower(), 1, back=True) == 1
    log.close()


def test_a_large_log_is_indexed_in_parts(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"Setting up a package ...\n" * 100_000)
    log = LogFile(path)
    progress = []
    while log.grow(budget=0):
        progress.append((len(log), log.behind))
    assert progress[0][0] < progress[1][0] < 100_000
    assert progress[0][1]
    assert progress[-1] == (100_000, False)
    assert log.find("absent", 0, back=False) is None
    log.close()
