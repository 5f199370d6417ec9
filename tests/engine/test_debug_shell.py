"""A shell in a step's tree: what it finds, what it leaves, and where it cannot go."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.builds import begin, fail, finish, new_build
from zwizard.engine import debug_shell, gc, layers
from zwizard.engine.builds import Build
from zwizard.engine.layers import Store
from zwizard.host.privileges import find_privilege
from zwizard.plan import targets
from zwizard.recipe.model import Recipe
from zwizard.util import paths
from zwizard.util.errors import UsageError

pytestmark = pytest.mark.slow

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="by another right layers are elsewhere")

Capture = pytest.CaptureFixture[str]


def program(name: str, tree: Path) -> None:
    """Put a program of this machine into ``tree``, with the libraries that it loads."""
    found = shutil.which(name)
    assert found
    real = Path(found).resolve()
    needed = subprocess.run(["ldd", real], capture_output=True, text=True, check=True).stdout
    for path in {found, *re.findall(r"/\S+", needed)}:
        place = tree / path.removeprefix("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)


def store() -> Store:
    return Store(find_privilege().layers_below(paths.cache()))


def base(build: Build) -> None:
    """Give ``build`` the layer of its first step: a tree in which there is a shell."""
    made = store()
    work = made.work("test")
    tree = work / "tree"
    for directory in ("etc", "usr/bin"):
        (tree / directory).mkdir(parents=True)
    (tree / "bin").symlink_to("usr/bin")
    for name in ("sh", "cat", "ls"):
        program(f"/usr/bin/{name}", tree)
    (tree / "etc/motto").write_text("as it was\n")
    first = targets.make(build.recipe()).fingerprints()[0]
    made.commit(
        work, layers.new_layer(first, "bootstrap", tree, whole=True, since=time.monotonic())
    )


@pytest.fixture
def build(tmp_path: Path) -> Build:
    made = new_build("web", tmp_path)
    begin(made)
    return made


def run(build: Build, step: str, command: str) -> subprocess.CompletedProcess[str]:
    """``zwizard shell BUILD STEP -c COMMAND``, as it is pasted."""
    line = debug_shell.by_hand(build, step, command)
    directory = Path(sys.executable).parent
    return subprocess.run(
        ["bash", "-c", line],
        env={**os.environ, "PATH": f"{directory}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )


@needs_root
def test_a_steps_command_pasted_runs_in_its_tree(build: Build) -> None:
    base(build)
    done = run(build, "packages", "in_tree cat '/etc/motto' \\\n /usr/sbin/policy-rc.d")
    assert done.stderr == ""
    assert done.stdout == "as it was\n#!/bin/sh\nexit 101\n"  # what the step writes first is there
    assert done.returncode == 0


@needs_root
def test_the_mounts_are_those_of_the_steps_commands(build: Build) -> None:
    base(build)
    done = run(build, "packages", 'in_tree sh -c "ls /dev; cat /proc/1/comm; ls /"')
    assert {"null", "pts", "shm", "tty"} <= set(done.stdout.split())
    assert "\nsh\n" in done.stdout  # a /proc of its own: process 1 is the command


@needs_root
def test_what_is_changed_is_thrown_away(build: Build) -> None:
    base(build)
    before = sorted(map(str, store().directory.glob("[!.]*/**/*")))
    assert (
        run(build, "packages", 'echo other >"$ROOT/etc/motto"; rm -rf "$ROOT/etc"').returncode == 0
    )
    assert run(build, "packages", 'cat "$ROOT/etc/motto"').stdout == "as it was\n"
    assert sorted(map(str, store().directory.glob("[!.]*/**/*"))) == before


@needs_root
def test_the_command_s_exit_status_is_returned(build: Build) -> None:
    base(build)
    assert run(build, "packages", "exit 7").returncode == 7
    assert run(build, "packages", "in_tree no-such-command").returncode == 1


@needs_root
def test_an_open_shell_is_not_cleaned_away_and_a_killed_one_is(build: Build) -> None:
    base(build)
    command = [sys.executable, "-m", "zwizard", "shell", "web", "packages", "-c", "sleep 60"]
    opened = subprocess.Popen(command)

    until = time.monotonic() + 50
    while not list(store().directory.glob(".work/shell-*/log")):
        assert time.monotonic() < until
        time.sleep(0.05)
    assert gc.clean().bytes == 0
    assert list(store().directory.glob(".work/shell-*"))
    children = Path(f"/proc/{opened.pid}/task/{opened.pid}/children").read_text().split()
    for doomed in (opened.pid, *map(int, children)):
        os.kill(doomed, signal.SIGKILL)
    opened.wait()
    until = time.monotonic() + 50
    while gc.clean().bytes == 0:
        assert time.monotonic() < until
        time.sleep(0.05)
    assert not list(store().directory.glob(".work/shell-*"))


def test_a_step_that_cannot_be_entered_says_why(build: Build) -> None:
    with pytest.raises(UsageError, match="bootstrap before it is not finished"):
        debug_shell.enter(build, "kernel", "true")
    with pytest.raises(UsageError, match="there is no step 'no'") as raised:
        debug_shell.enter(build, "no", "true")
    assert "bootstrap, packages" in raised.value.hint


def test_a_stopped_build_opens_the_step_it_stopped_in(build: Build) -> None:
    assert debug_shell.step_of(build) == "bootstrap"
    finish(build, "bootstrap")
    fail(build, "packages")
    assert debug_shell.step_of(build) == "packages"


def test_a_finished_build_opens_its_last_step(tmp_path: Path) -> None:
    build = new_build("web", tmp_path, Recipe())
    for step in begin(build):
        finish(build, step)
    assert debug_shell.step_of(build) == "pack"


def test_a_line_to_paste_is_one_word_to_the_shell(build: Build) -> None:
    command = "in_tree sh -c 'echo `id` $HOME'"
    line = debug_shell.by_hand(build, "packages", command)
    words = subprocess.run(
        ["bash", "-c", f"printf '%s\\n' {line}"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert words == ["zwizard", "shell", "web", "packages", "-c", command]


def test_without_a_terminal_a_shell_is_refused_with_what_needs_none(build: Build) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "zwizard", "shell", "web"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "needs a terminal; -c COMMAND works without one" in done.stderr
