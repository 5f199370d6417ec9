"""The checklist of one image: what blocks, what bites later, what holds, each with its reason."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import OptionList, Static

from zwizard.engine.builds import Build
from zwizard.errors import UsageError, ZwizardError
from zwizard.text import one_line, size
from zwizard.tui.background import in_background
from zwizard.tui.screens.base import View
from zwizard.tui.show import MUTED, block, fit, join, plain
from zwizard.tui.widgets.rows import Row, Rows


@dataclass(frozen=True)
class Judged:
    """One rule's finding as the screen shows it. Texts are raw."""

    slug: str
    title: str
    severity: str
    outcome: str
    evidence: str
    source: str
    fix: str
    waived: bool

    @property
    def group(self) -> str:
        """The heading it belongs under."""
        if self.outcome == "pass":
            return "holds"
        if self.outcome == "n/a":
            return "n/a"
        return "waived" if self.waived else self.severity


@dataclass(frozen=True)
class Sheet:
    """A report as the screen shows it."""

    artefact: str
    mode: str
    ready: bool
    findings: tuple[Judged, ...]

    def under(self, group: str) -> tuple[Judged, ...]:
        """The findings of one group."""
        return tuple(found for found in self.findings if found.group == group)


_GROUPS = (
    ("must", "✗", "Blocks: it will not work", "$text-error"),
    ("should", "!", "Bites later", "$text-warning"),
    ("advice", "i", "Worth knowing", "$text-accent"),
    ("waived", "~", "Accepted as it is (waived)", MUTED),
    ("holds", "✓", "Holds", "$text-success"),
    ("n/a", "–", "Does not apply", MUTED),
)
_FOLDED = {"holds", "n/a"}  # at first
_WORDS = {
    "fail": "fails",
    "unknown": "could not be told",
    "pass": "holds",
    "n/a": "does not apply",
}


class Findings(Rows):
    """The findings."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "select", "Open")]
    HELP = (
        "The rules by what they came to. Below: what was found, what Zero-OS or the document says,"
        " and the remedy. Enter on a group opens or folds it."
    )


class Checking(View[None]):
    """A report: of a build, or of any file, read while the screen is shown."""

    HELP = "The checklist. What blocks comes first; an image is ready when nothing blocks it."

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "app.focus_next", "Detail", show=False),
        Binding("b", "build", "Steps and log", tooltip="The build it came from"),
        Binding("q,escape,f2", "leave", "Back"),
    ]

    def __init__(self, subject: Build | Path) -> None:
        super().__init__()
        self.subject = subject
        self.sheet: Sheet | None = None
        self._open_groups: set[str] = set()
        self._leaving = threading.Event()

    def content(self) -> ComposeResult:
        """Verdict, findings, detail."""
        with Horizontal(classes="top"):
            yield Static(id="artefact", classes="title", markup=False)
            yield Static(id="verdict", markup=False)
        yield Findings(id="findings")
        with VerticalScroll(id="detail"):
            yield Static(id="detail-text", markup=False)

    def on_mount(self) -> None:
        """Read the report, or make it."""
        name = self.subject.id if isinstance(self.subject, Build) else str(self.subject)
        self.query_one("#artefact", Static).update(plain(name))
        self.query_one("#verdict", Static).update(Content.styled("reading …", MUTED))
        self.query_one(Findings).focus()
        self.read()

    def on_unmount(self) -> None:
        """A check that is still reading stops."""
        self._leaving.set()

    @work(exclusive=True, group="read")
    async def read(self) -> None:
        """Show the report."""
        subject = self.subject
        try:
            if isinstance(subject, Build):
                self.sheet = await in_background(lambda: of_build(subject))
            else:
                self.sheet = await in_background(lambda: self._check(subject))
        except (ZwizardError, OSError) as error:
            self.query_one("#verdict", Static).update("cannot be checked")
            hint = getattr(error, "hint", "")
            said = [block(str(error), "$text-error"), block(hint)]
            self.query_one("#detail-text", Static).update(Content("\n").join(said))
            return
        self._show(self.sheet)

    def _check(self, path: Path) -> Sheet:
        from zwizard import checklist

        def progress(done: int, of: int) -> None:
            if self._leaving.is_set():
                raise UsageError("not wanted any more")
            self.app.call_later(self._progress, done, of)

        return sheet(checklist.check(path, progress=progress).to_json())

    def _progress(self, done: int, of: int) -> None:
        if self.sheet is None and self.is_attached and of:
            said = f"reading … {100 * done // of} % of {size(of)}"
            self.query_one("#verdict", Static).update(Content.styled(said, MUTED))

    # --- showing ---

    def _show(self, shown: Sheet) -> None:
        self.query_one("#artefact", Static).update(plain(Path(shown.artefact).name))
        self.query_one("#verdict", Static).update(_verdict(shown))
        rows = []
        for group, glyph, title, style in _GROUPS:
            found = shown.under(group)
            if not found:
                continue
            folded = group in _FOLDED and group not in self._open_groups
            head = f"{glyph} {title} ({len(found)}){' …' if folded else ''}"
            rows.append(Row(f"group:{group}", Content.styled(head, f"bold {style}")))
            if not folded:
                rows += [Row(f"rule:{f.slug}", _row(f, glyph, style)) for f in found]
        listed = self.query_one(Findings)
        listed.show(rows, prefer=next((r.id for r in rows if r.id.startswith("rule:")), ""))
        self._explain()

    @on(OptionList.OptionHighlighted)
    def _explain(self) -> None:
        if self.sheet is None:
            return
        kind, _, name = self.query_one(Findings).current.partition(":")
        if kind == "rule":
            found = next(f for f in self.sheet.findings if f.slug == name)
            said = _detail(found)
        else:
            said = _about(self.sheet)
        self.query_one("#detail-text", Static).update(said)
        self.query_one("#detail", VerticalScroll).scroll_home(animate=False)

    @on(OptionList.OptionSelected)
    def _toggle(self, event: OptionList.OptionSelected) -> None:
        kind, _, name = (event.option_id or "").partition(":")
        if kind == "group" and name in _FOLDED and self.sheet:
            self._open_groups ^= {name}
            self._show(self.sheet)
        elif kind == "rule":
            self.query_one("#detail").focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Only a build's own checklist has a build."""
        return action != "build" or isinstance(self.subject, Build)

    def action_build(self) -> None:
        """The build it came from."""
        if isinstance(self.subject, Build):
            self.zwizard.show_build(self.subject)

    def action_leave(self) -> None:
        """Back to where one came from."""
        self.dismiss()


def of_build(build: Build) -> Sheet:
    """The report that a build left; ZwizardError if it left none that can be read."""
    try:
        return sheet(json.loads(build.report_file.read_text("utf-8"))["report"])
    except (ValueError, KeyError, TypeError) as error:
        raise ZwizardError(
            f"{build.report_file} is not a report: {error}", "Build it again: r on its screen."
        ) from None


def sheet(report: dict[str, Any]) -> Sheet:
    """A report's JSON as what the screen shows."""
    from zwizard import checklist

    titles = {rule.slug: rule.title for rule in checklist.RULES}
    findings = tuple(
        Judged(
            slug=found["rule"],
            title=titles.get(found["rule"], found["rule"]),
            severity=found["severity"],
            outcome=found["outcome"],
            evidence=found["evidence"],
            source=found["source"],
            fix=found["fix"],
            waived=bool(found.get("waived")),
        )
        for found in report["findings"]
    )
    return Sheet(report["artefact"], report["mode"], bool(report["ready"]), findings)


def _verdict(shown: Sheet) -> Content:
    blocks = len(shown.under("must"))
    if shown.ready:
        verdict = Content.styled("✓ READY", "bold $text-success")
    else:
        verdict = Content.styled(f"✗ NOT READY: {blocks} block", "bold $text-error")
    return join(Content.styled(shown.mode, MUTED), verdict, between=" · ")


def _row(found: Judged, glyph: str, style: str) -> Content:
    sign = "?" if found.outcome == "unknown" else glyph
    slug = plain(fit(found.slug, 24))
    evidence = found.evidence or found.title
    return Content.assemble("  ", (sign, style), " ", slug, "  ", plain(evidence, MUTED))


def _detail(found: Judged) -> Content:
    parts = [
        Content.assemble(
            plain(found.title, "bold"), (f"  {found.severity}, {_WORDS[found.outcome]}", MUTED)
        ),
        Content.assemble(("Found    ", MUTED), block(found.evidence)),
    ]
    if found.fix:
        parts.append(Content.assemble(("Do       ", MUTED), block(found.fix)))
    parts.append(Content.assemble(("Because  ", MUTED), block(found.source)))
    return Content("\n").join(parts)


def _about(shown: Sheet) -> Content:
    counts = [f"{len(shown.under(g))} {t.lower()}" for g, _, t, _ in _GROUPS if shown.under(g)]
    said = (
        "Nothing blocks it: Zero-OS can start this image."
        if shown.ready
        else "Mend what blocks, then check again."
    )
    lines = [
        Content.styled(said, "bold"),
        plain(one_line(shown.artefact), MUTED),
        plain("; ".join(counts), MUTED),
    ]
    return Content("\n").join(lines)
