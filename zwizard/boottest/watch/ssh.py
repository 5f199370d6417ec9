"""SSH into the guest: with the proof's key, and not with a password."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from pathlib import Path

from zwizard.boottest.watch import guest_probe
from zwizard.boottest.watch.guest_probe import GuestFacts
from zwizard.host import tools
from zwizard.util.errors import ZwizardError

_USER_OPTIONS = ("-F", "none", "-l", "root", "-T")
_OPTIONS = (
    "StrictHostKeyChecking=no",
    "UserKnownHostsFile=/dev/null",
    "GlobalKnownHostsFile=/dev/null",
    "LogLevel=ERROR",
    "IdentityAgent=none",
    "IdentitiesOnly=yes",
)
_GUESSES = ("root", "password", "")
_ASKING = "".join(
    (
        "#!/bin/sh\n",  # says the next guess each time it is asked
        'asked=$(cat "$0.count" 2>/dev/null || echo 0)\n',
        'echo $((asked + 1)) >"$0.count"\n',
        "case $asked in\n",
        *(f"{number}) echo '{guess}' ;;\n" for number, guess in enumerate(_GUESSES)),
        "esac\n",
    )
)


def make_key(work: Path) -> str:
    """A key pair of this proof's own in ``work``; the public half."""
    tool = tools.find("ssh-keygen") or "ssh-keygen"
    command = [tool, "-q", "-t", "ed25519", "-N", "", "-C", "zwizard-proof", "-f", "key"]
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ZwizardError(f"ssh-keygen failed: {done.stderr.strip()}")
    return (work / "key.pub").read_text("ascii").strip()


def answers(port: int) -> bool:
    """Whether an SSH server greets at this port of this machine."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as made:
            return made.recv(4) == b"SSH-"
    except OSError:
        return False


class Session:
    """One SSH session as root: it asks the guest about itself, and powers it off in the end."""

    def __init__(self, work: Path, port: int, patience: float) -> None:
        self._answers = work / "answers"
        self._errors = work / "ssh.log"
        with self._answers.open("wb") as answers_, self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                _command(
                    port,
                    "BatchMode=yes",
                    "IdentityFile=key",
                    "PreferredAuthentications=publickey",
                    f"ConnectTimeout={round(patience)}",
                    remote="sh",
                ),
                cwd=work,
                stdin=subprocess.PIPE,
                stdout=answers_,
                stderr=errors,
            )
        self.write(guest_probe.QUESTIONS)

    def write(self, script: str) -> None:
        """Have the guest's shell run ``script``."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(script.encode())
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it is over, which `ended` tells

    def facts(self) -> GuestFacts:
        """What the guest has answered so far."""
        return GuestFacts.read(self._answers.read_text("utf-8", "replace"))

    @property
    def inside(self) -> bool:
        """Whether root is in: the guest has answered something."""
        return self._answers.stat().st_size > 0

    @property
    def ended(self) -> bool:
        """Whether the session is over."""
        return self._process.poll() is not None

    @property
    def said(self) -> str:
        """What ssh complained about, in a line."""
        lines = self._errors.read_text("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else f"ssh ended with {self._process.returncode}"


class PasswordGuess:
    """An attempt to get in with a password."""

    def __init__(self, work: Path, port: int) -> None:
        self._said = work / "guess.log"
        ask = work / "guess"
        ask.write_text(_ASKING, "utf-8")
        ask.chmod(0o700)
        environment = {**os.environ, "SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force"}
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                _command(
                    port,
                    "PubkeyAuthentication=no",
                    "PreferredAuthentications=password,keyboard-interactive",
                    f"NumberOfPasswordPrompts={len(_GUESSES)}",
                    remote="true",
                ),
                cwd=work,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )
        self.begun = time.monotonic()

    @property
    def ended(self) -> bool:
        """Whether it is decided."""
        return self._process.poll() is not None

    @property
    def accepted(self) -> bool:
        """Whether a password did it."""
        return self._process.poll() == 0

    @property
    def said(self) -> str:
        """What ssh said."""
        return self._said.read_text("utf-8", "replace")


def _command(port: int, *options: str, remote: str) -> list[str]:
    settings = [word for option in (*_OPTIONS, *options) for word in ("-o", option)]
    program = tools.find("ssh") or "ssh"
    return [program, *_USER_OPTIONS, "-p", str(port), *settings, "127.0.0.1", remote]
