"""The checklist of one image: errors, warnings, notes and passed checks, each with its reason."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Input, OptionList, Static

from zwizard import checks
from zwizard.boottest import records
from zwizard.checks import Finding, Report
from zwizard.engine import builds, repair, status, verdicts
from zwizard.engine.builds import Build
from zwizard.tui.format import MUTED, block, plain
from zwizard.tui.navigation import REVIEW
from zwizard.tui.screens import check_texts as texts
from zwizard.tui.screens.base import BaseScreen
from zwizard.tui.screens.dialogs import Ask, Option, copy, shows_errors
from zwizard.tui.screens.files import save_file
from zwizard.tui.screens.upload import show_deployment
from zwizard.tui.widgets.inputs import OrderedInput
from zwizard.tui.widgets.stable_list import StableList
from zwizard.util.errors import UsageError, ZwizardError
from zwizard.util.places import explained
from zwizard.util.text import one_line, parse_size, size
from zwizard.wizard import questions


class Findings(StableList):
    """The list of findings, by outcome."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "select", "Open")]
    HELP = (
        "The rules by outcome. Below: what was found, how to fix it, and why the rule exists."
        " Enter opens or closes a group; on a rule it goes to the text below, which the arrow"
        " keys scroll."
    )


class Detail(VerticalScroll):
    """One finding in full."""

    HELP = "The highlighted finding in full. The arrow keys scroll; Tab goes back."


class Search(OrderedInput):
    """The text that the listed findings must contain."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "app.focus_next", "To the list", key_display="↓")
    ]
    HELP = (
        "Type a word to show only the rules that contain it in their name, finding, reason or"
        " fix. Enter goes to the list; Esc shows all rules."
    )


class CheckScreen(BaseScreen[None]):
    """The report of a build, or of any file, which is checked while the screen is shown."""

    TOPIC = "rules"
    HELP = "The checklist, errors first. An image is ready when it has no errors."

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "app.focus_next", "Detail", show=False),
        Binding("slash", "search", "Search", tooltip="Show only the rules with a word"),
        Binding("f", "filter", "Filter", tooltip="Show only some rules: by severity or outcome"),
        Binding("a", "change", "Change answer", tooltip="Go to the question that decides it"),
        Binding("w", "waive", "Waive", tooltip="Accept this finding, or stop accepting it"),
        Binding("y", "copy", "Copy", tooltip="Copy this finding"),
        Binding("Y", "copy_all", "Copy all", tooltip="Copy the whole report"),
        Binding("e", "export", "Export", tooltip="Save the report as Markdown or as a web page"),
        Binding("x", "fix", "Fix", tooltip="Make a new archive in which this is fixed"),
        Binding("r", "again", "Check again", tooltip="Check the file again"),
        Binding("b", "boot", "Test boot", tooltip="Start the image as Zero-OS would"),
        Binding("u", "upload", "Upload", tooltip="Upload it to a hub, and compare what arrived"),
        Binding("d", "deploy", "Deploy", tooltip="What to type to deploy this image"),
        Binding("l", "build", "Steps and log", tooltip="The build that made it"),
        Binding("q,escape,f2", "leave", "Back"),
    ]

    def __init__(self, subject: Build | Path, *, again: bool = False) -> None:
        super().__init__()
        self._again = again  # check a build's archive, whatever is known of it
        self.subject = subject
        self.report: Report | None = None
        self.tested = False
        self._open_groups: set[str] = set()
        self._filter = texts.ALL
        self._stop_check = threading.Event()

    def content(self) -> ComposeResult:
        with Horizontal(classes="top"):
            yield Static(id="artefact", classes="title", markup=False)
            yield Static(id="verdict", markup=False)
        yield Search(placeholder="search …", id="search", compact=True)
        yield Static(id="shown", classes="muted", markup=False)
        with Container(id="report"):
            yield Findings(id="findings", title="Rules")
            with Detail(id="detail", classes="pane"):
                yield Static(id="detail-text", markup=False)

    def on_mount(self) -> None:
        name = self.subject.id if isinstance(self.subject, Build) else str(self.subject)
        self.query_one("#artefact", Static).update(plain(name))
        self.query_one(Search).display = self.query_one("#shown").display = False
        self.query_one(Findings).focus()
        self.read()

    def on_unmount(self) -> None:
        self._stop_check.set()

    @work(exclusive=True, group="read")
    async def read(self) -> None:
        """Show the report."""
        self.report = None
        self._show_verdict(Content.styled("reading …", MUTED))
        try:
            self.report = await self.in_background(self._read)
        except (ZwizardError, OSError) as error:
            self._show_verdict(texts.unknown(error))
            reason = explained(error)
            self.query_one(Findings).show([])
            message = block(reason.message, "$text-error")
            self._show_detail(Content("\n").join([message, block(reason.hint)]))
            self.refresh_bindings()
            return
        self._show()
        self._find_boot_test()

    def _read(self) -> Report:
        """The report of the build if its archive is still the same, or a new one of the file."""
        if isinstance(self.subject, Path):
            return checks.check(self.subject, progress=self._progress)
        if self._again:
            return verdicts.check_again(self.subject, self._progress)
        return verdicts.verified(self.subject)

    def _progress(self, done: int, of: int) -> None:
        """Show how far the check has read; end it if the screen was closed."""
        if self._stop_check.is_set():
            raise UsageError("the check was cancelled")
        if of:
            text = f"reading … {100 * done // of} % of {size(of)}"
            self.app.call_later(self._show_progress, Content.styled(text, MUTED))

    def _show_progress(self, text: Content) -> None:
        if self.report is None and self.is_attached:
            self._show_verdict(text)

    @on(events.ScreenResume)
    @work(exclusive=True, group="boot-test")
    async def _find_boot_test(self) -> None:
        """Show that the image is tested, if exactly these bytes passed a boot test."""
        report, subject = self.report, self.subject
        if report is None or not report.ready:
            return
        record = await self.in_background(
            lambda: (
                records.last_test_of(status.of(subject).sha256)
                if isinstance(subject, Build)
                else records.last_test_of_file(subject)
            )
        )
        self.tested = record is not None and record.passed
        self._show_verdict(texts.verdict(report, tested=self.tested))

    def _show_verdict(self, text: Content) -> None:
        self.query_one("#verdict", Static).update(text)

    # --- showing ---

    def _show(self) -> None:
        report = self.report
        if report is None:
            return
        self.query_one("#artefact", Static).update(plain(Path(report.artefact).name))
        self._show_verdict(texts.verdict(report, tested=self.tested))
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
        self._show_detail(texts.detail(found, self.report) if found else texts.about(self.report))
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
        report, own = self.report, isinstance(self.subject, Build)
        found = self.current if self.is_mounted else None
        offered = {
            "build": own,
            "again": not (isinstance(self.subject, Build) and self.subject.running()),
            "fix": not own and report is not None and texts.fixable(report),
            "change": own and found is not None and texts.question_behind(found) is not None,
            "waive": own and found is not None and texts.can_be_waived(found),
            "copy": found is not None,
            "upload": report is not None and report.artefact.endswith(".tar.gz"),
        }
        if action in {"copy_all", "export", "filter", "search", "boot", "deploy"}:
            return report is not None
        return offered.get(action, True)

    @work
    @shows_errors
    async def action_change(self) -> None:
        """Open the build's answers at the question that decides this rule."""
        found = self.current
        question = texts.question_behind(found) if found else None
        if not (isinstance(self.subject, Build) and found and question):
            return
        navigation = await self.wizard.use_recipe(self.subject.recipe())
        if navigation:
            asked = {q.key: q for q in questions.asked(navigation.answers)}
            here = (asked[key] for key in found.rule.keys if key in asked)
            question = next(here, question)
            self.wizard.show_page(navigation, question.page, question.key)

    @work
    @shows_errors
    async def action_waive(self) -> None:
        """Accept the finding in the recipe, or stop accepting it, and show the review."""
        found = self.current
        if not (isinstance(self.subject, Build) and found):
            return
        recipe = self.subject.recipe()
        waive = [slug for slug in recipe.checklist.waive if slug != found.slug]
        if not found.waived:
            waive.append(found.slug)
        accepted = replace(recipe.checklist, waive=tuple(waive))
        navigation = await self.wizard.use_recipe(replace(recipe, checklist=accepted))
        if navigation:
            self.wizard.show_page(navigation, REVIEW)
            change = "is no longer waived" if found.waived else "is waived"
            self.app.notify(f"{found.slug} {change} from the next build on.")

    def action_copy(self) -> None:
        if self.current:
            copy(self.app, checks.render_finding(self.current))

    def action_copy_all(self) -> None:
        if self.report:
            copy(self.app, checks.render_text(self.report))

    @work
    @shows_errors
    async def action_export(self) -> None:
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
            texts.not_exportable,
        )

    @work
    @shows_errors
    async def action_fix(self) -> None:
        report, path = self.report, self.subject
        if report is None or isinstance(path, Build):
            return
        remedy = await self.in_background(lambda: repair.remedy(report, path))
        if await self.app.push_screen_wait(texts.ask_to_fix(remedy)) != "y":
            return
        recipe = remedy.recipe
        assert recipe is not None
        build = await self.in_background(lambda: builds.open_for(recipe, path.parent))
        if await self.wizard.start_build(build):
            self.wizard.show_build(build)

    def action_upload(self) -> None:
        if self.report:
            self.wizard.show_upload(Path(self.report.artefact))

    @work
    @shows_errors
    async def action_deploy(self) -> None:
        if self.report:
            path = Path(self.report.artefact).resolve()
            await show_deployment(self.wizard, path, self.report.mode)

    def action_again(self) -> None:
        self._again = True
        self.read()

    def action_boot(self) -> None:
        if self.report:
            disk_size = None
            if isinstance(self.subject, Build):
                disk_size = parse_size(self.subject.recipe().checklist.disk_size)
            self.wizard.show_boot_test(Path(self.report.artefact), disk_size)

    def action_build(self) -> None:
        if isinstance(self.subject, Build):
            self.wizard.show_build(self.subject)

    def action_leave(self) -> None:
        """Clear search and filter first; else close the screen."""
        if not self._show_all():
            self.dismiss()
