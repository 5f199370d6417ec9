"""The manual: its pages are the Markdown files beside this module."""

from difflib import get_close_matches
from importlib import resources

from zwizard.manual.render import render
from zwizard.util.errors import UsageError


def topics() -> tuple[str, ...]:
    """The names of the pages, the index first."""
    files = resources.files("zwizard.manual").iterdir()
    names = (file.name.removesuffix(".md") for file in files if file.name.endswith(".md"))
    return tuple(sorted(names, key=lambda name: (name != "index", name)))


def topic(name: str) -> str:
    """The page called ``name``, in Markdown; UsageError for an unknown name."""
    if name not in topics():
        near = get_close_matches(name, topics(), n=1)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        raise UsageError(
            f"the manual has no page {name!r}", f"{hint}Pages: {', '.join(topics())}."
        )
    return resources.files("zwizard.manual").joinpath(f"{name}.md").read_text("utf-8")


def text(name: str, width: int = 80) -> str:
    """The page called ``name``, as plain text for a terminal of ``width`` columns."""
    return render(topic(name), width)
