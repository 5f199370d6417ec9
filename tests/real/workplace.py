"""Directories to run the installed zwizard in, as root or as an ordinary user."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zwizard.engine.builds import Build
from zwizard.engine.layers import Store
from zwizard.host.privileges import Privilege

ZWIZARD = Path(sys.executable).with_name("zwizard")


@dataclass(frozen=True)
class Result:
    """How a command ended, and the events it printed."""

    code: int
    output: str
    errors: str

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events that ``--json`` printed, one a line."""
        return [json.loads(line) for line in self.output.splitlines()]

    def steps(self, event: str) -> list[str]:
        """The steps of these events."""
        return [e["step"] for e in self.events if e["event"] == event]

    def last(self, event: str) -> dict[str, Any]:
        """The last such event."""
        return [e for e in self.events if e["event"] == event][-1]


@dataclass(frozen=True)
class Workplace:
    """A directory with state, cache and recipes; ``user`` runs what is run, if not this one.

    Others may share ``shared_cache``, if there is one.
    """

    directory: Path
    user: str = ""
    shared_cache: Path | None = None

    @property
    def cache(self) -> Path:
        """Where layers are kept."""
        return self.shared_cache or self.directory / "cache"

    @property
    def layers(self) -> Path:
        """The one layer directory that the builds here have made."""
        (found,) = (self.cache / "zwizard/layers").iterdir()
        return found

    def workspaces(self) -> list[Path]:
        """Where the builds of this directory work, if they run, and shells in their trees."""
        builds = map(Build, self.build_directory("").iterdir())
        root = Privilege("root", "root")
        names = [build.workspace(self.cache, root).name for build in builds]
        return [*map(Store(self.layers).work, names), *Store(self.layers).work("").glob("shell-*")]

    def build_directory(self, name: str) -> Path:
        """Where a build is kept."""
        return self.directory / "state/zwizard/builds" / name

    def recipe(self, name: str, text: str = "", target: str = "vm") -> Path:
        """A recipe file of a VM called ``name``; ``text`` are its further tables."""
        path = self.directory / f"{name}.toml"
        path.write_text(f'name = "{name}"\ntarget = "{target}"\n{text}', encoding="utf-8")
        return path

    def command(self, *arguments: str | Path) -> list[str]:
        """The command line that runs ``zwizard`` here."""
        become = ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--init-groups"]
        variables = [
            f"XDG_STATE_HOME={self.directory}/state",
            f"XDG_CACHE_HOME={self.cache}",
            f"HOME={self.directory}",
        ]
        prefix = become if self.user else []
        # Whoever runs the tests in a shell's background has Ctrl-C ignored, which is inherited.
        return [
            *prefix,
            "env",
            "--default-signal=INT",
            *variables,
            str(ZWIZARD),
            *map(str, arguments),
        ]

    def run(self, *arguments: str | Path) -> Result:
        """Run ``zwizard`` here, to its end."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=1200,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """Begin ``zwizard`` here."""
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def journal(self, name: str) -> list[dict[str, Any]]:
        """The events of a build so far."""
        path = self.build_directory(name) / "journal.jsonl"
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()]

    def wait_for_step(self, name: str, step: str) -> None:
        """Wait until a build is in a step."""
        self.wait_for(
            lambda: (
                (self.build_directory(name) / "journal.jsonl").exists()
                and any(e.get("step") == step for e in self.journal(name))
            ),
            f"{name} never came to {step}",
        )

    @staticmethod
    def wait_for(condition: Any, otherwise: str, seconds: float = 300) -> None:
        """Wait until ``condition`` holds."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, otherwise
            time.sleep(0.1)

    def traces(self) -> list[str]:
        """What a build leaves behind here, apart from what disappears within seconds."""
        end = time.monotonic() + 20
        while (found := self.traces_now()) and time.monotonic() < end:
            time.sleep(0.1)
        return found

    def traces_now(self) -> list[str]:
        """The mounts, processes, half-made layers and files of builds here that are there now."""
        workspaces = self.workspaces()
        places = [str(self.directory), *map(str, workspaces)]

        def is_here(text: str) -> bool:
            return any(place in text for place in places)

        found = [
            f"mount {line.split()[4]}"
            for table in Path("/proc").glob("[0-9]*/mountinfo")
            for line in _read(table).splitlines()
            if len(line.split()) > 4 and is_here(line.split()[4])
        ]
        found += [
            f"process {entry.name}: {command}"
            for entry in Path("/proc").glob("[0-9]*")
            if is_here(command := _read(entry / "cmdline").replace("\0", " "))
            and entry.name != str(os.getpid())
        ]
        loops = Path("/sys/block").glob("loop*/loop/backing_file")
        found += [f"loop {loop}" for loop in loops if is_here(_read(loop))]
        hidden = [*self.layers.glob(".*"), *filter(Path.exists, workspaces)]
        found += [
            f"file {path}" for path in hidden if path.name not in {".downloads", ".locks", ".work"}
        ]
        found += [f"file {path}" for path in self.directory.glob(".*.part")]
        return found


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""  # a process that has ended meanwhile


def is_root() -> bool:
    """Whether the tests run as root."""
    return os.geteuid() == 0
