"""How actions are done: what is shown is what runs, and nothing leaves the tree."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zwizard.engine.executor import CommandError, Executor, describe
from zwizard.engine.sandbox import Tree
from zwizard.steps import render
from zwizard.steps.actions import (
    OUT,
    ROOT,
    Action,
    Append,
    Host,
    InstallKernel,
    InTree,
    Link,
    LinkKernels,
    Pack,
    Remove,
    Write,
)
from zwizard.util.errors import ZwizardError

ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="sandboxes are made as root here")

MakeExecutor = Callable[..., Executor]


@pytest.fixture
def executor(tmp_path: Path) -> Iterator[MakeExecutor]:
    """Makes an executor for the tree ``root``, whose log is ``log``."""
    with (tmp_path / "log").open("wb") as log:

        def make(root: Path) -> Executor:
            tree = Tree(root, root, whole=True)
            return Executor(tree, tmp_path / "out.tar.gz", ENVIRONMENT, log)

        yield make


def by_bash(action: Action, root: Path, out: Path | None = None) -> None:
    """Run the line that is shown, as the exported script does."""
    head = f"set -euo pipefail; shopt -s dotglob nullglob; umask 022\n{render.functions(action)}\n"
    places = {"ROOT": str(root), "OUT": str(out or root / "out")}
    subprocess.run(["bash", "-c", head + action.shell()], check=True, env=ENVIRONMENT | places)


def listing(root: Path) -> list[tuple[str, int, bytes]]:
    """Every path below ``root``, with its mode and what it holds."""
    found = []
    for path in sorted(root.rglob("*")):
        mode = path.lstat().st_mode
        held = os.fsencode(path.readlink()) if path.is_symlink() else b""
        if stat.S_ISREG(mode):
            held = path.read_bytes()
        found.append((str(path.relative_to(root)), mode, held))
    return found


HOSTILE_NAMES = ("a b", "$HOME", "`id`", "'", '"', "-rf", "new\nline", "[ab]", "?", "grün", "\\n")
TEXTS = (
    "",
    "plain\n",
    "END\n",
    "END\nEND_\n'quoted' \"text\" $HOME `id` $(id) \\\n",
    "<<END\n\tTab\r\n",
    "漢字\n\n\n",
)


def furnish(root: Path) -> None:
    """What actions find: files, dot files, hostile names, links, a directory with a mode."""
    for directory in ("etc/ssh", "dev", "tmp/deep/er", "var/lists"):
        (root / directory).mkdir(parents=True)
    (root / "etc/modules").write_text("# modules\n")
    (root / "etc/private").write_text("secret")
    (root / "etc/private").chmod(0o600)
    (root / "etc/localtime").symlink_to("/usr/share/zoneinfo/UTC")
    for number, name in enumerate((*HOSTILE_NAMES, ".hidden", "..odd", "plain.log")):
        (root / "tmp" / name).write_text(str(number))
        (root / "var/lists" / name).mkdir()
    (root / "tmp/outward").symlink_to("/etc")
    (root / "etc/ssh/ssh_host_rsa_key").write_text("key")
    (root / "etc/ssh/ssh_host_rsa_key.pub").write_text("key")
    (root / "etc/ssh/sshd_config").write_text("config")


ACTIONS: list[Action] = [
    *(Write("/etc/new/file", text) for text in TEXTS),
    *(Write(f"/etc/{name}", "text\n") for name in HOSTILE_NAMES),
    Write("/etc/private", "public\n"),
    Write("/etc/private", "still private\n", mode=0o600),
    Write("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", mode=0o755),
    Write("/etc/localtime", "no link any more\n"),
    *(Append("/etc/modules", text) for text in TEXTS),
    Append("/etc/not-yet", "first\n"),
    Link("/etc/localtime", "/usr/share/zoneinfo/Europe/Paris"),
    Link("/etc/private", "../where $HOME 'is'"),
    *(Link(f"/etc/{name}", name) for name in HOSTILE_NAMES),
    *(Remove((f"/tmp/{name}",)) for name in HOSTILE_NAMES),
    Remove(("/tmp/*",)),
    Remove(("/var/lists/*", "/etc/ssh/ssh_host_*", "/tmp/*.log")),
    Remove(("/tmp", "/etc/localtime", "/tmp/.hidden")),
    Remove(("/nowhere", "/no/where/*", "/tmp/nothing*")),
    Remove(("/tmp/..*",)),
    Remove(("/tmp/outward",)),
]


@pytest.mark.parametrize("action", ACTIONS, ids=str)
def test_the_line_that_is_shown_leads_to_the_tree_that_is_made(
    action: Action, executor: MakeExecutor, tmp_path: Path
) -> None:
    shown, made = tmp_path / "shown", tmp_path / "made"
    furnish(shown)
    furnish(made)
    before = listing(made)
    by_bash(action, shown)
    executor(made).perform(action)
    assert listing(made) == listing(shown)
    harmless = isinstance(action, Append) and not action.text
    missing = isinstance(action, Remove) and action.patterns[0].startswith("/no")
    assert harmless or missing or listing(made) != before
    assert Path("/etc").is_dir()


LINES = st.lists(
    st.sampled_from(("END", "END_", "'", '"', "$(id)", "`", "\\", "", "EOF", " END", "\x0b", "ü")),
    min_size=1,
)


@given(LINES)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_written_whole(tmp_path: Path, lines: list[str]) -> None:
    text = "".join(f"{line}\n" for line in lines)
    by_bash(Write("/file", text), tmp_path)
    assert (tmp_path / "file").read_text() == text


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_host_command_gets_the_arguments_that_are_shown(
    name: str, executor: MakeExecutor, tmp_path: Path
) -> None:
    action = Host(("touch", "--", f"{ROOT}/{name}", ROOT, OUT))
    shown, made = tmp_path / "shown", tmp_path / "made"
    shown.mkdir()
    made.mkdir()
    by_bash(action, shown, tmp_path / "out")
    executor(made).perform(action)
    assert [path.name for path in made.iterdir()] == [name]
    assert listing(made) == listing(shown)


@pytest.mark.parametrize("command", [*HOSTILE_NAMES, "$ROOT", "$ROOT/x", "$OUT"])
def test_a_command_in_the_tree_is_shown_to_the_letter(command: str) -> None:
    """Not even a command that looks like a place of ours is replaced by the place."""
    line = InTree(("sh", "-c", command)).shell()
    code = f"in_tree() {{ printf '%s\\0' \"$@\"; }}\nROOT=/tree OUT=/out\n{line}"
    done = subprocess.run(["bash", "-c", code], check=True, capture_output=True)
    assert done.stdout.decode().split("\0")[:-1] == ["sh", "-c", command]


@needs_root
def test_a_command_in_the_tree_does_not_see_where_the_tree_is(
    executor: MakeExecutor, tmp_path: Path
) -> None:
    executor(Path("/")).perform(InTree(("sh", "-c", 'echo "<${ROOT-}${OUT-}${DOWNLOADS-}>"')))
    assert (tmp_path / "log").read_text().endswith("\n<>\n")


def test_the_archive_holds_what_the_shown_pipeline_puts_into_it(
    executor: MakeExecutor, tmp_path: Path
) -> None:
    root = tmp_path / "tree"
    furnish(root)
    action = Pack(2, 1_686_355_200)
    by_bash(action, root, tmp_path / "shown.tar.gz")
    executor(root).perform(action)
    made, shown = (tmp_path / name for name in ("out.tar.gz", "shown.tar.gz"))
    assert made.read_bytes() == shown.read_bytes()
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()
    subprocess.run(["tar", "-xpzf", tmp_path / "out.tar.gz", "-C", unpacked], check=True)
    assert listing(unpacked) == listing(root)


def test_a_pack_that_fails_half_way_is_not_taken_for_an_archive(
    executor: MakeExecutor, tmp_path: Path
) -> None:
    with pytest.raises(CommandError):
        executor(tmp_path / "no-tree").perform(Pack(2, 0))


# --- nothing leaves the tree --------------------------------------------------------------------


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A directory beside the tree, to which a link in the tree leads."""
    place = tmp_path / "outside"
    place.mkdir()
    (place / "file").write_text("outside")
    root = tmp_path / "tree"
    root.mkdir()
    (root / "etc").symlink_to(place)
    (root / "up").symlink_to("../outside")
    (root / "real").mkdir()
    (root / "real/file").symlink_to(place / "file")
    (root / "real/new").symlink_to(place / "new")
    return place


THROUGH_A_LINK: list[Action] = [
    Write("/etc/file", "in"),
    Write("/etc/deep/er", "in"),
    Write("/up/file", "in"),
    Append("/etc/file", "in"),
    Append("/real/file", "in"),
    Append("/real/new", "in"),
    Link("/etc/file", "x"),
    Remove(("/etc/file",)),
    Remove(("/etc/*",)),
    Remove(("/up/*",)),
]


@pytest.mark.parametrize("action", THROUGH_A_LINK, ids=str)
def test_a_link_out_of_the_tree_is_refused_in_words(
    action: Action, executor: MakeExecutor, outside: Path
) -> None:
    before = listing(outside)
    with pytest.raises(ZwizardError, match=r"not a (directory of this tree|file)") as caught:
        executor(outside.parent / "tree").perform(action)
    assert "such a link" in caught.value.hint
    assert listing(outside) == before


def test_a_link_in_a_files_place_is_replaced_and_what_it_led_to_stays(
    executor: MakeExecutor, outside: Path
) -> None:
    root = outside.parent / "tree"
    executor(root).perform(Write("/real/file", "inside"))
    executor(root).perform(Remove(("/up",)))
    executor(root).perform(Write("/etc", "a file now"))
    assert (root / "real/file").read_text() == "inside"
    assert not (root / "up").is_symlink()
    assert (outside / "file").read_text() == "outside"


def test_a_pipe_in_a_files_place_is_refused_and_not_waited_for(
    executor: MakeExecutor, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ZwizardError, match="/pipe is not a file"):
        executor(tmp_path).perform(Append("/pipe", "text\n"))


def test_no_descriptor_is_left_open(executor: MakeExecutor, tmp_path: Path) -> None:
    root = tmp_path / "tree"
    furnish(root)
    here = executor(root)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - iterdir holds one itself
    for action in ACTIONS[:12]:
        here.perform(action)
    with pytest.raises(ZwizardError):
        here.perform(Write("/etc/localtime/x", ""))
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


# --- commands -----------------------------------------------------------------------------------


def sh(command: str) -> Host:
    return Host(("sh", "-c", command))


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (1, "exit status 1"),
        (126, "cannot be executed (exit status 126)"),
        (127, "command not found (exit status 127)"),
        (128, "exit status 128"),
        (-9, "ended by signal 9 (SIGKILL)"),
        (143, "ended by signal 15 (SIGTERM)"),
        (255, "exit status 255"),
    ],
)
def test_an_exit_status_is_described_in_words(status: int, words: str) -> None:
    assert describe(status) == words


@pytest.mark.parametrize(
    ("command", "status"), [("exit 3", 3), ("kill -9 $$", 137), ("no-such-program", 127)]
)
def test_a_failing_command_is_named_with_its_status_ready_to_paste(
    command: str, status: int, executor: MakeExecutor, tmp_path: Path
) -> None:
    with pytest.raises(CommandError) as caught:
        executor(tmp_path).perform(sh(command))
    assert caught.value.status == status
    assert caught.value.shell == sh(command).shell()
    assert caught.value.message == f"{describe(status)}: {sh(command).shell()}"


def test_a_missing_program_fails_before_anything_runs(
    executor: MakeExecutor, tmp_path: Path
) -> None:
    with pytest.raises(CommandError, match=r"command not found .*: no-such-tool --really"):
        executor(tmp_path).perform(Host(("no-such-tool", "--really")))


def test_all_output_is_in_the_log_after_the_line_that_ran(
    executor: MakeExecutor, tmp_path: Path
) -> None:
    command = "seq 200000; echo oops >&2; printf 'no newline \\377'"
    executor(tmp_path).perform(sh(command))
    numbers = "".join(f"{number}\n" for number in range(1, 200_001))
    expected = f"+ {sh(command).shell()}\n{numbers}oops\nno newline ".encode() + b"\377"
    assert (tmp_path / "log").read_bytes() == expected


def test_a_command_has_nothing_to_read_and_only_the_plans_environment(
    executor: MakeExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "canary")
    executor(tmp_path).perform(sh("wc -c; env; test ! -t 1"))
    output = (tmp_path / "log").read_text()
    assert "\n0\n" in output
    assert "canary" not in output
    assert "LC_ALL=C.UTF-8" in output


def test_what_a_command_leaves_running_does_not_hold_the_step_up(
    executor: MakeExecutor, tmp_path: Path
) -> None:
    began = time.monotonic()
    executor(tmp_path).perform(sh(f"sleep 60 & echo $! > {tmp_path}/pid"))
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    assert time.monotonic() - began < 50


def test_the_tools_of_these_tests_are_here() -> None:
    assert [tool for tool in ("bash", "tar", "install") if not shutil.which(tool)] == []


# --- what the archive must be, and what no link may reach ---------------------------------------


def test_the_archive_lists_names_in_order_and_owners_as_numbers(
    executor: MakeExecutor, tmp_path: Path
) -> None:
    root = tmp_path / "tree"
    root.mkdir()
    names = [f"{number * 7919 % 1000:03}" for number in range(200)]
    for name in names:
        (root / name).touch()
    if os.geteuid() == 0:
        os.chown(root / names[0], pwd.getpwnam("daemon").pw_uid, grp.getgrnam("daemon").gr_gid)
    executor(root).perform(Pack(2, 0))
    with tarfile.open(tmp_path / "out.tar.gz") as archive:
        members = archive.getmembers()
    assert [member.name for member in members] == [".", *(f"./{name}" for name in sorted(names))]
    assert {(member.uname, member.gname) for member in members} == {("", "")}


KERNEL_ACTIONS: list[Action] = [LinkKernels("/.script"), InstallKernel("KERNEL", "", "", "")]


@pytest.mark.parametrize("action", KERNEL_ACTIONS, ids=lambda action: type(action).__name__)
def test_a_boot_that_is_a_link_out_of_the_tree_is_left_alone(
    action: Action, executor: MakeExecutor, tmp_path: Path
) -> None:
    root, outside = tmp_path / "tree", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (root / "boot").symlink_to(outside)
    (tmp_path / ".script").write_text("touch written\n")  # where ../.script leads from outside
    (root / ".script").write_text("touch written\n")
    (tmp_path / "vmlinuz").write_bytes(b"kernel")
    if isinstance(action, InstallKernel):
        action = replace(action, location=str(tmp_path / "vmlinuz"))
    with pytest.raises(ZwizardError, match="boot is not a directory of this tree"):
        executor(root).perform(action)
    with pytest.raises(subprocess.CalledProcessError):
        by_bash(action, root)
    assert list(outside.iterdir()) == []


def test_a_kernel_of_the_recipes_takes_the_place_of_the_trees(
    executor: MakeExecutor, tmp_path: Path
) -> None:
    root = tmp_path / "tree"
    (root / "boot").mkdir(parents=True)
    for name in ("vmlinuz", "initrd.img", "initrd.img-6.1"):
        (root / "boot" / name).write_text("the tree's")
    (tmp_path / "mine").write_text("mine")
    executor(root).perform(InstallKernel(str(tmp_path / "mine"), "", "", ""))
    assert {p.name for p in (root / "boot").iterdir()} == {"initrd.img-6.1", "vmlinuz-own"}
    assert (root / "boot/vmlinuz-own").read_text() == "mine"
