"""The checklist of one image: errors, warnings, notes and passed checks, each with its reason."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Input, OptionList, Static

from zwizard.engine import builds
from zwizard.engine.builds import Build
from zwizard.tui import reports
from zwizard.tui.background import in_background
from zwizard.tui.format import MUTED, block, plain
from zwizard.tui.screens import check_texts as texts
from zwizard.tui.screens.base import BaseScreen
from zwizard.tui.screens.dialogs import Ask, Option, Reader, copy
from zwizard.tui.screens.files import save_file
from zwizard.tui.widgets.findings import Detail, Findings, Search
from zwizard.util.errors import UsageError, ZwizardError
from zwizard.util.text import one_line, parse_size, size
from zwizard.wizard import questions

if TYPE_CHECKING:
    from zwizard.checks import Finding, Report

# The checks are imported where they are used, in the background: they import a lot.


class CheckScreen(BaseScreen[None]):
    """The report of a build, or of any file, which is checked while the screen is shown."""

    TOPIC = "rules"
    HELP = "The checklist, errors first. An image is ready when it has no errors."

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "app.focus_next", "Detail", show=False),
        Binding("slash", "search", "Search", tooltip="Show only the rules with a word"),
        Binding("f", "filter", "Filter", tooltip="Show only some rules: by severity or outcome"),
        Binding(
            "a", "change", "Change answer", tooltip="Go to the question that decides this rule"
        ),
        Binding("w", "waive", "Waive", tooltip="Accept this finding, or stop accepting it"),
        Binding("y", "copy", "Copy", tooltip="Copy this finding"),
        Binding("Y", "copy_all", "Copy all", tooltip="Copy the whole report"),
        Binding("e", "export", "Export", tooltip="Save the report as Markdown or as a web page"),
        Binding("x", "fix", "Fix", tooltip="Make a new archive in which this is fixed"),
        Binding("r", "again", "Check again", tooltip="Check the file again"),
        Binding("b", "boot", "Test boot", tooltip="Start the image as Zero-OS would"),
        Binding("d", "deploy", "Deploy", tooltip="How to deploy this container"),
        Binding("l", "build", "Steps and log", tooltip="The build that made it"),
        Binding("q,escape,f2", "leave", "Back"),
    ]

    def __init__(self, subject: Build | Path) -> None:
        super().__init__()
        self.subject = subject
        self.report: Report | None = None
        self.tested = False
        self._open_groups: set[str] = set()
        self._filter = texts.ALL
        self._stop_check = threading.Event()

    def content(self) -> ComposeResult:
        """Verdict, search, filter, findings, detail."""
        with Horizontal(classes="top"):
            yield Static(id="artefact", classes="title", markup=False)
            yield Static(id="verdict", markup=False)
        yield Search(placeholder="search …", id="search", compact=True)
        yield Static(id="shown", classes="muted", markup=False)
        yield Findings(id="findings")
        with Detail(id="detail"):
            yield Static(id="detail-text", markup=False)

    def on_mount(self) -> None:
        """Read the report, or check the file."""
        name = self.subject.id if isinstance(self.subject, Build) else str(self.subject)
        self.query_one("#artefact", Static).update(plain(name))
        self.query_one(Search).display = self.query_one("#shown").display = False
        self.query_one(Findings).focus()
        self.read()

    def on_unmount(self) -> None:
        """Stop a check that is still reading."""
        self._stop_check.set()

    @work(exclusive=True, group="read")
    async def read(self) -> None:
        """Show the report."""
        self.report = None
        self.query_one("#verdict", Static).update(Content.styled("reading …", MUTED))
        subject = self.subject
        try:
            if isinstance(subject, Build):
                self.report = await in_background(lambda: reports.report_of_build(subject))
            else:
                self.report = await in_background(lambda: self._check(subject))
        except (ZwizardError, OSError) as error:
            self.query_one("#verdict", Static).update("not readable")
            hint = getattr(error, "hint", "")
            self.query_one(Findings).show([])
            self._show_detail(Content("\n").join([block(str(error), "$text-error"), block(hint)]))
            return
        self._show()
        self._find_boot_test()

    @on(events.ScreenResume)
    @work(exclusive=True, group="boot-test")
    async def _find_boot_test(self) -> None:
        """Show that the image is tested, if exactly these bytes passed a boot test."""
        report, subject = self.report, self.subject
        if report is None or not report.ready:
            return
        record = await in_background(lambda: reports.last_boot_test(subject))
        self.tested = record is not None and record.passed
        self.query_one("#verdict", Static).update(texts.verdict(report, tested=self.tested))

    def _check(self, path: Path) -> Report:
        from zwizard import checks

        def progress(done: int, of: int) -> None:
            if self._stop_check.is_set():
                raise UsageError("the check was cancelled")
            self.app.call_later(self._progress, done, of)

        return checks.check(path, progress=progress)

    def _progress(self, done: int, of: int) -> None:
        if self.report is None and self.is_attached and of:
            text = f"reading … {100 * done // of} % of {size(of)}"
            self.query_one("#verdict", Static).update(Content.styled(text, MUTED))

    # --- showing ---

    def _show(self) -> None:
        report = self.report
        if report is None:
            return
        self.query_one("#artefact", Static).update(plain(Path(report.artefact).name))
        self.query_one("#verdict", Static).update(texts.verdict(report, tested=self.tested))
        matching = [found for found in report.findings if self._matches(found)]
        folded = set() if self._is_filtered else texts.FOLDED - self._open_groups
        rows = texts.rows(matching, folded)
        listed = self.query_one(Findings)
        listed.show(rows, prefer=next((r.id for r in rows if r.id.startswith("rule:")), ""))
        self._show_filter(report)
        self._show_current()
        self.refresh_bindings()

    @property
    def _searched(self) -> str:
        return self.query_one(Search).value.strip().casefold()

    @property
    def _is_filtered(self) -> bool:
        return bool(self._searched) or self._filter != texts.ALL

    def _matches(self, found: Finding) -> bool:
        rule = found.rule
        fields = (rule.slug, rule.title, found.evidence, rule.source, found.fix)
        word = self._searched
        matches = not word or any(word in text.casefold() for text in fields)
        return matches and texts.FILTERS[self._filter][1](found)

    def _show_filter(self, report: Report) -> None:
        line = self.query_one("#shown", Static)
        line.display = self._is_filtered
        count = sum(map(self._matches, report.findings))
        only = "" if self._filter == texts.ALL else f"Only: {texts.FILTERS[self._filter][0]}. "
        matching = f" match “{self.query_one(Search).value.strip()}”" if self._searched else ""
        total = len(report.findings)
        line.update(plain(f"{only}{count} of {total} rules{matching}. Esc shows all."))

    @property
    def current(self) -> Finding | None:
        """The finding that is highlighted."""
        kind, _, name = self.query_one(Findings).current.partition(":")
        findings = self.report.findings if self.report else ()
        return next((f for f in findings if kind == "rule" and f.slug == name), None)

    @on(OptionList.OptionHighlighted)
    def _show_current(self) -> None:
        if self.report is None:
            return
        found = self.current
        self._show_detail(texts.detail(found) if found else texts.about(self.report))
        self.refresh_bindings()

    def _show_detail(self, text: Content) -> None:
        self.query_one("#detail-text", Static).update(text)
        self.query_one(Detail).scroll_home(animate=False)

    @on(OptionList.OptionSelected)
    def _toggle(self, event: OptionList.OptionSelected) -> None:
        kind, _, name = (event.option_id or "").partition(":")
        if kind == "group" and name in texts.FOLDED:
            self._open_groups ^= {name}
            self._show()
        elif kind == "rule":
            self.query_one(Detail).focus()

    # --- search and filter ---

    def action_search(self) -> None:
        """Open the search field."""
        field = self.query_one(Search)
        field.display = True
        field.focus()

    @on(Input.Changed, "#search")
    def _typed(self) -> None:
        self._show()

    @on(Input.Submitted, "#search")
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.query_one(Search).display = False
        self.query_one(Findings).focus()

    @work
    async def action_filter(self) -> None:
        """Ask which rules to show, by severity or outcome."""
        options = tuple(Option(key, title) for key, (title, _) in texts.FILTERS.items())
        chosen = await self.app.push_screen_wait(Ask("Show which rules?", "", options))
        if chosen:
            self._filter = chosen
            self._show()

    def _show_all(self) -> bool:
        """Clear search and filter; whether there was one."""
        field = self.query_one(Search)
        was_filtered = self._is_filtered or field.display
        self._filter, field.value, field.display = texts.ALL, "", False
        if was_filtered:
            self.query_one(Findings).focus()
            self._show()
        return was_filtered

    # --- what can be done ---

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Offer only what applies to the highlighted finding and to this image."""
        own = isinstance(self.subject, Build)
        found = self.current if self.is_mounted else None
        match action:
            case "build":
                return own
            case "again":
                return not own
            case "fix":
                return not own and self.report is not None and texts.fixable(self.report)
            case "change":
                return own and found is not None and reports.question_behind(found) is not None
            case "waive":
                return own and found is not None and reports.can_be_waived(found)
            case "copy":
                return found is not None
            case "copy_all" | "export" | "filter" | "search":
                return self.report is not None
            case "boot":
                return self.report is not None
            case "deploy":
                is_container = self.report is not None and self.report.mode.value == "container"
                return own and is_container
            case _:
                return True

    @work
    async def action_change(self) -> None:
        """Open the build's answers at the question that decides this rule."""
        found = self.current
        question = reports.question_behind(found) if found else None
        if not (isinstance(self.subject, Build) and found and question):
            return
        try:
            navigation = await self.wizard.use_recipe(self.subject.recipe())
        except ZwizardError as error:
            self.wizard.show_error(error)
            return
        if navigation:
            asked = {q.key: q for q in questions.asked(navigation.answers)}
            here = (asked[key] for key in found.rule.keys if key in asked)
            question = next(here, question)
            self.wizard.show_page(navigation, question.page, question.key)

    @work
    async def action_waive(self) -> None:
        """Accept the finding in the recipe, or stop accepting it, and show the review."""
        found = self.current
        if not (isinstance(self.subject, Build) and found):
            return
        try:
            recipe = self.subject.recipe()
            waive = [slug for slug in recipe.checklist.waive if slug != found.slug]
            if not found.waived:
                waive.append(found.slug)
            accepted = replace(recipe.checklist, waive=tuple(waive))
            navigation = await self.wizard.use_recipe(replace(recipe, checklist=accepted))
        except ZwizardError as error:
            self.wizard.show_error(error)
            return
        if navigation:
            self.wizard.show_review(navigation)
            change = "is no longer waived" if found.waived else "is waived"
            self.app.notify(f"{found.slug} {change} from the next build on.", markup=False)

    def action_copy(self) -> None:
        """Copy this finding to the terminal's clipboard."""
        from zwizard import checks

        if self.current:
            copy(self.app, checks.render_finding(self.current))

    def action_copy_all(self) -> None:
        """Copy the report to the terminal's clipboard."""
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
        await save_file(
            self.app,
            f"{one_line(name)}-checklist.html",
            "Export the report",
            "A name ending in .md gives Markdown, in .html a web page in one file.",
            lambda path: checks.write_report(report, path),
            reports.not_exportable,
        )

    @work
    async def action_fix(self) -> None:
        """Ask whether to build a fixed archive, and build it."""
        from zwizard.engine import repair

        report, path = self.report, self.subject
        if report is None or isinstance(path, Build):
            return
        try:
            remedy = await in_background(lambda: repair.remedy(report, path))
            if await self.app.push_screen_wait(texts.ask_to_fix(remedy)) != "y":
                return
            recipe = remedy.recipe
            assert recipe is not None
            build = await in_background(lambda: builds.open_for(recipe, path.parent))
        except (ZwizardError, OSError) as error:
            self.wizard.show_error(error)
            return
        if await self.wizard.start_build(build):
            self.wizard.show_build(build)

    def action_deploy(self) -> None:
        """Show the deployment note that the build wrote beside the archive."""
        try:
            note = self.subject.note() if isinstance(self.subject, Build) else None
            text = note.read_text("utf-8") if note else ""
        except (UsageError, OSError) as error:
            self.wizard.show_error(UsageError(f"{error}", "Build it again to write this file."))
            return
        self.app.push_screen(Reader("How to deploy it", block(text), copy=text))

    def action_again(self) -> None:
        """Check the file again: it may have been fixed."""
        self.read()

    def action_boot(self) -> None:
        """Show the boot test of this image."""
        if self.report:
            disk_size = None
            if isinstance(self.subject, Build):
                disk_size = parse_size(self.subject.recipe().checklist.disk_size)
            self.wizard.show_boot_test(Path(self.report.artefact), disk_size)

    def action_build(self) -> None:
        """Show the build that made this image."""
        if isinstance(self.subject, Build):
            self.wizard.show_build(self.subject)

    def action_leave(self) -> None:
        """Clear search and filter first; else close the screen."""
        if not self._show_all():
            self.dismiss()
