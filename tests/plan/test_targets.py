"""The plan: pure data that says what runs, why, and what an answer changes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from tests.support.recipes import recipes
from zwizard import distros
from zwizard.plan.targets import make
from zwizard.recipe.fields import Checklist, Container, Kernel, Output, Source, System
from zwizard.recipe.model import Recipe
from zwizard.recipe.problems import RecipeError
from zwizard.steps import programs, render
from zwizard.steps.actions import Append, InTree, LinesInTree, Link, OnTree, Pack, Remove, Write
from zwizard.steps.step import Plan

FULL = Recipe(
    name="full",
    source=Source(packages=("vim", "htop"), mirror="http://mirror.example/debian"),
    system=System(
        timezone="Europe/Brussels",
        locale="en_GB.UTF-8",
        services=("nginx",),
        run=("echo 'it''s' > \"/tmp/a b\"", "cat <<END\nEND_OF\nEND\n"),
    ),
)


def names(plan: Plan) -> list[str]:
    return [step.name for step in plan.steps]


def test_the_steps_come_in_the_order_in_which_answers_are_least_often_changed() -> None:
    assert names(make(FULL)) == [
        "bootstrap",
        "packages",
        "initramfs",
        "kernel",
        "more-packages",
        "system",
        "commands",
        "clean",
        "pack",
    ]


def test_steps_with_nothing_to_do_are_left_out() -> None:
    assert not {"more-packages", "commands"} & set(names(make(Recipe())))


def test_every_step_says_why_and_most_in_the_documents_words() -> None:
    steps = make(FULL).steps
    assert all(step.title and step.why for step in steps)
    ours = {step.name for step in steps if not any(why.startswith('"') for why in step.why)}
    assert ours == {"commands"}


def test_a_plan_is_the_same_every_time_and_reads_nothing_of_the_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = make(FULL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("HOME", "/elsewhere")
    assert make(FULL) == before
    assert make(FULL).fingerprints() == before.fingerprints()


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "source.suite": ({"source": {"suite": "trixie"}}, "bootstrap"),
    "source.variant": ({"source": {"variant": "minimal"}}, "bootstrap"),
    "source.bootstrap": ({"source": {"bootstrap": "debootstrap"}}, "bootstrap"),
    "source.mirror": ({"source": {"mirror": "http://other.example/debian"}}, "bootstrap"),
    "kernel.package": ({"kernel": {"package": "linux-image-amd64"}}, "packages"),
    "kernel.modules": ({"kernel": {"modules": ["virtiofs"]}}, "initramfs"),
    "source.packages": ({"source": {"packages": ["vim"]}}, "more-packages"),
    "system.timezone": ({"system": {"timezone": "UTC"}}, "system"),
    "system.locale": ({"system": {"locale": "C.UTF-8"}}, "system"),
    "system.services": ({"system": {"services": []}}, "system"),
    "system.run": ({"system": {"run": ["true"]}}, "commands"),
    "output.compression": ({"output": {"compression": "small"}}, "pack"),
}


def changed(recipe: Recipe, change: dict[str, Any]) -> Recipe:
    data = recipe.to_dict()
    for section, keys in change.items():
        data[section] |= keys
    return Recipe.from_dict(data)


@pytest.mark.parametrize(("key", "change"), CHANGES.items(), ids=CHANGES)
def test_an_answer_changes_exactly_the_fingerprints_from_its_step_on(
    key: str, change: tuple[dict[str, Any], str]
) -> None:
    before, after = make(FULL), make(changed(FULL, change[0]))
    first = names(before).index(change[1])
    same = [a == b for a, b in zip(before.fingerprints(), after.fingerprints(), strict=True)]
    assert same == [True] * first + [False] * (len(same) - first)
    assert key in before.steps[first].answers


def test_where_the_archive_goes_and_how_it_is_judged_changes_no_fingerprint() -> None:
    other = replace(
        FULL,
        name="other",
        output=Output(directory="/elsewhere"),
        checklist=Checklist(disk_size="9GiB", waive=("setuid-files",)),
    )
    assert make(other).fingerprints() == make(FULL).fingerprints()


def test_packages_added_later_keep_what_comes_before_them() -> None:
    without = make(replace(FULL, source=replace(FULL.source, packages=())))
    assert without.fingerprints()[:4] == make(FULL).fingerprints()[:4]
    assert not set(without.fingerprints()[4:]) & set(make(FULL).fingerprints())


@pytest.mark.slow
@given(recipes())
def test_a_step_is_identified_by_what_it_runs_and_all_before_it(recipe: Recipe) -> None:
    prints = make(recipe).fingerprints()
    assert len(set(prints)) == len(prints) == len(make(recipe).steps)
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in prints)


def test_a_password_cannot_get_into_a_plan() -> None:
    with pytest.raises(RecipeError, match="no user name or password"):
        Recipe.from_dict({"source": {"mirror": "http://me:canary@mirror.example/"}})


CELLS = [
    *(("distro", target) for target in ("container", "vm", "image")),
    *(("rootfs", target) for target in ("container", "vm", "image")),
    *(("cloud-image", target) for target in ("vm", "image")),
    ("oci", "container"),
    ("binary", "container"),
]


@pytest.mark.parametrize(("kind", "target"), CELLS)
def test_every_source_becomes_what_it_can(kind: str, target: str) -> None:
    source = {"kind": kind} | ({} if kind == "distro" else {"location": "x"})
    data: dict[str, Any] = {"target": target, "source": source}
    if target == "container":
        data["container"] = {"entrypoint": "/app"}
    plan = make(Recipe.from_dict(data))
    assert plan.target == target
    assert [step.leaves for step in plan.steps][-1] == "archive"
    assert ("image" in {step.leaves for step in plan.steps}) == (target == "image")


@pytest.mark.parametrize(
    ("data", "key", "builds"),
    [
        (
            {
                "target": "image",
                "source": {"kind": "rootfs", "location": "x.tar", "distro": "other"},
            },
            "source.distro",
            "debian, ubuntu, arch",
        ),
    ],
)
def test_a_recipe_that_cannot_be_built_names_its_key(
    data: dict[str, Any], key: str, builds: str
) -> None:
    with pytest.raises(RecipeError, match="a disk image can be made of") as caught:
        make(Recipe.from_dict(data))
    (problem,) = caught.value.problems
    assert problem.key == key
    assert builds in problem.allowed


SANDBOX = ("base64", "bwrap", "nsenter", "unshare")


def test_the_tools_are_those_that_the_actions_run() -> None:
    common = {*SANDBOX, "bash", "mount", "umount", "tar"}
    assert make(FULL).tools() == common | {"mmdebstrap"}
    by_document = replace(FULL, source=replace(FULL.source, bootstrap="debootstrap"))
    assert make(by_document).tools() == common | {"debootstrap"}


def test_services_may_not_start_while_packages_or_commands_run() -> None:
    for step in make(FULL).steps:
        runs = [i for i, a in enumerate(step.actions) if isinstance(a, InTree)]
        if not step.network or not runs:
            continue
        first, last = step.actions[runs[0] - 1], step.actions[runs[-1] + 1]
        assert isinstance(first, Write)
        assert first.path == "/usr/sbin/policy-rc.d"
        assert last == Remove(("/usr/sbin/policy-rc.d",))


@pytest.mark.parametrize("target", ["vm", "image"])
@pytest.mark.parametrize("distro", ["debian", "ubuntu", "arch"])
def test_a_kernel_of_ones_own_takes_the_place_of_the_package_and_its_initramfs(
    distro: str, target: str
) -> None:
    source = {"distro": distro, "mirror": "http://mirror.example/"}
    theirs = make(Recipe.from_dict({"target": target, "source": source}))
    own = {"file": "/k/vmlinuz", "initrd": "https://host.example/initrd.img"}
    plan = make(Recipe.from_dict({"target": target, "source": source, "kernel": own}))
    names = [step.name for step in theirs.steps]
    names[names.index("initramfs")] = "own-kernel"
    assert [step.name for step in plan.steps] == names
    (step,) = (step for step in plan.steps if step.name == "own-kernel")
    assert [a.shell() for a in step.actions] == [
        "install_kernel /k/vmlinuz '' https://host.example/initrd.img ''"
    ]
    assert step.network
    assert "curl" in plan.tools()
    package = distros.KNOWN[distro].kernels[0].package
    words = {word for a in plan.steps[1].actions for word in a.shell().split()}
    assert package not in words
    assert package in {word for a in theirs.steps[1].actions for word in a.shell().split()}


@pytest.mark.parametrize(
    ("cmdline", "written"),
    [
        ("rw root=vroot rootfstype=virtiofs rootdelay=30", "ROOTDELAY=\n"),
        ("root=/dev/vda1 rootdelay=30 ro", ""),
    ],
)
def test_a_vm_does_not_sleep_through_the_delay_that_zero_os_gives(
    tmp_path: Path, cmdline: str, written: str
) -> None:
    (step,) = (step for step in make(FULL).steps if step.name == "initramfs")
    (script,) = (a for a in step.actions if isinstance(a, Write) and "init-top" in a.path)
    (tmp_path / "cmdline").write_text(f"{cmdline}\n")
    (tmp_path / "param.conf").touch()
    text = script.text.replace("/proc/", f"{tmp_path}/").replace("/conf/", f"{tmp_path}/")
    for arguments in (["prereqs"], []):
        subprocess.run(["sh", "-c", text, "script", *arguments], check=True)
    assert (tmp_path / "param.conf").read_text() == written
    assert script.mode == 0o755
    (image,) = (s for s in make(Recipe(target="image")).steps if s.name == "initramfs")
    assert not any("init-top" in a.path for a in image.actions if isinstance(a, Write))


def test_the_initramfs_gets_every_module_that_was_asked_for() -> None:
    step = make(replace(FULL, kernel=Kernel(modules=("virtiofs", "nvme")))).steps[2]
    assert step.actions[0] == Append("/etc/initramfs-tools/modules", "virtiofs\nnvme\n")


# --- what is shown ------------------------------------------------------------------------------


@pytest.mark.slow
@given(recipes())
@settings(max_examples=25)
def test_every_script_is_bash(recipe: Recipe) -> None:
    script = render.script(make(recipe))
    done = subprocess.run(["bash", "-n"], input=script.encode(), capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not here")
@pytest.mark.parametrize("recipe", [Recipe(), FULL], ids=["default", "full"])
def test_shellcheck_finds_nothing_in_the_script(recipe: Recipe) -> None:
    # SC1091: no other file is followed. SC2016: commands with $ are meant for the tree's shell.
    argv = ["shellcheck", "--exclude=SC1091,SC2016", "-"]
    done = subprocess.run(
        argv, input=render.script(make(recipe)), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("name", ["tree", "out.tar.gz", "out.deploy.md"])
def test_the_script_replaces_nothing_and_follows_no_link(tmp_path: Path, name: str) -> None:
    """It stops before anything runs; this much of it needs no rights."""
    script, link = tmp_path / "script", tmp_path / name
    entrypoint = Container(entrypoint="/bin/sh")
    script.write_text(render.script(make(Recipe(target="container", container=entrypoint))))
    link.symlink_to("nowhere")
    argv = ["bash", str(script), str(tmp_path / "tree"), str(tmp_path / "out.tar.gz")]
    done = subprocess.run(
        argv,
        env={"ZWIZARD_INSIDE": "1", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert f"{link} exists already" in done.stderr
    assert set(tmp_path.iterdir()) == {script, link}


def test_the_text_shows_every_command_whole() -> None:
    plan = make(FULL)
    shown = "\n".join(line.strip() for line in render.text(plan).splitlines())
    for step in plan.steps:
        assert step.title in shown
        for action in step.actions:
            assert "\n".join(line.strip() for line in action.shell().splitlines()) in shown


@pytest.mark.slow
def test_a_line_pasted_where_no_tree_is_named_touches_nothing_of_the_machine() -> None:
    for step in make(FULL).steps:
        for action in step.actions:
            if isinstance(action, Write | Append | Link | Remove):
                # Were it to run, what it would reach is shown by echo instead.
                line = re.sub(r"^(install|cat >>|ln|rm) ", "echo ", action.shell())
                argv = ["bash", "-c", f"unset ROOT\n{line}"]
                done = subprocess.run(argv, capture_output=True, text=True, check=False)
                assert done.returncode != 0
                assert done.stdout == ""
                assert "ROOT" in done.stderr


def test_text_script_and_data_show_the_same_lines() -> None:
    plan = make(FULL)
    lines = [action.shell() for step in plan.steps for action in step.actions]
    script, data = render.script(plan), render.data(plan)
    steps: Any = data["steps"]
    assert [action["shell"] for step in steps for action in step["actions"]] == lines
    positions = [script.index(line) for line in lines if lines.count(line) == 1]
    assert positions == sorted(positions)


def test_the_data_is_json_and_names_each_steps_answers_and_fingerprint() -> None:
    plan = make(FULL)
    data = json.loads(json.dumps(render.data(plan)))
    assert (data["name"], data["target"], data["archive"]) == ("full", "vm", "full.tar.gz")
    assert tuple(step["fingerprint"] for step in data["steps"]) == plan.fingerprints()
    assert data["steps"][0]["answers"][0] == "source.suite"
    assert {action["action"] for step in data["steps"] for action in step["actions"]} == {
        kind.__name__.lower()
        for kind in (OnTree, InTree, LinesInTree, Write, Append, Link, Remove, Pack)
    }


def test_the_environment_fixes_time_language_and_path_and_waits_for_no_disk() -> None:
    environment = dict(make(FULL).environment)
    assert set(environment) == {
        "DEBIAN_FRONTEND",
        "DPKG_FORCE",
        "HOME",
        "LC_ALL",
        "PATH",
        "SOURCE_DATE_EPOCH",
    }
    assert f"export SOURCE_DATE_EPOCH={environment['SOURCE_DATE_EPOCH']}" in render.script(
        make(FULL)
    )


@pytest.mark.parametrize("target", ["vm", "image"])
@pytest.mark.parametrize("distro", ["debian", "ubuntu", "arch"])
def test_a_script_of_the_guides_own_ways_needs_no_zwizard(distro: str, target: str) -> None:
    source = {"distro": distro, "mirror": "http://mirror.example/"}
    script = render.script(make(Recipe.from_dict({"target": target, "source": source})))
    called = set(re.findall(r"\btreetool (\w+)", script))
    assert called == ({"gzip", "ext4_writer"} if target == "image" else {"gzip"})
    for name in called:
        assert programs.source(name) in script
    assert "import zwizard" not in script
    assert "from zwizard" not in script


def test_a_script_that_imports_a_system_says_that_zwizard_must_be_installed(
    tmp_path: Path,
) -> None:
    source = {"kind": "rootfs", "location": "/x.tar"}
    script = tmp_path / "script"
    script.write_text(render.script(make(Recipe.from_dict({"source": source}))))
    (tmp_path / "python").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "python").chmod(0o755)
    done = subprocess.run(
        ["bash", script, tmp_path / "tree"],
        env={"ZWIZARD_INSIDE": "1", "PATH": "/usr/bin:/bin", "PYTHON": str(tmp_path / "python")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "zwizard is not installed" in done.stderr
