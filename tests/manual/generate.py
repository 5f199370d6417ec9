"""Write the generated parts of the manual: ``python -m tests.manual.generate``.

A page marks such a part by ``<!-- generated: NAME -->`` and ``<!-- end -->``.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import fields
from pathlib import Path

import click

from tests.manual.recipe_keys import key_table
from tests.manual.rules import rule_sections, rules_table
from zwizard.cli.app import zwizard
from zwizard.host.tools import TOOLS
from zwizard.jobs.events import EVENTS, Last
from zwizard.recipe.relevance import SOURCES, TARGETS
from zwizard.sources import of as record_of

PAGES = Path(__file__).parents[2] / "zwizard/manual"
_MARK = re.compile(r"(<!-- generated: (\w+) -->\n).*?(?=<!-- end -->)", re.DOTALL)


def table(*rows: Iterable[str]) -> str:
    """``rows`` as a Markdown table, the first as its heading."""
    head, *body = ([cell.replace("|", "\\|") for cell in row] for row in rows)
    lines = [head, ["---"] * len(head), *body]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def commands() -> str:
    """Every command with its arguments and options."""
    context = click.Context(zwizard, info_name="zwizard", **zwizard.context_settings)
    parts = []
    for name in zwizard.list_commands(context):
        command = zwizard.get_command(context, name)
        assert command is not None
        inner = click.Context(command, info_name=name, parent=context)
        usage = " ".join(command.collect_usage_pieces(inner)).removeprefix("[OPTIONS] ")
        options = [p.get_help_record(inner) for p in command.params if isinstance(p, click.Option)]
        rows = [(f"`{option}`", text) for option, text in filter(None, options)]
        parts += [f"## zwizard {name} {usage}", *_paragraphs(command.help or "")]
        parts += [table(("option", "what"), *rows)] if rows else []
    return "\n".join(part.rstrip() + "\n" for part in parts)


def _paragraphs(text: str) -> list[str]:
    return [" ".join(part.split()) for part in inspect.cleandoc(text).split("\n\n")]


def programs() -> str:
    """The programs, what for, and their packages."""
    return table(
        ("program", "purpose", "apt", "pacman", "dnf"),
        *(
            (f"`{t.name}`", t.purpose, t.apt, t.package("pacman"), t.package("dnf"))
            for t in TOOLS.values()
        ),
    )


def sources() -> str:
    """Which source becomes which target, and what is done to it."""
    rows = (
        (f"`{kind}`", record_of(kind).title, *(treatments.get(target, "") for target in TARGETS))
        for kind, treatments in SOURCES.items()
    )
    return table(("source.kind", "what", *(f"`{target}`" for target in TARGETS)), *rows)


def events() -> str:
    """Every event with its fields; which ones end a job."""
    return table(
        ("event", "ends the job", "fields", "meaning"),
        *(
            (
                f"`{name}`",
                "yes" if issubclass(event, Last) else "",
                ", ".join(f"`{item.name}`" for item in fields(event) if item.name != "at"),
                " ".join((event.__doc__ or "").replace("``", "`").split()),
            )
            for name, event in EVENTS.items()
            if event.__module__ == Last.__module__  # not of a test
        ),
    )


GENERATED: dict[str, Callable[[], str]] = {
    "commands": commands,
    "events": events,
    "programs": programs,
    "recipe": key_table,
    "rules": rules_table,
    "explained": rule_sections,
    "sources": sources,
}


def page(path: Path) -> str:
    """The page at ``path`` with its generated parts as they should be now."""
    return _MARK.sub(lambda mark: f"{mark[1]}\n{GENERATED[mark[2]]()}\n", path.read_text("utf-8"))


def main() -> None:
    """Rewrite every page whose generated parts differ."""
    for path in sorted(PAGES.glob("*.md")):
        text = page(path)
        if text != path.read_text("utf-8"):
            path.write_text(text, "utf-8")
            print(path)


if __name__ == "__main__":
    main()
