"""The installed program in a real terminal (tmux, 80×24): whole sessions and signals."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from zwizard.engine import builds, status
from zwizard.recipe.model import Recipe

pytestmark = pytest.mark.skipif(not shutil.which("tmux"), reason="tmux is not installed")

PROGRAM = Path(sys.executable).with_name("zwizard")


class Terminal:
    """A shell in a tmux of its own."""

    def __init__(self, directory: Path, environment: dict[str, str]) -> None:
        self._socket = str(directory / "tmux")
        exports = " ".join(f"{name}={shlex.quote(text)}" for name, text in environment.items())
        shell = (
            f"cd {shlex.quote(str(directory))} && env {exports} PS1='$ ' bash --norc --noprofile"
        )
        self._tmux("-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", shell)
        self._tmux("set-option", "-g", "remain-on-exit", "on")

    def _tmux(self, *arguments: str) -> str:
        command = ["tmux", "-S", self._socket, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    @property
    def screen(self) -> str:
        """The text on the screen."""
        return self._tmux("capture-pane", "-p").replace("\u00a0", " ")

    @property
    def title(self) -> str:
        """The title of the terminal."""
        return self._tmux("display-message", "-p", "#{pane_title}").strip()

    @property
    def alternate(self) -> bool:
        """Whether a full-screen program uses the terminal."""
        return self._tmux("display-message", "-p", "#{alternate_on}").strip() == "1"

    @property
    def shell(self) -> int:
        """The process id of its shell."""
        return int(self._tmux("display-message", "-p", "#{pane_pid}"))

    def press(self, *keys: str) -> None:
        """Press keys, by tmux's names."""
        for key in keys:
            self._tmux("send-keys", key)
            time.sleep(0.15)

    def type(self, text: str) -> None:
        """Type text and Enter."""
        self._tmux("send-keys", "-l", text)
        self._tmux("send-keys", "Enter")

    def wait(self, text: str, seconds: float = 60) -> str:
        """The screen, once it shows ``text``."""
        until = time.monotonic() + seconds
        while text not in (shown := self.screen):
            assert time.monotonic() < until, f"{text!r} did not come:\n{shown}"
            time.sleep(0.1)
        return shown

    def wait_title(self, text: str) -> None:
        """Wait until its title is ``text``."""
        until = time.monotonic() + 60
        while self.title != text:
            assert time.monotonic() < until, f"its title is {self.title!r}, not {text!r}"
            time.sleep(0.1)

    def close(self) -> None:
        """Close the terminal, as closing its window does."""
        self._tmux("kill-server")


@pytest.fixture
def terminal(tmp_path: Path, xdg: Path) -> Iterator[Terminal]:
    environment = {name: text for name, text in os.environ.items() if name.startswith("XDG_")}
    opened = Terminal(tmp_path, environment | {"LC_ALL": "C.UTF-8", "TERM": "tmux-256color"})
    yield opened
    subprocess.run(
        ["tmux", "-S", str(tmp_path / "tmux"), "kill-server"], capture_output=True, check=False
    )


class Mirror(ThreadingHTTPServer):
    """A mirror that delays its answers until ``answers`` is set; all of them are 404."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Waiting)
        self.answers = threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/debian"


class _Waiting(BaseHTTPRequestHandler):
    server: Mirror

    def do_GET(self) -> None:
        self.server.answers.wait(60)
        with contextlib.suppress(BrokenPipeError):  # the client has disconnected
            self.send_error(404)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    with Mirror() as opened:
        yield opened
        opened.answers.set()
        opened.shutdown()


def wizard_of(terminal: Terminal) -> int:
    """The process id of the wizard that runs in the terminal."""
    children = Path(f"/proc/{terminal.shell}/task/{terminal.shell}/children").read_text().split()
    assert len(children) == 1
    return int(children[0])


def wait_for_end(process: int) -> None:
    """Wait until a process has ended."""
    until = time.monotonic() + 30
    while Path(f"/proc/{process}").exists():
        assert time.monotonic() < until, f"process {process} still runs"
        time.sleep(0.05)


@pytest.mark.real
def test_a_whole_session_makes_a_ready_image(terminal: Terminal, tmp_path: Path) -> None:
    terminal.type(str(PROGRAM))
    terminal.wait("Press n to start")
    terminal.press("n")
    terminal.wait("What kind of Zmachine?")
    terminal.press("F3")
    terminal.wait("Where does the root file system come from?")
    # Tab to "Base", and the second of its choices.
    terminal.press("Tab", "Tab", "Tab", "Right")
    terminal.wait("(•) minimal")
    for heading in ("Which kernel", "What is set inside?", "Where does the archive go?"):
        terminal.press("F3")
        terminal.wait(heading)
    terminal.press("F3")
    terminal.wait("1 bootstrap")
    assert "Nothing has run yet" in terminal.screen
    terminal.press("Enter")
    terminal.wait("mmdebstrap --mode=root")
    terminal.press("Escape")
    terminal.wait("F5 Build")
    terminal.press("F5")
    terminal.wait("● running")
    # Leave the build, quit and return: the build keeps running.
    terminal.press("q")
    terminal.wait("Enter Open")
    terminal.press("q")
    terminal.wait("$ ")
    assert not terminal.alternate
    assert builds.find("debian-vm").running()
    terminal.type(str(PROGRAM))
    terminal.wait("● running")
    terminal.press("Enter")
    terminal.wait("✓ Ready", seconds=600)
    terminal.press("c")
    terminal.wait("✓ READY")
    terminal.press("Escape", "Escape")
    terminal.wait("✓ ready")
    terminal.press("q")
    terminal.wait("$ ")
    assert (tmp_path / "debian-vm.tar.gz").exists()


@pytest.mark.real
def test_closing_the_terminal_leaves_the_build_running(terminal: Terminal, tmp_path: Path) -> None:
    recipe = Recipe.from_dict({"source": {"variant": "minimal"}, "system": {"run": ["sleep 5"]}})
    (tmp_path / "recipe.toml").write_text(recipe.to_toml())
    terminal.type(f"{PROGRAM} new --from recipe.toml")
    terminal.wait("What kind of Zmachine?")
    terminal.press("M-6")
    terminal.wait("1 bootstrap")
    terminal.press("F5")
    terminal.wait("● running")
    wizard = wizard_of(terminal)
    terminal.close()
    wait_for_end(wizard)
    build = builds.find("debian-vm")
    assert build.running()
    assert build.request_cancel()
    until = time.monotonic() + 60
    while build.running():
        assert time.monotonic() < until
        time.sleep(0.2)
    assert status.of(build).state == "stopped"


@pytest.mark.slow
@pytest.mark.painted
@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("mmdebstrap"), reason="it builds as root"
)
def test_a_build_fails_is_inspected_fixed_and_resumed(
    terminal: Terminal, mirror: Mirror, tmp_path: Path
) -> None:
    own_title = terminal.title
    recipe = Recipe.from_dict({"name": "web", "source": {"mirror": mirror.url}})
    (tmp_path / "recipe.toml").write_text(recipe.to_toml())
    terminal.type(f"no_proxy=127.0.0.1 {PROGRAM} new --from recipe.toml")
    terminal.wait("What kind of Zmachine?")
    terminal.press("M-6")
    terminal.wait("1 bootstrap")
    terminal.press("F5")
    terminal.wait("● running · step 1 of 7")
    terminal.wait("running apt-get update")
    # Quit and return: the build keeps running.
    terminal.press("q")
    terminal.wait("Enter Open")
    terminal.wait_title("● 1/7 bootstrap · web")
    terminal.press("q")
    terminal.wait_title(own_title)
    build = builds.find("web")
    assert build.running()
    terminal.type(f"clear; {PROGRAM}")
    terminal.wait("● running")
    terminal.press("Enter")
    terminal.wait("running apt-get update")
    # It fails, and shows the likely cause.
    mirror.answers.set()
    terminal.wait("✗ bootstrap: exit status", seconds=60)
    terminal.wait("Likely cause  The mirror does not have this suite")
    terminal.wait_title("✗ web: failed")
    # A shell opens in the step's tree.
    terminal.press("!")
    terminal.wait("Changes are discarded")
    terminal.type('echo "in $PWD" && touch litter')
    terminal.wait("/tree/root")
    terminal.type("exit")
    terminal.wait("r Resume")
    # The bug report is one file.
    terminal.press("b")
    terminal.wait("logs/01-bootstrap.log")
    assert len(list(tmp_path.glob("web-report-*.tar.gz"))) == 1
    terminal.press("Escape")
    # Resumed without a fix, it fails again.
    terminal.press("r")
    terminal.wait("● running")
    terminal.wait("✗ bootstrap: exit status", seconds=60)
    # Change the mirror; the build runs again.
    terminal.press("a")
    terminal.wait("Where does the root file system come from?")
    terminal.wait("Mirror          http://127")
    terminal.wait("Empty: the distribution")  # its explanation: it has the focus
    terminal.press("End", "1")
    terminal.wait("/debian1")
    terminal.press("M-6")
    terminal.wait("F5 Build")
    mirror.answers.clear()
    terminal.press("F5")
    terminal.wait("● running")
    assert build.recipe().source.mirror == f"{mirror.url}1"
    # Resume from the command line.
    terminal.press("X")
    terminal.wait("Stop web?")
    terminal.press("s")
    terminal.wait("■ Stopped", seconds=60)
    terminal.press("q")
    terminal.wait("■ stopped")
    terminal.press("q")
    terminal.wait_title(own_title)
    mirror.answers.set()
    terminal.type(f"clear; no_proxy=127.0.0.1 {PROGRAM} resume web")
    terminal.wait("Resume:  zwizard resume web", seconds=60)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_killed_wizard_leaves_the_terminal_usable(
    terminal: Terminal, number: signal.Signals
) -> None:
    terminal.type(str(PROGRAM))
    terminal.wait("Press n to start")
    assert terminal.alternate
    os.kill(wizard_of(terminal), number)
    terminal.wait("$ ")
    terminal.type("stty -a | grep -c ' echo '; echo status $?")
    terminal.wait("status 0")
    assert not terminal.alternate


@pytest.mark.slow
def test_the_draft_survives_a_killed_wizard(terminal: Terminal) -> None:
    terminal.type(str(PROGRAM))
    terminal.wait("Press n to start")
    terminal.press("n")
    terminal.wait("What kind of Zmachine?")
    terminal.press("Tab", "C-u", "m", "i", "n", "e")
    terminal.wait("mine")
    wizard = wizard_of(terminal)
    os.kill(wizard, signal.SIGKILL)
    wait_for_end(wizard)
    terminal.type(f"stty sane; clear; {PROGRAM}")
    shown = terminal.wait("○ draft")
    assert "mine" in shown


@pytest.mark.slow
def test_a_crash_leaves_the_terminal_usable_and_the_draft_kept(
    terminal: Terminal,
) -> None:
    broken = "import zwizard.tui.app as a; a.HomeScreen.content = lambda self: 1 / 0; a.run(None)"
    terminal.type(f"{sys.executable} -c {shlex.quote(broken)}; echo status $?")
    terminal.wait("Your draft is kept, and builds keep running.")
    assert not terminal.alternate
