"""The pages of the manual: complete, linked, and equal to what the records generate."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.manual.generate import PAGES, page
from zwizard import manual
from zwizard.recipe.relevance import SOURCES, TARGETS
from zwizard.util.errors import UsageError

ROOT = Path(__file__).parents[2]
_LINK = re.compile(r"\]\(([^)#]+)")


@pytest.mark.parametrize("name", manual.topics())
def test_the_generated_parts_of_a_page_are_current(name: str) -> None:
    path = PAGES / f"{name}.md"
    assert path.read_text("utf-8") == page(path), "run `make manual`"


def test_the_index_lists_every_page() -> None:
    listed = re.findall(r"\]\((\S+)\.md\)", manual.topic("index"))
    assert sorted(["index", *listed]) == sorted(manual.topics())


@pytest.mark.parametrize("name", manual.topics())
def test_every_link_between_pages_leads_somewhere(name: str) -> None:
    for link in _LINK.findall(manual.topic(name)):
        assert "://" in link or (PAGES / link).exists()


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_links_to_files_lead_somewhere(name: str) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", (ROOT / name).read_text("utf-8"))
    for link in links:
        assert "://" in link or (ROOT / link).exists()


def test_an_unknown_page_is_an_error_that_lists_the_pages() -> None:
    with pytest.raises(UsageError, match="recipes") as caught:
        manual.topic("recipes")
    assert "'recipe'" in caught.value.hint
    assert all(name in caught.value.hint for name in manual.topics())


@pytest.mark.parametrize("name", manual.topics())
def test_a_page_fits_a_terminal(name: str) -> None:
    lines = manual.text(name, 72).splitlines()
    assert all(len(line) <= 72 or line.startswith("    ") for line in lines if " " in line.strip())
    assert "generated:" not in "\n".join(lines)


def test_the_readme_has_the_sources_and_targets_of_the_records() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    rows = (
        readme.partition("## Sources and targets\n")[2].split("\n##")[0].strip().splitlines()[2:]
    )
    ticks = [["✓" in cell for cell in row.split("|")[2:5]] for row in rows]
    assert ticks == [[target in made for target in TARGETS] for made in SOURCES.values()]


def test_every_file_that_the_architecture_names_exists() -> None:
    names = re.findall(r"`([\w/]+\.py)`", manual.topic("architecture"))
    assert len(names) > 10
    assert all((ROOT / "zwizard" / name).exists() or "/" not in name for name in names)


def test_the_architecture_lists_every_folder() -> None:
    listed = re.findall(r"^\| `(\w+)` \|", manual.topic("architecture"), re.MULTILINE)
    folders = [path.parent.name for path in (ROOT / "zwizard").glob("*/__init__.py")]
    assert sorted(listed) == sorted(folders)


def test_every_file_that_contributing_names_exists() -> None:
    names = re.findall(
        r"`((?:zwizard|scripts|tests)/[\w/.]+)`", (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    )
    assert len(names) > 10
    assert all((ROOT / name).exists() for name in names)
