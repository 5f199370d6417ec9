"""Output from rules and reports: explanations, the table, Markdown and HTML."""

from __future__ import annotations

import tarfile
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.manual.rules import rules_table
from tests.support.trees import archive, member, vm_tree
from zwizard.checks import (
    all_rules,
    check,
    check_name,
    explain_rule,
    find_rule,
    list_rules,
    render_html,
    render_markdown,
    write_report,
)
from zwizard.recipe.fields import FIELDS
from zwizard.util.errors import UsageError
from zwizard.wizard.questions import all_questions

HOSTILE = "<script>alert(1)</script>`` ` ](http://x) \x1b[2J\u202e"


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    return archive(
        tmp_path / "a.tar.gz",
        member("boot/vmlinuz", tarfile.SYMTYPE, f"/{HOSTILE}"),
        member(f"/{HOSTILE}"),
    )


class Tags(HTMLParser):
    """The tags of a page, that they are closed, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_every_rule_is_explained_from_its_record() -> None:
    for rule in all_rules():
        shown = explain_rule(rule.slug)
        for text in (rule.slug, rule.title, rule.source, rule.fix, rule.severity.value):
            assert text in shown
    assert "should; must for C" in explain_rule("resolv-conf")
    assert "after     kernel-elf must pass first" in explain_rule("kernel-pvh")
    with pytest.raises(UsageError, match="no rule named 'kernel-elv'") as caught:
        explain_rule("kernel-elv")
    assert caught.value.hint == "Did you mean kernel-elf?"


def test_the_table_has_a_row_of_five_cells_for_every_rule() -> None:
    rows = rules_table().splitlines()
    assert len(rows) == len(all_rules()) + 2
    for row, rule in zip(rows[2:], all_rules(), strict=True):
        assert row.startswith(f"| `{rule.slug}` | ")
        assert row.replace("\\|", "").count("|") == 6
    assert "| `resolv-conf` | should; must for C | * |" in rules_table()
    assert "| `fstab` | should | VR |" in rules_table()


def test_the_list_for_a_terminal_has_a_line_for_every_rule() -> None:
    lines = list_rules().splitlines()
    for line, rule in zip(lines, all_rules(), strict=False):
        assert line.split()[1:3] == [rule.severity.value, rule.slug]
        assert len(line) <= 110
    assert lines[-1].startswith("C container")


def test_keys_of_rules_are_keys_of_the_recipe() -> None:
    for rule in all_rules():
        for key in rule.keys:
            FIELDS[key]  # raises for what is no key
    assert {q.key for q in all_questions()} & set(find_rule("initrd-virtiofs").keys)


def test_markdown_shows_errors_first_with_their_fixes(tmp_path: Path) -> None:
    root = vm_tree(tmp_path / "image")
    (root / "boot/vmlinuz").unlink()
    page = render_markdown(check(root, mode="vm"))
    headings = [line for line in page.splitlines() if line.startswith("## ")]
    assert headings == [
        "## Errors",
        "## Consequences",
        "## Passed",
        "## Not applicable",
    ]
    assert "  - Then 1" in page
    assert "Not ready: 2 errors" in page
    assert "  - Fix: Make /boot/vmlinuz the kernel" in page


def test_markup_in_an_image_is_escaped_in_markdown(hostile: Path) -> None:
    page = render_markdown(check(hostile, mode="vm"))
    assert not set(page) & set("\x1b\u202e")
    line = next(line for line in page.splitlines() if "archive-paths" in line)
    assert "``` /<script>" in line  # inside a fence longer than any in it
    assert line.endswith("```")


def test_markup_in_an_image_is_escaped_in_html(hostile: Path) -> None:
    page = render_html(check(hostile, mode="vm"))
    tags = Tags(page)
    assert tags.open == []
    assert "script" not in tags.seen
    assert "<script>alert(1)</script>" in tags.text
    assert not set(page) & set("\x1b\u202e")
    assert not tags.attributes & {"src", "href", "style", "onload", "srcset"}
    for rule in all_rules():
        assert rule.slug in tags.text


def test_the_suffix_selects_the_format_of_a_report(hostile: Path, tmp_path: Path) -> None:
    report = check(hostile, mode="vm")
    write_report(report, tmp_path / "report.md")
    write_report(report, tmp_path / "report.HTML")
    assert (tmp_path / "report.md").read_text() == render_markdown(report)
    assert (tmp_path / "report.HTML").read_text() == render_html(report)
    with pytest.raises(UsageError, match=r"report\.pdf"):
        check_name(tmp_path / "report.pdf")
    with pytest.raises(UsageError, match=r"no directory .*/nowhere"):
        write_report(report, tmp_path / "nowhere/report.md")
