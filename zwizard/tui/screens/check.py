"""The checklist of one image: what blocks, what bites later, what holds, each with its reason."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Input, OptionList, Static

from zwizard.boottest import records
from zwizard.boottest.records import BootTestRecord
from zwizard.engine import builds, status
from zwizard.engine.builds import Build
from zwizard.tui.background import in_background
from zwizard.tui.format import MUTED, block, fit, join, plain
from zwizard.tui.navigation import question_of
from zwizard.tui.screens.base import BaseScreen
from zwizard.tui.screens.dialogs import Ask, AskPath, Option, Reader, copy
from zwizard.tui.widgets.inputs import OrderedInput
from zwizard.tui.widgets.stable_list import Row, StableList
from zwizard.util.errors import UsageError, ZwizardError
from zwizard.util.text import one_line, parse_size, size
from zwizard.wizard import questions

if TYPE_CHECKING:
    from zwizard.checks import Finding, Report
    from zwizard.engine.repair import Remedy
    from zwizard.wizard.questions import Question

# The checklist is imported by what needs it, off the interface's thread: it brings much along.

_GROUPS = (
    ("ERROR", "✗", "Blocks: it will not work", "$text-error"),
    ("WARNING", "!", "Bites later", "$text-warning"),
    ("NOTE", "i", "Worth knowing", "$text-accent"),
    ("NOT_CHECKED", "?", "Could not be told", "$text-warning"),
    ("WAIVED", "~", "Accepted as it is (waived)", MUTED),
    ("PASSED", "✓", "Holds", "$text-success"),
    ("NOT_APPLICABLE", "–", "Does not apply", MUTED),
)
_FOLDED = {"PASSED", "NOT_APPLICABLE"}  # at first
_WORDS = {
    "fail": "fails",
    "unknown": "could not be told",
    "pass": "holds",
    "n/a": "does not apply",
}
_EVERY = "a"
_FILTERS: dict[str, tuple[str, Callable[[Finding], bool]]] = {
    _EVERY: ("every rule", lambda _: True),
    "w": ("what is wrong", lambda found: found.wrong),
    "m": ("must: without it the image does not work", lambda f: f.severity.value == "must"),
    "s": ("should: it works, and bites later", lambda f: f.severity.value == "should"),
    "d": ("advice: worth knowing", lambda found: found.severity.value == "advice"),
    "u": ("what could not be told", lambda found: found.outcome.value == "unknown"),
    "h": ("what holds", lambda found: found.outcome.value == "pass"),
    "n": ("what does not apply", lambda found: found.outcome.value == "n/a"),
}


class Findings(StableList):
    """The findings."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "select", "Open")]
    HELP = (
        "The rules by what they came to. Below: what was found, the document's sentence or the"
        " fact behind the rule, and the remedy. Enter on a group opens or folds it, on a rule it"
        " goes to the text below, where the arrows scroll."
    )


class Detail(VerticalScroll):
    """One finding, whole."""

    HELP = "The finding that is highlighted above, whole; the arrows scroll, Tab goes back."


class Search(OrderedInput):
    """What the findings shown have to hold."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "app.focus_next", "To the list", key_display="↓")
    ]
    HELP = (
        "Type a word: only the rules that have it are shown, in their names, in what was found, in"
        " the reasons or in the remedies. Enter goes to the list, Esc shows all again."
    )


class CheckScreen(BaseScreen[None]):
    """A report: of a build, or of any file, read while the screen is shown."""

    TOPIC = "rules"
    HELP = "The checklist. What blocks comes first; an image is ready when nothing blocks it."

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "app.focus_next", "Detail", show=False),
        Binding("slash", "search", "Search", tooltip="Show only the rules that have a word"),
        Binding("f", "filter", "Filter", tooltip="Show only some: by severity, or by outcome"),
        Binding("a", "change", "Change answer", tooltip="To the question that decides this rule"),
        Binding("w", "waive", "Waive", tooltip="Accept it as it is, or no longer"),
        Binding("y", "copy", "Copy", tooltip="Copy this finding"),
        Binding("Y", "copy_all", "Copy all", tooltip="Copy the whole report"),
        Binding("e", "export", "Export", tooltip="Save the report as Markdown or as a web page"),
        Binding("m", "mend", "Mend", tooltip="Make a new archive in which this is mended"),
        Binding("r", "again", "Check again", tooltip="Read the file anew"),
        Binding("p", "prove", "Boot it", tooltip="Start it as Zero-OS would: does it come up?"),
        Binding("d", "deploy", "Deploy", tooltip="What a deployment of this container is told"),
        Binding("b", "build", "Steps and log", tooltip="The build it came from"),
        Binding("q,escape,f2", "leave", "Back"),
    ]

    def __init__(self, subject: Build | Path) -> None:
        super().__init__()
        self.subject = subject
        self.report: Report | None = None
        self.tested = False
        self._open_groups: set[str] = set()
        self._filter = _EVERY
        self._leaving = threading.Event()

    def content(self) -> ComposeResult:
        """Verdict, what is shown of it, findings, detail."""
        with Horizontal(classes="top"):
            yield Static(id="artefact", classes="title", markup=False)
            yield Static(id="verdict", markup=False)
        yield Search(placeholder="look for …", id="search", compact=True)
        yield Static(id="shown", classes="muted", markup=False)
        yield Findings(id="findings")
        with Detail(id="detail"):
            yield Static(id="detail-text", markup=False)

    def on_mount(self) -> None:
        """Read the report, or make it."""
        name = self.subject.id if isinstance(self.subject, Build) else str(self.subject)
        self.query_one("#artefact", Static).update(plain(name))
        self.query_one(Search).display = self.query_one("#shown").display = False
        self.query_one(Findings).focus()
        self.read()

    def on_unmount(self) -> None:
        """A check that is still reading stops."""
        self._leaving.set()

    @work(exclusive=True, group="read")
    async def read(self) -> None:
        """Show the report."""
        self.report = None
        self.query_one("#verdict", Static).update(Content.styled("reading …", MUTED))
        subject = self.subject
        try:
            if isinstance(subject, Build):
                self.report = await in_background(lambda: of_build(subject))
            else:
                self.report = await in_background(lambda: self._check(subject))
        except (ZwizardError, OSError) as error:
            self.query_one("#verdict", Static).update("cannot be checked")
            hint = getattr(error, "hint", "")
            said = [block(str(error), "$text-error"), block(hint)]
            self.query_one(Findings).show([])
            self._say(Content("\n").join(said))
            return
        self._show()
        self._look_for_boot_test()

    @on(events.ScreenResume)
    @work(exclusive=True, group="boot-test")
    async def _look_for_boot_test(self) -> None:
        """Show that it is tested, if a boot test passed with exactly these bytes."""
        report, subject = self.report, self.subject
        if report is None or not report.ready:
            return
        record = await in_background(lambda: _boot_test_of(subject))
        self.tested = record is not None and record.passed
        self.query_one("#verdict", Static).update(_verdict(report, tested=self.tested))

    def _check(self, path: Path) -> Report:
        from zwizard import checks

        def progress(done: int, of: int) -> None:
            if self._leaving.is_set():
                raise UsageError("not wanted any more")
            self.app.call_later(self._progress, done, of)

        return checks.check(path, progress=progress)

    def _progress(self, done: int, of: int) -> None:
        if self.report is None and self.is_attached and of:
            said = f"reading … {100 * done // of} % of {size(of)}"
            self.query_one("#verdict", Static).update(Content.styled(said, MUTED))

    # --- showing ---

    def _show(self) -> None:
        report = self.report
        if report is None:
            return
        self.query_one("#artefact", Static).update(plain(Path(report.artefact).name))
        self.query_one("#verdict", Static).update(_verdict(report, tested=self.tested))
        rows = []
        for group, glyph, title, style in _GROUPS:
            found = [f for f in report.findings if f.group.name == group and self._wanted(f)]
            if not found:
                continue
            folded = group in _FOLDED and group not in self._open_groups and not self._narrowed
            head = f"{glyph} {title} ({len(found)}){' …' if folded else ''}"
            rows.append(Row(f"group:{group}", Content.styled(head, f"bold {style}")))
            if not folded:
                rows += [Row(f"rule:{f.slug}", _row(f, glyph, style)) for f in found]
        listed = self.query_one(Findings)
        listed.show(rows, prefer=next((r.id for r in rows if r.id.startswith("rule:")), ""))
        self._tell_shown(report)
        self._explain()
        self.refresh_bindings()

    @property
    def _sought(self) -> str:
        return self.query_one(Search).value.strip().casefold()

    @property
    def _narrowed(self) -> bool:
        return bool(self._sought) or self._filter != _EVERY

    def _wanted(self, found: Finding) -> bool:
        rule = found.rule
        texts = (rule.slug, rule.title, found.evidence, rule.source, found.fix)
        sought = self._sought
        fits = not sought or any(sought in text.casefold() for text in texts)
        return fits and _FILTERS[self._filter][1](found)

    def _tell_shown(self, report: Report) -> None:
        line = self.query_one("#shown", Static)
        line.display = self._narrowed
        count = sum(map(self._wanted, report.findings))
        only = "" if self._filter == _EVERY else f"Only: {_FILTERS[self._filter][0]}. "
        having = f"Having “{self.query_one(Search).value.strip()}”. " if self._sought else ""
        total = len(report.findings)
        line.update(plain(f"{only}{having}{count} of {total} rules; Esc shows all."))

    @property
    def current(self) -> Finding | None:
        """The finding that is highlighted."""
        kind, _, name = self.query_one(Findings).current.partition(":")
        findings = self.report.findings if self.report else ()
        return next((f for f in findings if kind == "rule" and f.slug == name), None)

    @on(OptionList.OptionHighlighted)
    def _explain(self) -> None:
        if self.report is None:
            return
        found = self.current
        self._say(_detail(found) if found else _about(self.report))
        self.refresh_bindings()

    def _say(self, said: Content) -> None:
        self.query_one("#detail-text", Static).update(said)
        self.query_one(Detail).scroll_home(animate=False)

    @on(OptionList.OptionSelected)
    def _toggle(self, event: OptionList.OptionSelected) -> None:
        kind, _, name = (event.option_id or "").partition(":")
        if kind == "group" and name in _FOLDED:
            self._open_groups ^= {name}
            self._show()
        elif kind == "rule":
            self.query_one(Detail).focus()

    # --- narrowing ---

    def action_search(self) -> None:
        """Type a word that the rules have to have."""
        field = self.query_one(Search)
        field.display = True
        field.focus()

    @on(Input.Changed, "#search")
    def _typed(self) -> None:
        self._show()

    @on(Input.Submitted, "#search")
    def _found(self, event: Input.Submitted) -> None:
        event.stop()
        self.query_one(Search).display = False
        self.query_one(Findings).focus()

    @work
    async def action_filter(self) -> None:
        """Choose by severity or outcome."""
        options = tuple(Option(key, said) for key, (said, _) in _FILTERS.items())
        chosen = await self.app.push_screen_wait(Ask("Show which rules?", "", options))
        if chosen:
            self._filter = chosen
            self._show()

    def _widen(self) -> bool:
        """Show all again; whether anything was hidden."""
        field = self.query_one(Search)
        hidden = self._narrowed or field.display
        self._filter, field.value, field.display = _EVERY, "", False
        if hidden:
            self.query_one(Findings).focus()
            self._show()
        return hidden

    # --- what can be done ---

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Only what makes sense for what is highlighted, and for whose image it is."""
        own = isinstance(self.subject, Build)
        found = self.current if self.is_mounted else None
        match action:
            case "build":
                return own
            case "again":
                return not own
            case "mend":
                return not own and self.report is not None and _mendable(self.report)
            case "change":
                return own and found is not None and _decided_by(found) is not None
            case "waive":
                return own and found is not None and _waivable(found)
            case "copy":
                return found is not None
            case "copy_all" | "export" | "filter" | "search":
                return self.report is not None
            case "prove":
                return self.report is not None
            case "deploy":
                contained = self.report is not None and self.report.mode.value == "container"
                return own and contained
            case _:
                return True

    @work
    async def action_change(self) -> None:
        """Open the answers again, at the question that decides this rule."""
        found = self.current
        question = _decided_by(found) if found else None
        if not (isinstance(self.subject, Build) and found and question):
            return
        try:
            walk = await self.zwizard.take(self.subject.recipe())
        except ZwizardError as error:
            self.zwizard.complain(error)
            return
        if walk:
            asked = {q.key: q for q in questions.asked(walk.answers)}
            here = (asked[key] for key in found.rule.keys if key in asked)
            question = next(here, question)
            self.zwizard.turn_to(walk, question.page, question.key)

    @work
    async def action_waive(self) -> None:
        """Accept the finding in the recipe, or no longer; the review then leads to the build."""
        found = self.current
        if not (isinstance(self.subject, Build) and found):
            return
        try:
            recipe = self.subject.recipe()
            waive = [slug for slug in recipe.checklist.waive if slug != found.slug]
            if not found.waived:
                waive.append(found.slug)
            accepted = replace(recipe.checklist, waive=tuple(waive))
            walk = await self.zwizard.take(replace(recipe, checklist=accepted))
        except ZwizardError as error:
            self.zwizard.complain(error)
            return
        if walk:
            self.zwizard.review(walk)
            said = "is judged again" if found.waived else "is accepted"
            self.app.notify(f"{found.slug} {said} from the next build on.", markup=False)

    def action_copy(self) -> None:
        """Hand this finding to the terminal's clipboard."""
        from zwizard import checks

        if self.current:
            copy(self.app, checks.render_finding(self.current))

    def action_copy_all(self) -> None:
        """Hand the report to the terminal's clipboard."""
        from zwizard import checks

        if self.report:
            copy(self.app, checks.render_text(self.report))

    @work
    async def action_export(self) -> None:
        """Ask for a file, and save the report to it."""
        from zwizard import checks

        report = self.report
        if report is None:
            return
        name = Path(report.artefact).name.removesuffix(".tar.gz") or "image"
        path = await self.app.push_screen_wait(
            AskPath(
                "Export the report",
                "A name in .md gives Markdown; one in .html a page that stands alone, to show to"
                " others.",
                f"{one_line(name)}-checklist.html",
                _no_report,
                lambda p: "it exists, and is written over" * p.exists(),
            )
        )
        if path is None:
            return
        try:
            await in_background(lambda: checks.write_report(report, path))
        except ZwizardError as error:
            self.zwizard.complain(error)
        else:
            said = plain(f"Saved to {path.absolute()}").plain
            self.app.notify(said, timeout=8, markup=False)

    @work
    async def action_mend(self) -> None:
        """Say what would be changed in a new archive; build that, if it is wanted."""
        from zwizard.engine import repair

        report, path = self.report, self.subject
        if report is None or isinstance(path, Build):
            return
        try:
            remedy = await in_background(lambda: repair.remedy(report, path))
            if await self.app.push_screen_wait(_ask_to_mend(remedy)) != "y":
                return
            recipe = remedy.recipe
            assert recipe is not None
            build = await in_background(lambda: builds.open_for(recipe, path.parent))
        except (ZwizardError, OSError) as error:
            self.zwizard.complain(error)
            return
        if await self.zwizard.start_build(build):
            self.zwizard.show_build(build)

    def action_deploy(self) -> None:
        """Read the note that the build has left beside the archive."""
        try:
            note = self.subject.note() if isinstance(self.subject, Build) else None
            text = note.read_text("utf-8") if note else ""
        except (UsageError, OSError) as error:
            self.zwizard.complain(UsageError(f"{error}", "Build it again: it is written anew."))
            return
        self.app.push_screen(Reader("How to deploy it", block(text), copy=text))

    def action_again(self) -> None:
        """Check the file anew: something may be mended by now."""
        self.read()

    def action_prove(self) -> None:
        """Boot it as Zero-OS would."""
        if self.report:
            disk_size = None
            if isinstance(self.subject, Build):
                disk_size = parse_size(self.subject.recipe().checklist.disk_size)
            self.zwizard.prove(Path(self.report.artefact), disk_size)

    def action_build(self) -> None:
        """The build it came from."""
        if isinstance(self.subject, Build):
            self.zwizard.show_build(self.subject)

    def action_leave(self) -> None:
        """Show all again; then back to where one came from."""
        if not self._widen():
            self.dismiss()


def of_build(build: Build) -> Report:
    """The report that a build left; ZwizardError if it left none that can be read."""
    from zwizard import checks

    try:
        return checks.report_of(json.loads(build.report_file.read_text("utf-8"))["report"])
    except (ValueError, KeyError, TypeError) as error:
        raise ZwizardError(
            f"{build.report_file} is not a report: {error}", "Build it again: r on its screen."
        ) from None


def _no_report(path: Path) -> str:
    """Why no report can be written to ``path``, "" if one can."""
    from zwizard import checks

    try:
        checks.check_name(path)
    except ZwizardError as error:
        return f"{error.message}: {error.hint}"
    if path.is_dir():
        return f"{path} is a directory: add a file name"
    return "" if path.absolute().parent.is_dir() else f"{path.parent} is not a directory"


def _decided_by(found: Finding) -> Question | None:
    """The question whose answer decides the rule, if one is asked."""
    asked = (question_of(key) for key in found.rule.keys)
    return next((question for question in asked if question), None)


def _mendable(report: Report) -> bool:
    return report.mode.value != "image" and any(found.wrong for found in report.findings)


def _ask_to_mend(remedy: Remedy) -> Ask:
    """What would be changed, and what would stay; with nothing to change, only a way back."""
    stays = ", ".join(found.slug for found in remedy.left)
    said = [f"- {change}" for change in remedy.changes]
    said += [f"It stays as it is: {stays}."] if stays else []
    if remedy.recipe is None:
        back = (Option("n", "Back"),)
        return Ask("Nothing of it can be mended here", "\n".join(said), back)
    return Ask(
        f"Mend it in a new archive, {remedy.archive.name}?",
        "\n".join(said),
        (Option("n", "No, leave it"), Option("y", "Yes; this one is not touched")),
    )


def _waivable(found: Finding) -> bool:
    return found.wrong and found.severity.value != "must" and found.rule.severity.value != "must"


def _boot_test_of(subject: Build | Path) -> BootTestRecord | None:
    if isinstance(subject, Build):
        return records.last_test_of(status.of(subject).sha256)
    return records.last_test_of_file(subject)


def _verdict(report: Report, *, tested: bool) -> Content:
    blocks = sum(found.blocks for found in report.findings)
    if report.ready and tested:
        verdict = Content.styled("◆ READY, PROVEN", "bold $text-success")
    elif report.ready:
        verdict = Content.styled("✓ READY", "bold $text-success")
    else:
        verdict = Content.styled(f"✗ NOT READY: {blocks} block", "bold $text-error")
    return join(Content.styled(report.mode.value, MUTED), verdict, between=" · ")


def _row(found: Finding, glyph: str, style: str) -> Content:
    sign = "?" if found.outcome.value == "unknown" else glyph
    slug = plain(fit(found.slug, 24))
    evidence = found.evidence or found.rule.title
    return Content.assemble("  ", (sign, style), " ", slug, "  ", plain(evidence, MUTED))


def _detail(found: Finding) -> Content:
    word = "waived" if found.waived and found.wrong else _WORDS[found.outcome.value]
    label = "Why" if found.outcome.value == "n/a" else "Found"
    parts = [
        Content.assemble(
            plain(found.rule.title, "bold"), (f"  {found.severity.value}, {word}", MUTED)
        ),
        Content.assemble((f"{label:<9}", MUTED), block(found.evidence)),
    ]
    if found.fix:
        parts.append(Content.assemble(("Do       ", MUTED), block(found.fix)))
    parts.append(Content.assemble(("Because  ", MUTED), block(found.rule.source)))
    return Content("\n").join(parts)


def _about(report: Report) -> Content:
    from zwizard import checks

    said = (
        "Nothing blocks it: Zero-OS can start this image."
        if report.ready
        else "Mend what blocks, then check again."
    )
    lines = [
        Content.styled(said, "bold"),
        plain(report.artefact, MUTED),
        plain(checks.summary(report), MUTED),
    ]
    return Content("\n").join(lines)
