"""A report as a page: Markdown, or HTML in one file."""

import html
from collections.abc import Callable, Iterator
from pathlib import Path

from zwizard.checks.report.report import MARKS, Finding, Group, Report, others_follow, summary
from zwizard.util import user_files
from zwizard.util.errors import UsageError, ZwizardError
from zwizard.util.text import one_line


def render_markdown(report: Report) -> str:
    """The report in Markdown; nothing in the image can act as markup."""
    lines = [f"# {_plain(report.artefact)}", ""]
    lines += [f"{_plain(report.mode.words.capitalize())}: **{_plain(summary(report))}**"]
    for heading, findings in _sections(report):
        lines += ["", f"## {heading}", ""]
        for finding in findings:
            lines += _item(finding, report.following(finding))
    return "\n".join(lines) + "\n"


def _sections(report: Report) -> Iterator[tuple[str, tuple[Finding, ...]]]:
    """The headings under which there is something, errors first."""
    for group in Group:
        if found := report.under(group):
            yield group.heading, found


def _item(finding: Finding, following: tuple[str, ...]) -> list[str]:
    mark = MARKS[finding.outcome]
    lines = [f"- {mark} **{_plain(finding.rule.title)}** `{finding.slug}`: {_code(finding)}"]
    if finding.wrong:
        lines.append(f"  - Fix: {_plain(finding.fix)}")
        lines.append(f"  - Source: {_plain(finding.rule.source)}")
    if following:
        lines.append(f"  - Then {_plain(others_follow(following))}")
    return lines


def _code(finding: Finding) -> str:
    """Evidence as code, between more backticks than it has in a row."""
    text = one_line(finding.evidence)
    fence = "`"
    while fence in text:
        fence += "`"
    inner = f" {text} " if len(fence) > 1 or text.startswith(" ") else text
    return f"{fence}{inner}{fence}"


def _plain(text: str) -> str:
    return "".join(f"\\{c}" if c in r"\`*_[]<>#|!" else c for c in one_line(text))


_STYLE = """\
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color: #1b1f24; background: #fff }
h1 { font-size: 1.4rem; overflow-wrap: anywhere } h2 { font-size: 1.1rem; margin-top: 2rem }
.ready { color: #11692a } .not-ready { color: #a40e26 }
li { margin: .6rem 0; list-style: none } ul { padding: 0 }
code { background: #f0f2f5; padding: .1em .3em; border-radius: 3px; overflow-wrap: anywhere }
.slug { color: #57606a; font-size: .85em } dl { margin: .2rem 0 0 1.6rem } dt { float: left;
  clear: left; width: 5rem; color: #57606a } dd { margin-left: 5.5rem }
@media (prefers-color-scheme: dark) { body { color: #e6e9ed; background: #14171b }
  code { background: #262b31 } .slug, dt { color: #9aa4af } .ready { color: #5bd07c }
  .not-ready { color: #ff8a94 } }
"""


def render_html(report: Report) -> str:
    """The report as one HTML file: no script, nothing fetched, everything escaped."""
    verdict = "ready" if report.ready else "not-ready"
    name = _escaped(report.artefact)
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\';'
        " style-src 'unsafe-inline'\">",
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{name}</title>\n<style>\n{_STYLE}</style>\n</head>\n<body>",
        f"<h1>{name}</h1>",
        f'<p>{_escaped(report.mode.words.capitalize())}: <strong class="{verdict}">'
        f"{_escaped(summary(report))}</strong></p>",
    ]
    for heading, findings in _sections(report):
        parts.append(f"<h2>{_escaped(heading)}</h2>\n<ul>")
        parts += [_element(finding, report.following(finding)) for finding in findings]
        parts.append("</ul>")
    return "\n".join([*parts, "</body>\n</html>"]) + "\n"


def _element(finding: Finding, following: tuple[str, ...]) -> str:
    title = f"{MARKS[finding.outcome]} <strong>{_escaped(finding.rule.title)}</strong>"
    rows = [("found", f"<code>{_escaped(finding.evidence)}</code>")]
    if finding.wrong:
        rows += [("fix", _escaped(finding.fix)), ("source", _escaped(finding.rule.source))]
    rows += [("then", _escaped(others_follow(following)))] if following else []
    shown = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in rows)
    return f'<li>{title} <span class="slug">{finding.slug}</span><dl>{shown}</dl></li>'


def _escaped(text: str) -> str:
    return html.escape(one_line(text))


_FORMS: dict[str, Callable[[Report], str]] = {".md": render_markdown, ".html": render_html}


def check_name(path: Path | str) -> None:
    """Raise UsageError unless a report can be written under the name of ``path``."""
    if not Path(path).parent.is_dir():
        raise UsageError(f"there is no directory {Path(path).parent}", "Choose another path.")
    if Path(path).suffix.lower() not in _FORMS:
        raise UsageError(
            f"a report cannot be written as {Path(path).name}",
            "Its name must end in .md or .html.",
        )


def write_report(report: Report, path: Path | str) -> None:
    """Write ``report`` to ``path``, as Markdown or HTML by its ending; raises ZwizardError.

    It replaces only a file that zwizard wrote, or that the user let it replace.
    """
    check_name(path)
    path = Path(path)
    try:
        user_files.here().write(path, _FORMS[path.suffix.lower()](report))
    except OSError as error:
        raise ZwizardError(
            f"{path} could not be written: {error.strerror}", "Choose another path."
        ) from error
