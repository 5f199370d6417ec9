"""SSH into the guest: with the boot test's key, and attempts with passwords."""

import os
import socket
import subprocess
from pathlib import Path

from zwizard.boottest.watch import guest_probe
from zwizard.boottest.watch.guest_probe import GuestFacts
from zwizard.host import tools

_USER_OPTIONS = ("-F", "none", "-l", "root", "-T")
_OPTIONS = (
    "StrictHostKeyChecking=no",
    "UserKnownHostsFile=/dev/null",
    "GlobalKnownHostsFile=/dev/null",
    "LogLevel=ERROR",
    "IdentityAgent=none",
    "IdentitiesOnly=yes",
)
_ASKPASS = """\
#!/bin/sh
# Prints the next of three guesses each time it runs.
asked=$(cat "$0.count" 2>/dev/null || echo 0)
echo $((asked + 1)) >"$0.count"
case $asked in 0) echo root ;; 1) echo password ;; *) echo ;; esac
"""


def make_key(work: Path) -> str:
    """Create this boot test's key pair in ``work``; returns the public key."""
    options = ("-q", "-t", "ed25519", "-N", "", "-C", "zwizard-boot-test", "-f", "key")
    tools.run("ssh-keygen", *options, cwd=work)
    return (work / "key.pub").read_text("ascii").strip()


def has_ssh_server(port: int) -> bool:
    """Whether an SSH server greets at this port of this machine."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as made:
            return made.recv(4) == b"SSH-"
    except OSError:
        return False


class SshSession:
    """An SSH session as root that collects facts about the guest, and powers it off at the end."""

    def __init__(self, work: Path, port: int, patience: float) -> None:
        self._output = work / "facts"
        self._errors = work / "ssh.log"
        with self._output.open("wb") as output, self._errors.open("wb") as errors:
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
                stdout=output,
                stderr=errors,
            )
        self.write(guest_probe.PROBE_SCRIPT)

    def write(self, script: str) -> None:
        """Run ``script`` in the guest's shell."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(script.encode())
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # the session ended; see `ended`

    def facts(self) -> GuestFacts:
        """The facts received so far."""
        return GuestFacts.read(self._output.read_text("utf-8", "replace"))

    @property
    def ended(self) -> bool:
        """Whether the session is over."""
        return self._process.poll() is not None

    @property
    def error(self) -> str:
        """The last line that ssh printed as an error."""
        lines = self._errors.read_text("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else f"ssh ended with {self._process.returncode}"


class PasswordGuess:
    """An attempt to log in with usual passwords."""

    def __init__(self, work: Path, port: int) -> None:
        self._log = work / "guess.log"
        ask = work / "guess"
        ask.write_text(_ASKPASS, "utf-8")
        ask.chmod(0o700)
        environment = {**os.environ, "SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force"}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                _command(
                    port,
                    "PubkeyAuthentication=no",
                    "PreferredAuthentications=password,keyboard-interactive",
                    "NumberOfPasswordPrompts=3",
                    remote="true",
                ),
                cwd=work,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    @property
    def ended(self) -> bool:
        """Whether the attempt is over."""
        return self._process.poll() is not None

    @property
    def accepted(self) -> bool:
        """Whether a password was accepted."""
        return self._process.poll() == 0

    @property
    def output(self) -> str:
        """The output of ssh."""
        return self._log.read_text("utf-8", "replace")


def _command(port: int, *options: str, remote: str) -> list[str]:
    settings = [word for option in (*_OPTIONS, *options) for word in ("-o", option)]
    program = tools.find("ssh") or "ssh"
    return [program, *_USER_OPTIONS, "-p", str(port), *settings, "127.0.0.1", remote]
