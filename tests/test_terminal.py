"""The installed program in a real terminal (tmux, 80×24), from the first key to the checklist."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from zwizard.engine import builds, status
from zwizard.recipe import Recipe

pytestmark = pytest.mark.skipif(not shutil.which("tmux"), reason="tmux is not installed")

PROGRAM = Path(sys.executable).with_name("zwizard")


class Terminal:
    """A shell in a tmux of its own."""

    def __init__(self, place: Path, environment: dict[str, str]) -> None:
        self._socket = str(place / "tmux")
        exports = " ".join(f"{name}={shlex.quote(text)}" for name, text in environment.items())
        shell = f"cd {shlex.quote(str(place))} && env {exports} PS1='$ ' bash --norc --noprofile"
        self._tmux("-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", shell)
        self._tmux("set-option", "-g", "remain-on-exit", "on")

    def _tmux(self, *arguments: str) -> str:
        command = ["tmux", "-S", self._socket, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    @property
    def screen(self) -> str:
        """What stands on it."""
        return self._tmux("capture-pane", "-p")

    @property
    def alternate(self) -> bool:
        """Whether a full-screen program has it."""
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

    def wait(self, text: str, seconds: float = 15) -> str:
        """The screen, once ``text`` stands on it."""
        until = time.monotonic() + seconds
        while text not in (shown := self.screen):
            assert time.monotonic() < until, f"{text!r} did not come:\n{shown}"
            time.sleep(0.1)
        return shown

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


def wizard_of(terminal: Terminal) -> int:
    """The process id of the wizard that runs in the terminal."""
    children = Path(f"/proc/{terminal.shell}/task/{terminal.shell}/children").read_text().split()
    assert len(children) == 1
    return int(children[0])


@pytest.mark.real
def test_from_the_first_key_to_a_ready_image(terminal: Terminal, tmp_path: Path) -> None:
    terminal.type(str(PROGRAM))
    terminal.wait("Press n to begin")
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
    # Leave it, quit, come back: the build goes on meanwhile.
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
    until = time.monotonic() + 5
    while Path(f"/proc/{wizard}").exists():
        assert time.monotonic() < until, "the wizard outlives its terminal"
        time.sleep(0.1)
    build = builds.find("debian-vm")
    assert build.running()
    assert builds.request_cancel(build)
    until = time.monotonic() + 60
    while build.running():
        assert time.monotonic() < until
        time.sleep(0.2)
    assert status.of(build).state == "cancelled"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_killed_wizard_leaves_the_terminal_usable(
    terminal: Terminal, number: signal.Signals
) -> None:
    terminal.type(str(PROGRAM))
    terminal.wait("Press n to begin")
    assert terminal.alternate
    os.kill(wizard_of(terminal), number)
    terminal.wait("$ ")
    terminal.type("stty -a | grep -c ' echo '; echo status $?")
    terminal.wait("status 0")
    assert not terminal.alternate


def test_answers_survive_a_wizard_that_is_killed_without_warning(terminal: Terminal) -> None:
    terminal.type(str(PROGRAM))
    terminal.wait("Press n to begin")
    terminal.press("n")
    terminal.wait("What kind of Zmachine?")
    terminal.press("Tab", "C-u", "m", "i", "n", "e")
    terminal.wait("mine")
    os.kill(wizard_of(terminal), signal.SIGKILL)
    time.sleep(0.3)
    terminal.type(f"stty sane; clear; {PROGRAM}")
    shown = terminal.wait("○ answers")
    assert "mine" in shown
