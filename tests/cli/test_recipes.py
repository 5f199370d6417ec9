"""The commands build and plan."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.builds import end, new_build
from tests.support.command import Run, refused
from zwizard.console import build_progress
from zwizard.engine import builds
from zwizard.host import tools


@pytest.mark.parametrize("command", ["build", "plan"])
def test_each_wrong_key_of_a_recipe_is_named_on_its_line(
    run: Run, recipe: Path, command: str
) -> None:
    recipe.write_text('nam = "web"\n[source]\nsuite = "bookwrm"\npackages = "vim"\n')
    result = run(command, recipe)
    refused(result, str(recipe), "did you mean name?")
    _, first, second, hint = result[2].splitlines()
    assert first.startswith("  nam: ")
    assert second.startswith("  source.packages = 'vim': ")
    assert hint.startswith("  ")
    recipe.write_text('[source]\nsuite = "bookwrm"\n')
    assert "Did you mean 'bookworm'?" in run(command, recipe)[2]


@pytest.mark.parametrize("command", ["build", "plan"])
def test_a_missing_recipe_is_named(run: Run, tmp_path: Path, command: str) -> None:
    refused(run(command, tmp_path / "web.tml"), "web.tml cannot be read: No such file")


@pytest.mark.parametrize("command", ["build", "plan"])
@pytest.mark.parametrize("text", ["", " \n\n", "# nothing\n"])
def test_a_recipe_without_a_key_is_none(run: Run, recipe: Path, command: str, text: str) -> None:
    recipe.write_text(text)
    refused(run(command, recipe), f"{recipe} has no key of a recipe", "--default")


@pytest.mark.slow
def test_empty_standard_input_is_no_recipe() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "zwizard", "plan", "-"],
        input="",
        capture_output=True,
        text=True,
        check=False,
    )
    refused((done.returncode, done.stdout, done.stderr), "/dev/stdin has no key of a recipe")


def test_the_default_recipe_needs_no_file_and_takes_none(run: Run, recipe: Path) -> None:
    code, out, _ = run("plan", "--default")
    assert code == 0
    assert out.startswith("debian-vm.tar.gz: ")
    refused(run("plan", "--default", recipe), f"--default and {recipe}")
    refused(run("build"), "RECIPE is missing", "--default")


@pytest.mark.parametrize("variable", ["XDG_STATE_HOME", "XDG_CACHE_HOME"])
def test_a_directory_that_cannot_be_written_is_named_with_its_variable(
    run: Run, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(variable, str(tmp_path / "file"))
    code, out, err = run("build", recipe)
    assert code == 1
    assert f"{tmp_path / 'file'}" in out + err
    assert variable in out + err
    assert "Traceback" not in out + err


@pytest.mark.slow
def test_a_full_disk_behind_the_output_is_an_error_without_traceback(recipe: Path) -> None:
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


def test_a_plan_is_printed_and_nothing_runs(run: Run, recipe: Path) -> None:
    code, out, _ = run("plan", recipe)
    assert code == 0
    assert out.startswith("web.tar.gz: 7 steps\n")
    assert "mmdebstrap --mode=root" in out
    assert run("plan", recipe, "--script")[1].startswith("#!/bin/bash\n# web: written by zwizard")
    assert json.loads(run("plan", recipe, "--json")[1])["steps"][0]["name"] == "bootstrap"
    assert builds.everything() == []


def test_a_combination_that_cannot_be_built_is_refused(run: Run, recipe: Path) -> None:
    recipe.write_text(
        'target = "image"\nsource = {kind = "rootfs", location = "https://host.example/x.tar",'
        ' distro = "other"}\n'
    )
    code, _, err = run("plan", recipe)
    assert code == 2
    assert "source.distro = 'other'" in err
    assert "debian, ubuntu, arch" in err


@pytest.mark.parametrize("command", ["plan", "build"])
def test_an_entrypoint_that_is_missing_in_the_source_is_refused(
    run: Run, tmp_path: Path, command: str
) -> None:
    (tmp_path / "root/bin").mkdir(parents=True)
    result = run(command, str(rootfs_recipe(tmp_path, "/nope")))
    refused(result, "the recipe", "container.entrypoint = '/nope': /nope ")
    result = run(command, str(rootfs_recipe(tmp_path, "nope")))
    refused(result, "root.toml", "container.entrypoint = 'nope': ")
    assert builds.everything() == []


def rootfs_recipe(place: Path, entrypoint: str) -> Path:
    file = place / "root.toml"
    source = '[source]\nkind = "rootfs"\nlocation = "root"'
    file.write_text(f'target = "container"\n{source}\n[container]\nentrypoint = "{entrypoint}"\n')
    return file


@pytest.mark.slow
def test_a_build_that_cannot_write_its_archive_fails_before_the_first_step(
    run: Run, recipe: Path, tmp_path: Path
) -> None:
    """By the real runner, in its own session: it finds the obstacle and says so."""
    (tmp_path / "file").write_text("")
    recipe.write_text('name = "web"\noutput.directory = "file"\n')
    code, out, _ = run("build", recipe)
    assert code == 1
    assert f"✗ {tmp_path / 'file'} is not a directory\n" in out
    assert "choose another directory for the archive." in out
    code, out, _ = run("resume", "web", "--json")
    assert code == 1
    events = [json.loads(line) for line in out.splitlines()]
    assert [event["event"] for event in events] == ["build-started", "build-failed"]
    assert events[-1]["error"] == f"{tmp_path / 'file'} is not a directory"
    assert run("list")[1].startswith("✗ failed")
    assert not builds.find("web").running()


def test_build_install_installs_missing_programs_first(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    recipe = tmp_path / "web.toml"
    recipe.write_text('name = "web"\n')
    programs = tmp_path / "programs"
    programs.mkdir()
    # Stands for the machine's package manager, which would install it for everybody.
    (programs / "apt-get").write_text(
        f'#!/bin/sh\necho "$*" >> {programs}/asked\ntest "$1" = update\n'
    )
    (programs / "sudo").write_text('#!/bin/sh\nexec "$@"\n')
    for tool in programs.iterdir():
        tool.chmod(0o755)
    monkeypatch.setattr(tools, "PATH", str(programs))
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    code, _, output = run("build", "--install", recipe)
    assert code != 0
    assert "apt-get install" in output
    assert "failed" in output
    update, install = (programs / "asked").read_text().splitlines()
    assert update == "update"
    assert install.startswith("install --yes")
    assert {"mmdebstrap", "mount", "tar"} <= set(install.split())
    assert "qemu-system-x86" not in install
    assert builds.everything() == []


def test_a_file_that_zwizard_did_not_write_is_an_error_before_the_build(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "web.toml").write_text('name = "web"\n')
    (tmp_path / "web.tar.gz").symlink_to("nowhere")
    refused(run("build", tmp_path / "web.toml"), str(tmp_path / "web.tar.gz"), "--replace")
    assert not builds.everything()


def test_a_build_is_resumed_over_such_a_file_only_with_a_yes(run: Run, tmp_path: Path) -> None:
    archive = new_build("web", tmp_path).archive()
    archive.write_text("precious")
    refused(run("resume", "web"), f"{archive} was not written by zwizard", "--replace")
    assert archive.read_text() == "precious"


def test_an_archive_of_another_recipe_that_is_replaced_is_named(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_progress, "run", lambda *_, **__: 0)
    end(new_build("web", tmp_path))
    file = tmp_path / "web.toml"
    file.write_text('name = "web"\n')
    assert run("build", file) == (0, "", "")
    file.write_text('name = "web"\n[source]\nsuite = "trixie"\n')
    notice = "replaces web.tar.gz of the build web, which is of another recipe\n"
    assert run("build", file) == (0, "", notice)
    builds.remove(builds.find("web"))
    notice = "replaces web.tar.gz of a deleted build, which is of another recipe\n"
    assert run("build", file) == (0, "", notice)
