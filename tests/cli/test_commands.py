"""The commands, as people, scripts and pipes meet them."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engine.hand import begin, end, fail, finish, new_build, running
from tests.image.composed import packed, vm_tree
from zwizard import __version__
from zwizard.__main__ import main
from zwizard.cli import app
from zwizard.engine import builds
from zwizard.engine.builds import Build
from zwizard.host import tools as doctor
from zwizard.plan.targets import make
from zwizard.recipe.model import Recipe

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs ``zwizard`` with these arguments: exit code, standard output, standard error."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["zwizard", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, said.out, said.err

    return run


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    file = tmp_path / "web.toml"
    file.write_text('name = "web"\n')
    return file


@pytest.fixture
def build(tmp_path: Path) -> Build:
    return new_build("web", tmp_path)


def refused(told: tuple[int, str, str], what: str, hint: str = "") -> None:
    """Assert a usage error: exit code 2, nothing on stdout, what is wrong and what to do."""
    code, out, err = told
    assert (code, out) == (2, "")
    lines = err.splitlines()
    assert lines[0].startswith("zwizard: ")
    assert what in lines[0]
    assert hint in err
    assert "Traceback" not in err


COMMANDS = tuple(app.COMMANDS)


def test_help_names_every_command(run: Run) -> None:
    code, out, _ = run("--help")
    assert code == 0
    listed = [line.split()[0] for line in out.partition("Commands:\n")[2].splitlines() if line]
    assert set(COMMANDS) <= set(listed)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_every_command_has_help_that_fits_the_terminal(
    run: Run, command: str, option: str
) -> None:
    code, out, err = run(command, option)
    assert (code, err) == (0, "")
    assert out.startswith(f"Usage: zwizard {command} ")
    assert max(map(len, out.splitlines())) <= 80


def test_the_version_is_told_without_loading_a_face_or_the_engine() -> None:
    code = (
        "import sys; from zwizard.__main__ import main; sys.argv = ['zwizard', '--version']\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'textual', 'rich', 'questionary', 'sh', 'humanize', 'zwizard.engine'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"zwizard {__version__}\n[]\n"


def test_the_program_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "zwizard", "lst"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("zwizard: No such command 'lst'. Did you mean 'list'?\n")


# --- usage --------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [(), ("new",), ("new", "--plain"), ("new", "--from", "x")])
def test_without_a_terminal_the_wizard_says_in_one_line_what_to_use_instead(
    run: Run, arguments: tuple[str, ...]
) -> None:
    told = run(*arguments)
    refused(told, "the wizard needs a terminal; build RECIPE")
    assert len(told[2].splitlines()) == 1


def test_without_a_terminal_the_picker_says_what_to_name(run: Run) -> None:
    refused(run("resume"), "needs a terminal; name the BUILD: zwizard list shows them")


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("lst",), "Did you mean 'list'?"),
        (("list", "extra"), "unexpected extra argument (extra)"),
        (("list", "--jsno"), "No such option '--jsno'"),
        (("show",), "Missing argument 'BUILD'"),
        (("new", "--from"), "Option '--from' requires an argument"),
        (("check", "x", "--mode", "virtual"), "'virtual' is not one of"),
        (("completion", "tcsh"), "'tcsh' is not one of"),
    ],
)
def test_a_mistyped_command_line_is_told_like_any_other_error(
    run: Run, arguments: tuple[str, ...], what: str
) -> None:
    refused(run(*arguments), what, "zwizard --help lists the commands.")


@pytest.mark.parametrize("command", ["show", "log", "cancel", "rm", "resume"])
def test_a_build_that_is_not_there_is_told_with_those_that_are(
    run: Run, build: Build, command: str
) -> None:
    refused(run(command, "wbe"), "there is no build 'wbe'", "Builds: web.")


@pytest.mark.parametrize("command", ["build", "plan"])
def test_a_recipe_with_typos_names_each_on_its_line(run: Run, recipe: Path, command: str) -> None:
    recipe.write_text('nam = "web"\n[source]\nsuite = "bookwrm"\npackages = "vim"\n')
    told = run(command, recipe)
    refused(told, f"{recipe} cannot be used:", "Mend the keys above and try again.")
    assert told[2].splitlines()[1:4] == [
        "  nam: there is no such key; did you mean name?",
        "  source.packages = 'vim': allowed is a list of strings",
        "  Mend the keys above and try again.",
    ]
    recipe.write_text('[source]\nsuite = "bookwrm"\n')
    assert "Did you mean 'bookworm'?" in run(command, recipe)[2]


@pytest.mark.parametrize("command", ["build", "plan"])
def test_a_recipe_that_is_not_there_is_named(run: Run, tmp_path: Path, command: str) -> None:
    refused(run(command, tmp_path / "web.tml"), "web.tml cannot be read: No such file")


def test_what_the_command_line_carries_cannot_act_on_the_terminal(run: Run) -> None:
    code, _, err = run("show", "\x1b]0;owned\x07\x1b[2Jx\u202e")
    assert code == 2
    assert "\x1b" not in err
    assert "\x07" not in err
    assert "\u202e" not in err


@pytest.mark.parametrize("variable", ["XDG_STATE_HOME", "XDG_CACHE_HOME"])
def test_a_place_that_cannot_be_written_is_told_with_what_moves_it(
    run: Run, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(variable, str(tmp_path / "file"))
    code, out, err = run("build", recipe)
    assert code == 1
    assert f"{tmp_path / 'file'}" in out + err
    assert variable in out + err
    assert "Traceback" not in out + err


def test_a_full_disk_behind_the_output_is_told_and_not_traced(recipe: Path) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123 - it is no file
        done = subprocess.run(
            [sys.executable, "-m", "zwizard", "plan", str(recipe)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode != 0
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_terminal_that_lacks_a_glyph_gets_another(build: Build) -> None:
    begin(build)
    done = subprocess.run(
        [sys.executable, "-m", "zwizard", "show", "web"],
        env=os.environ | {"PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"? bootstrap" in done.stdout


# --- list, show, log ----------------------------------------------------------------------------


def test_with_no_builds_the_list_says_how_to_begin(run: Run) -> None:
    assert run("list") == (0, "no builds yet; `zwizard` begins one\n", "")
    assert run("list", "--json") == (0, "[]\n", "")


def test_the_list_tells_each_builds_state_and_step(run: Run, tmp_path: Path) -> None:
    done, failed, cut = (new_build(name, tmp_path) for name in ("done", "failed", "cut"))
    end(done)
    begin(failed)
    finish(failed, "bootstrap")
    fail(failed, "packages")
    begin(cut)
    new_build("fresh", tmp_path)
    code, out, _ = run("list")
    assert code == 0
    lines = {line[15:].split()[0]: line for line in out.splitlines()}
    assert lines["done"].startswith("✓ ready")
    assert "7 Bytes" in lines["done"]
    assert lines["failed"].startswith("✗ failed")
    assert "2/7 packages" in lines["failed"]
    assert lines["cut"].startswith("■ interrupted")
    assert lines["fresh"].startswith("○ new")
    assert all("vm · Debian bookworm" in line for line in lines.values())


def test_the_list_as_json_is_one_record_a_build(run: Run, build: Build) -> None:
    archive = end(build)
    code, out, _ = run("list", "--json")
    (record,) = json.loads(out)
    assert code == 0
    assert record["build"] == "web"
    assert record["state"] == "ready"
    assert (record["steps"], record["steps_done"]) == (7, 7)
    assert record["archive"] == str(archive)
    assert record["archive_exists"] is True
    assert record["sha256"] == "ab" * 32


def test_a_build_is_shown_with_its_steps_and_its_archive(run: Run, build: Build) -> None:
    archive = end(build)
    code, out, _ = run("show", "web")
    assert code == 0
    assert out.startswith("web: vm · Debian bookworm, ready\n")
    assert out.count("✓") == 7
    assert f"archive  {archive}\n" in out
    assert f"sha256   {'ab' * 32}\n" in out
    assert f"build    {build.directory}\n" in out


def test_a_failed_build_is_shown_with_what_it_means(run: Run, build: Build) -> None:
    begin(build)
    fail(build, "bootstrap", cause="The disk is full: free some space")
    _, out, _ = run("show", "web")
    assert "✗ bootstrap" in out
    assert "bootstrap: exit status 100" in out
    assert "The disk is full" in out


def test_a_build_as_json_has_its_steps(run: Run, build: Build) -> None:
    begin(build)
    finish(build, "bootstrap", seconds=21.5, size=999)
    code, out, _ = run("show", "web", "--json")
    told = json.loads(out)
    assert code == 0
    assert told["state"] == "interrupted"
    assert told["step_states"][0] == {
        "name": "bootstrap",
        "state": "done",
        "seconds": 21.5,
        "bytes": 999,
    }
    assert [step["state"] for step in told["step_states"][1:]] == ["waiting"] * 6


def test_a_build_of_another_version_is_listed_and_shown_all_the_same(
    run: Run, build: Build
) -> None:
    build.recipe_file.write_text("colour = 3\n")
    assert "a recipe of another version" in run("list")[1]
    assert "a recipe of another version" in run("show", "web")[1]
    assert json.loads(run("list", "--json")[1])[0]["target"] == ""


def write_log(build: Build, number: int, step: str, data: bytes) -> None:
    log = build.step_log(number, step)
    log.parent.mkdir(exist_ok=True)
    log.write_bytes(data)


HOSTILE = b"one\n\x1b]0;owned\x07two\x1b[2J\x1b[31m\nprogress 1%\rprogress 100%\n\xff\xfe[red]\tx"


def test_a_log_cannot_act_on_the_terminal_and_loses_no_line(run: Run, build: Build) -> None:
    write_log(build, 1, "bootstrap", HOSTILE)
    assert run("log", "web", "bootstrap") == (
        0,
        "one\ntwo\nprogress 100%\n\ufffd\ufffd[red] x\n",
        "",
    )


def test_the_whole_log_is_that_of_every_step_in_order(run: Run, build: Build) -> None:
    write_log(build, 2, "packages", b"second\n")
    write_log(build, 1, "bootstrap", b"first\n")
    assert run("log", "web")[1] == "== 01-bootstrap\nfirst\n== 02-packages\nsecond\n"


def test_a_step_without_a_log_is_told_with_those_that_have_one(run: Run, build: Build) -> None:
    refused(run("log", "web", "pack"), "web has no log of a step 'pack'", "It has: none yet.")
    write_log(build, 1, "bootstrap", b"")
    refused(run("log", "web", "pack"), "no log of a step", "It has: bootstrap.")


def test_an_error_in_the_journal_cannot_act_on_the_terminal(run: Run, build: Build) -> None:
    begin(build)
    fail(build, "bootstrap", error="bad \x1b[2J\x1b]0;owned\x07thing")
    out = run("show", "web")[1]
    assert "bad thing" in out
    assert "\x1b" not in out


# --- cancel, rm, clean --------------------------------------------------------------------------


def test_only_what_runs_is_stopped(run: Run, build: Build) -> None:
    assert run("cancel", "web") == (0, "web is not running\n", "")
    with running(build):
        assert run("cancel", "web") == (0, "web is stopping\n", "")
        assert build.cancel_request.exists()


def test_a_build_is_forgotten_and_its_archive_stays(run: Run, build: Build) -> None:
    archive = end(build)
    assert run("rm", "web", "--yes") == (0, "", "")
    assert archive.exists()
    assert not build.directory.exists()


def test_without_a_terminal_nothing_is_forgotten_unasked(run: Run, build: Build) -> None:
    refused(run("rm", "web"), "needs a terminal")
    assert build.directory.exists()


def test_a_running_build_is_not_forgotten(run: Run, build: Build) -> None:
    with running(build):
        refused(run("rm", "web", "--yes"), "web is running", "zwizard cancel web")
    assert build.directory.exists()


def test_clean_with_nothing_there_frees_nothing(run: Run) -> None:
    assert run("clean") == (0, "0 layers removed, 0 Bytes freed\n", "")
    assert run("clean", "--json") == (0, '{"layers": 0, "bytes": 0}\n', "")


def test_clean_frees_what_no_build_uses_and_keeps_the_rest(run: Run, build: Build) -> None:
    from zwizard.engine.requirements import store_of
    from zwizard.host.privileges import privilege

    right = privilege()
    if right.mode in {"sudo", "none"}:
        pytest.skip("needs a right to clean that asks for nothing")
    layers = store_of(right).directory
    used = make(build.recipe()).fingerprints()[0]
    for name in (used, "f" * 32, ".work-gone"):
        (layers / name / "tree").mkdir(parents=True)
        (layers / name / "tree/file").write_text("x" * 5000)
    code, out, _ = run("clean", "--json")
    freed = json.loads(out)
    assert (code, freed["layers"]) == (0, 1)
    assert freed["bytes"] >= 10_000
    assert [path.name for path in layers.iterdir()] == [used]
    with running(build):
        refused(run("clean", "--all"), "running now: web", "zwizard cancel")
    assert "1 layers removed" in run("clean", "--all")[1]
    assert list(layers.iterdir()) == []


# --- plan, build, check, doctor -----------------------------------------------------------------


def test_a_plan_is_printed_and_nothing_is_run(run: Run, recipe: Path) -> None:
    code, out, _ = run("plan", recipe)
    assert code == 0
    assert out.startswith("web.tar.gz: 7 steps\n")
    assert "mmdebstrap --mode=root" in out
    assert run("plan", recipe, "--script")[1].startswith("#!/bin/bash\n# web: written by zwizard")
    assert json.loads(run("plan", recipe, "--json")[1])["steps"][0]["name"] == "bootstrap"
    assert builds.everything() == []


def test_a_plan_that_cannot_be_built_yet_is_told_so(run: Run, recipe: Path) -> None:
    recipe.write_text(
        'target = "image"\nsource = {kind = "rootfs", location = "https://host.example/x.tar",'
        ' distro = "other"}\n'
    )
    code, _, err = run("plan", recipe)
    assert code == 2
    assert "source.distro = 'other'" in err
    assert "this version cannot build it yet; it builds: debian, ubuntu, arch" in err


@pytest.mark.parametrize("command", ["plan", "build"])
def test_an_entrypoint_that_is_not_in_the_file_stops_it_before_it_begins(
    run: Run, tmp_path: Path, command: str
) -> None:
    (tmp_path / "root/bin").mkdir(parents=True)
    told = run(command, str(of_a_root(tmp_path, "/nope")))
    refused(told, "cannot be used", "container.entrypoint = '/nope': /nope is not there")
    told = run(command, str(of_a_root(tmp_path, "nope")))
    refused(told, "cannot be used", "Zero-OS tests that very path")
    assert builds.everything() == []


def of_a_root(place: Path, entrypoint: str) -> Path:
    file = place / "root.toml"
    source = '[source]\nkind = "rootfs"\nlocation = "root"'
    file.write_text(f'target = "container"\n{source}\n[container]\nentrypoint = "{entrypoint}"\n')
    return file


def test_a_build_that_cannot_write_its_archive_stops_before_it_begins(
    run: Run, recipe: Path, tmp_path: Path
) -> None:
    """By the real runner, in its own session: it finds the obstacle and says so."""
    (tmp_path / "file").write_text("")
    recipe.write_text('name = "web"\noutput.directory = "file"\n')
    code, out, _ = run("build", recipe)
    assert code == 1
    assert f"✗ {tmp_path / 'file'} is not a directory\n" in out
    assert "Choose another directory for the archive." in out
    code, out, _ = run("resume", "web", "--json")
    assert code == 1
    events = [json.loads(line) for line in out.splitlines()]
    assert [event["event"] for event in events] == ["build-started", "build-failed"]
    assert events[-1]["error"] == f"{tmp_path / 'file'} is not a directory"
    assert run("list")[1].startswith("✗ failed")
    assert not builds.find("web").running()


def test_a_good_archive_is_ready_and_a_bad_one_ends_with_3(run: Run, tmp_path: Path) -> None:
    tree = vm_tree(tmp_path / "tree")
    good = packed(tree, tmp_path / "good.tar.gz")
    code, out, _ = run("check", good, "--json")
    told = json.loads(out)
    assert (code, told["ready"], told["mode"]) == (0, True, "vm")
    assert set(told["findings"][0]) >= {"rule", "severity", "outcome", "evidence", "source"}
    (tree / "boot/vmlinuz").unlink()
    code, out, _ = run("check", tree, "--mode", "vm")
    assert code == 3
    assert "not ready" in out.lower()


def test_what_cannot_be_checked_is_a_usage_error(run: Run, tmp_path: Path) -> None:
    refused(run("check", tmp_path / "none.tar.gz"), "none.tar.gz")
    refused(run("check", tmp_path, "--disk-size", "big"), "--disk-size big is not a size", "5GiB")


def test_the_doctor_tells_what_is_here_and_how_builds_run(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, _ = run("doctor", "--json")
    told = json.loads(out)
    assert set(told) == {"privilege", "why", "tools", "missing", "install"}
    assert code == (1 if told["missing"] else 0)
    assert told["tools"]["bash"].endswith("/bash")
    monkeypatch.setattr(doctor, "PATH", "/nowhere")
    code, out, _ = run("doctor")
    assert code == 1
    assert "✗ missing  mmdebstrap" in out
    assert "Builds run as:" in out
    assert "To install: install: bash, chroot" in out


def test_what_a_build_lacks_is_installed_first_if_that_is_asked_for(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    recipe = tmp_path / "web.toml"
    recipe.write_text('name = "web"\n')
    tools = tmp_path / "tools"
    tools.mkdir()
    # Stands for the machine's package manager, which would install it for everybody.
    (tools / "apt-get").write_text(f'#!/bin/sh\necho "$*" >> {tools}/asked\ntest "$1" = update\n')
    (tools / "sudo").write_text('#!/bin/sh\nexec "$@"\n')
    for tool in tools.iterdir():
        tool.chmod(0o755)
    monkeypatch.setattr(doctor, "PATH", str(tools))
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    code, _, said = run("build", "--install", recipe)
    assert code != 0
    assert "apt-get install" in said
    assert "failed" in said
    update, install = (tools / "asked").read_text().splitlines()
    assert update == "update"
    assert install.startswith("install --yes")
    assert {"mmdebstrap", "mount", "tar"} <= set(install.split())
    assert "qemu-system-x86" not in install
    assert builds.everything() == []


# --- completion ---------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_is_printed_for_each_shell(run: Run, shell: str) -> None:
    code, out, _ = run("completion", shell)
    assert code == 0
    assert f"_ZWIZARD_COMPLETE={shell}_complete" in out


def test_the_bash_script_is_bash(run: Run) -> None:
    script = run("completion", "bash")[1]
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def test_commands_and_builds_complete(build: Build, tmp_path: Path) -> None:
    new_build("other", tmp_path)

    def complete(*words: str) -> list[str]:
        environment = os.environ | {
            "_ZWIZARD_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(("zwizard", *words)),
            "COMP_CWORD": str(len(words)),
        }
        done = subprocess.run(
            [sys.executable, "-m", "zwizard"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return [line.partition(",")[2] for line in done.stdout.splitlines()]

    assert complete("re") == ["resume", "repair"]
    assert complete("show", "w") == ["web"]


# --- in a terminal ------------------------------------------------------------------------------


def in_a_terminal(keys: list[tuple[str, str]], *arguments: str, cwd: Path) -> tuple[int, str]:
    """Run ``zwizard`` in a pseudo-terminal; of each pair, type the second once the first shows."""
    terminal, theirs = pty.openpty()
    program = subprocess.Popen(
        [sys.executable, "-m", "zwizard", *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=cwd,
        env=os.environ | {"TERM": "xterm"},
        start_new_session=True,
    )
    os.close(theirs)
    said, new, deadline = b"", b"", time.monotonic() + 10
    while time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                new += os.read(terminal, 65536)
            except OSError:
                break
        if keys and keys[0][0].encode() in new:
            os.write(terminal, keys.pop(0)[1].encode())
            said, new = said + new, b""
    os.close(terminal)
    return program.wait(timeout=10), (said + new).decode()


def test_rm_asks_and_no_means_no(build: Build, tmp_path: Path) -> None:
    code, said = in_a_terminal([("[y/N]", "n\r")], "rm", "web", cwd=tmp_path)
    assert code == 130
    assert "Delete web (the archive is kept)?" in said
    assert build.directory.exists()
    assert in_a_terminal([("[y/N]", "y\r")], "rm", "web", cwd=tmp_path)[0] == 0
    assert not build.directory.exists()


def test_the_plain_wizard_left_by_ctrl_c_keeps_its_answers(tmp_path: Path) -> None:
    keys = [("arrow keys", "\r"), ("goes back", "\x15web\r"), ("arrow keys", "\x03")]
    code, said = in_a_terminal(keys, "new", "--plain", cwd=tmp_path)
    assert code == 130
    assert "The draft is saved" in said
    keys = [("Continue with it", "\r"), ("arrow keys", "\x03")]
    code, said = in_a_terminal(keys, "new", "--plain", cwd=tmp_path)
    assert "You have an unfinished draft: web" in said
    assert "Kind of Zmachine" not in said


def test_a_recipe_can_be_begun_with(recipe: Path, tmp_path: Path) -> None:
    Recipe.load(recipe)
    code, said = in_a_terminal(
        [("What next?", "\x03")], "new", "--plain", "--from", str(recipe), cwd=tmp_path
    )
    assert code == 130
    assert "Review: web" in said


def test_rules_are_explained_one_or_all(run: Run) -> None:
    code, out, _ = run("check", "--explain", "kernel-elf")
    assert (code, out.splitlines()[0]) == (
        0,
        "kernel-elf: The kernel is an uncompressed ELF for x86-64",
    )
    code, out, _ = run("check", "--explain")
    assert code == 0
    assert "V   must    kernel-elf " in out
    refused(run("check", "--explain", "kernel-elv"), "kernel-elv", "Did you mean kernel-elf?")
