"""Markdown as plain text for a terminal: headings, paragraphs, lists, tables and code."""

import re
import textwrap
from collections.abc import Iterator

_LINK = re.compile(r"!?\[([^]]*)\]\(([^)]*)\)")
_ITEM = re.compile(r"(\s*)([-*]|\d+\.) ")
_ESCAPE = re.compile(r"\\([\\`*_\[\]<>|])")
_EMPHASIS = re.compile(r"(?<![\w*\\])(\*\*?)(?=[^\s*])([^*]+)\1(?!\w)")
_NARROWEST = 30  # columns of text worth wrapping in a table
_RULE = re.compile(r"[|\s:-]+")


def render(markdown: str, width: int) -> str:
    """``markdown`` as text of at most ``width`` columns, where words allow it."""
    blocks = (_block(kind, lines, width) for kind, lines in _blocks(markdown))
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _blocks(markdown: str) -> Iterator[tuple[str, list[str]]]:
    """The blocks of a page: ``code``, ``table``, ``heading``, ``list`` or ``text``, with lines."""
    for number, part in enumerate(re.split(r"^```\w*\n", markdown, flags=re.MULTILINE)):
        if number % 2:
            yield "code", part.rstrip("\n").split("\n")
            continue
        visible = re.sub(r"<!--.*?-->\n?", "", part, flags=re.DOTALL)
        for paragraph in re.split(r"\n\s*\n", visible):
            if lines := [line for line in paragraph.split("\n") if line.strip()]:
                yield _kind(lines[0]), lines


def _kind(line: str) -> str:
    if line.startswith("#"):
        return "heading"
    if line.startswith("|"):
        return "table"
    return "list" if _ITEM.match(line) else "text"


def _block(kind: str, lines: list[str], width: int) -> list[str]:
    match kind:
        case "code":
            return [f"    {line}".rstrip() for line in lines]
        case "heading":
            title = _plain(lines[0].lstrip("# "))
            return [title, ("=" if lines[0].startswith("# ") else "-") * len(title)]
        case "table":
            return _table(lines, width)
        case "list":
            return [line for item in _items(lines) for line in _fold(_plain(item), width, "  ")]
        case _:
            return _fold(_plain(" ".join(line.strip() for line in lines)), width)


def _items(lines: list[str]) -> Iterator[str]:
    """The items of a list, a line each, with the indent and mark of their first lines."""
    item = ""
    for line in lines:
        if _ITEM.match(line) and item:
            yield item
            item = line
        else:
            item = f"{item} {line.strip()}" if item else line
    yield item


def _table(lines: list[str], width: int) -> list[str]:
    """Columns, the last one wrapped; a paragraph for each row where too little is left for it."""
    rows = [_cells(line) for line in lines if not _RULE.fullmatch(line)]
    sizes = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    left = width - sum(sizes) - 2 * len(sizes)
    if left < min(_NARROWEST, max(len(row[-1]) for row in rows)):
        head, *body = rows
        return [line for row in body for line in _row(head, row, width)]
    text = []
    for *cells, last in rows:
        start = "".join(f"{cell:<{size}}  " for cell, size in zip(cells, sizes, strict=True))
        text += _fold(last, width, " " * len(start), start) or [start]
    return [line.rstrip() for line in text]


def _row(head: list[str], row: list[str], width: int) -> list[str]:
    """A row of a wide table: its first cell, and below it the others with their headings."""
    named = (
        f"{title}: {cell}" if title else cell
        for title, cell in zip(head[1:], row[1:], strict=True)
        if cell
    )
    return [row[0], *(line for text in named for line in _fold(text, width, "    ", "  "))]


def _cells(line: str) -> list[str]:
    return [_plain(cell.strip()) for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


def _plain(text: str) -> str:
    """``text`` without its marks for links, emphasis and code."""
    linked = _LINK.sub(lambda m: m[1] if m[2].endswith(".md") else f"{m[1]} ({m[2]})", text)
    parts = re.split(r"(`[^`]*`)", linked)
    return "".join(
        part.strip("`") if number % 2 else _ESCAPE.sub(r"\1", _EMPHASIS.sub(r"\2", part))
        for number, part in enumerate(parts)
    )


def _fold(text: str, width: int, hang: str = "", indent: str = "") -> list[str]:
    return textwrap.wrap(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=hang,
        break_long_words=False,
        break_on_hyphens=False,
    )
