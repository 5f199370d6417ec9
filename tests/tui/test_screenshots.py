"""The pictures in screenshots/ are up to date and load nothing."""

from __future__ import annotations

import html
import re
import subprocess
import sys
from pathlib import Path

import pytest

SCREENSHOTS = Path(__file__).parents[2] / "screenshots"


def shown(picture: Path) -> list[str]:
    """The lines of a picture, without colours and changing ids."""
    lines: dict[str, str] = {}
    for y, text in re.findall(r'<text[^>]* y="([^"]*)"[^>]*>(.*?)</text>', picture.read_text()):
        lines[y] = lines.get(y, "") + html.unescape(text).replace("\xa0", " ")
    return [line.rstrip() for line in lines.values()]


@pytest.mark.slow  # draws nine pictures
@pytest.mark.painted
def test_every_picture_is_up_to_date(tmp_path: Path) -> None:
    script = SCREENSHOTS / "make.py"
    made = subprocess.run([sys.executable, script, tmp_path], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    pictures = sorted(SCREENSHOTS.glob("*.svg"))
    assert [p.name for p in sorted(tmp_path.glob("*.svg"))] == [p.name for p in pictures]
    for picture in pictures:
        assert shown(tmp_path / picture.name) == shown(picture), (
            f"{picture.name}: make screenshots"
        )


def test_no_picture_loads_anything() -> None:
    for picture in SCREENSHOTS.glob("*.svg"):
        assert not re.findall(r"@font-face|url\((?!#)|href=\"http", picture.read_text())


def test_no_picture_names_a_place_that_is_gone() -> None:
    """As the message of an error does."""
    for picture in SCREENSHOTS.glob("*.svg"):
        assert "/tmp/" not in "\n".join(shown(picture))
