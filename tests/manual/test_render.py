"""Markdown as plain text."""

from __future__ import annotations

from zwizard.manual.render import render


def test_a_heading_is_underlined() -> None:
    assert render("# One\n\n## Two\n", 80) == "One\n===\n\nTwo\n---\n"


def test_a_paragraph_is_wrapped_without_its_marks() -> None:
    assert render("A **b** *c* `d*e` [f](f.md)\n[g](https://g.example) 2 * 3 * 4\n", 40) == (
        "A b c d*e f g (https://g.example) 2 * 3\n* 4\n"
    )


def test_the_items_of_a_list_are_indented_when_wrapped() -> None:
    assert render("- one two\n  three\n- four\n", 10) == "- one two\n  three\n- four\n"


def test_code_is_indented_and_never_wrapped() -> None:
    assert render("```sh\na  b # c | d\n\ne\n```\n", 5) == "    a  b # c | d\n\n    e\n"


def test_a_narrow_table_is_aligned() -> None:
    assert render("| a | b |\n|---|---|\n| `cc` | d \\| e |\n", 80) == "a   b\ncc  d | e\n"


def test_the_last_column_of_a_table_is_wrapped() -> None:
    table = "| a | b |\n|---|---|\n| c | one two three four five six seven eight |\n| d | |\n"
    assert render(table, 34) == ("a  b\nc  one two three four five six\n   seven eight\nd\n")


def test_a_wide_table_becomes_a_paragraph_for_each_row() -> None:
    table = "| a | b | c |\n|---|---|---|\n| one | two three | |\n"
    assert render(table, 12) == "one\n  b: two\n    three\n"


def test_comments_are_left_out() -> None:
    assert render("a\n\n<!-- generated: x -->\n\nb\n\n<!-- end -->\n", 80) == "a\n\nb\n"
