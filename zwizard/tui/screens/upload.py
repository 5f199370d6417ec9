"""Uploading and deploying: the phases of an upload, and what to type to deploy its flist."""

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Input, Static

from zwizard.checks import Mode
from zwizard.console.upload_progress import PHASES, describe, progress
from zwizard.hub import session, token
from zwizard.hub.deployments import deployment_of
from zwizard.hub.status import Status
from zwizard.hub.token import Token
from zwizard.hub.upload import Upload, UploadRequest
from zwizard.jobs import supervisor
from zwizard.jobs.follower import Watch
from zwizard.plan.deployment_note import BLOCKS, markdown
from zwizard.tui.background import in_background
from zwizard.tui.base_app import BaseApp
from zwizard.tui.format import MUTED, block, plain
from zwizard.tui.screens.base import BaseScreen
from zwizard.tui.screens.dialogs import Ask, Dialog, Option, Reader, confirm_stop, copy
from zwizard.tui.widgets.inputs import OrderedInput
from zwizard.util.errors import UsageError, ZwizardError
from zwizard.util.places import explained
from zwizard.util.text import duration

_EVERY = 0.5  # seconds between reads of the journal
_STATES = {
    "running": ("● uploading", "$text-accent"),
    "uploaded": ("◆ uploaded", "$text-success"),
    "failed": ("✗ failed", "$text-error"),
    "stopped": ("■ stopped", "$text-warning"),
}


_FORMS = {"dashboard": "d", "tfcmd": "c", "terraform": "t"}


class AskToken(Dialog[str]):
    """A token, typed or pasted, which is not shown. It is kept nowhere."""

    HELP = "Paste the token that the hub's page shows. Enter uses it; Esc cancels."

    def __init__(self, hub: str) -> None:
        super().__init__("Token of the hub", "Enter uses it, Esc goes back.")
        self._hub = hub

    def content(self) -> ComposeResult:
        yield Static(block(f"It is shown at {self._hub}/token. It is kept nowhere."), markup=False)
        yield OrderedInput(password=True, id="token")

    @on(Input.Submitted)
    def _typed(self, event: Input.Submitted) -> None:
        self.dismiss(event.value)


class UploadScreen(BaseScreen[None]):
    """One upload, shown from its journal; it keeps running when the screen is left."""

    TOPIC = "deployment"
    HELP = (
        "The upload of an archive. It is sent under a temporary name, read back and compared;"
        " only then it gets its name. It keeps running when you leave this screen or quit."
    )

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "again", "Upload again", tooltip="Start the upload again; it resumes"),
        Binding("y", "copy", "Copy address", tooltip="Copy the address of the flist"),
        Binding("X", "cancel", "Cancel", tooltip="Stop the upload, and remove it from the hub"),
        Binding("q,escape", "leave", "Back"),
    ]

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.status = Status("running")
        self._job: Upload | None = None
        self._watch: Watch[Status] | None = None

    def content(self) -> ComposeResult:
        with Horizontal(classes="top"):
            yield Static(plain(self.path.name), classes="title", markup=False)
            yield Static(id="overall", markup=False)
        with VerticalScroll(id="upload"):
            yield Static(id="upload-text", markup=False)

    def on_mount(self) -> None:
        self._start()
        self.every(_EVERY, self._poll)

    @work(exclusive=True, group="start")
    async def _start(self) -> None:
        self._job, self._watch, self.status = None, None, Status("running")
        self._say("looking at the archive and the hub …")
        try:
            request = session.target(self.path, None, None, None)
            own = await self._token(request.hub)
            found = own and await self._confirmed(request, own)
            if not (own and found):
                self.dismiss()
                return
            job = await self.in_background(lambda: session.prepare(found))
            await self.in_background(lambda: supervisor.start(job, secret=own.text.encode()))
        except (ZwizardError, OSError) as error:
            reason = explained(error)
            self.status = Status("failed", error=reason.message, hint=reason.hint)
        else:
            self._job, self._watch = job, Watch(job, Status())
            self._poll()
        self._update()
        self.refresh_bindings()

    async def _token(self, hub: str) -> Token | None:
        text = await self.in_background(lambda: token.find(hub))
        if not text:
            typed = await self.app.push_screen_wait(AskToken(hub))
            text = typed or ""
        return token.read(text, hub) if text else None

    async def _confirmed(self, request: UploadRequest, own: Token) -> UploadRequest | None:
        """The request, once the user has allowed what is to be allowed; None if not."""
        checked = await self.in_background(lambda: session.check(request.archive))
        if not checked.ready:
            raise UsageError(
                f"{self.path} is not ready: {checked.errors} errors",
                "Fix them first. To upload it nevertheless: zwizard upload --force.",
            )
        whole = replace(request, sha256=checked.sha256)
        user, found = await self.in_background(lambda: session.look(whole, own))
        place = f"{request.hub}/{user}/{request.flist}.flist"
        if not found or found["same"]:
            options = (Option("k", "Do not upload"), Option("u", "Upload it"))
            text = f"To {place}\n\nA flist on a hub is public."
            chosen = await self.app.push_screen_wait(Ask("Upload it?", text, options))
            return whole if chosen == "u" else None
        options = (Option("k", "Keep it"), Option("p", "Replace it"))
        text = f"{place}\n{describe(found)}"
        chosen = await self.app.push_screen_wait(Ask("Replace this flist?", text, options))
        return replace(whole, replace=True) if chosen == "p" else None

    def _poll(self) -> None:
        if self._watch is None:
            return
        before, self.status = self.status, self._watch.look()
        self._update()
        if before.state != self.status.state:
            self.refresh_bindings()
            self.app.bell()

    # --- showing ---

    def _update(self) -> None:
        status, now = self.status, self.wizard.clock()
        word, style = _STATES[status.state]
        took = max(0.0, (now if status.state == "running" else status.at) - status.started)
        text = f"{word} · {duration(took)}" if status.started else word
        self.query_one("#overall", Static).update(Content.styled(text, style))
        if status.state == "running":
            what = PHASES.get(status.phase, "starting")
            self._say(f"{what} · {progress(status, now)}" if status.since else what, status.why)
        elif status.state == "uploaded":
            equal = "Every entry and block is equal to the archive's."
            self._say(f"◆ {status.url}", f"md5 {status.md5}", equal)
        elif status.error:
            self._say(f"✗ {status.error}", status.hint)
        else:
            self._say("■ Stopped; nothing of it is on the hub. Press r to upload again.")

    def _say(self, first: str, *more: str) -> None:
        lines = [block(first), *(block(text, MUTED) for text in more if text)]
        self.query_one("#upload-text", Static).update(Content("\n").join(lines))

    # --- actions ---

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        running = self.status.state == "running"
        offered = {
            "cancel": running and self._job is not None,
            "again": not running,
            "copy": bool(self.status.url),
        }
        return offered.get(action, True)

    def action_again(self) -> None:
        self._start()
        self.refresh_bindings()

    def action_copy(self) -> None:
        copy(self.app, self.status.url)

    @work
    async def action_cancel(self) -> None:
        text = "What is on the hub is removed; while it unpacks, that waits for it."
        if await confirm_stop(self.app, "Stop this upload?", text) and self._job is not None:
            self._job.request_cancel()

    def action_leave(self) -> None:
        if self.status.state == "running" and self._job is not None:
            self.app.notify("The upload keeps running.")
        self.dismiss()


async def show_deployment(app: BaseApp, path: Path, mode: Mode) -> None:
    """Ask for which form, and show the text, which y copies."""
    note = await in_background(lambda: deployment_of(path, mode))
    texts = {"n": markdown(note)}
    options = [Option("n", "The whole note")]
    for name, (title, form) in BLOCKS.items():
        texts[_FORMS[name]] = form(note)
        options.append(Option(_FORMS[name], f"The text for {title}"))
    if chosen := await app.push_screen_wait(Ask(f"Deploy {note.name}", "", options)):
        text = texts[chosen]
        app.push_screen(Reader("How to deploy it", block(text), copy=text))
