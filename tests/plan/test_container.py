"""Plans of containers: the tree of one program, and what a deployment has to be told."""

from __future__ import annotations

import os
import shlex
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from zwizard.plan.targets import make
from zwizard.recipe.model import Recipe
from zwizard.sources import deployment, inspection
from zwizard.steps import render
from zwizard.steps.actions import InstallBinary

BUSYBOX = shutil.which("busybox") or ""
needs_busybox = pytest.mark.skipif(not BUSYBOX, reason="busybox-static is not here")


def binary(location: str | Path = "app", **settings: object) -> Recipe:
    """A container of one program."""
    source = {"kind": "binary", "location": str(location)}
    table = {"target": "container", "name": "web", "source": source, "container": settings}
    return Recipe.from_dict(table)


def elf(*, machine: int = 62, bits: int = 2, kind: int = 2, loader: str = "") -> bytes:
    """A program of nothing but its headers."""
    name = loader.encode() + b"\0"
    head = struct.pack("<HHIQQQIHHHHHH", kind, machine, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    offset = 64 + 56
    segment = struct.pack(
        "<IIQQQQQQ", 3 if loader else 1, 5, offset, 0, 0, len(name), len(name), 1
    )
    return b"\x7fELF" + bytes([bits, 1, 1]).ljust(12, b"\0") + head + segment + name


BAD = {
    "arm64": (elf(machine=183), "ARM64; the nodes are x86-64"),
    "dynamic": (elf(loader="/lib/ld-musl-x86_64.so.1"), "it needs /lib/ld-musl-x86_64.so.1"),
    "an object file": (elf(kind=1), "a part of a program"),
    "Windows": (b"MZ".ljust(100, b"\0"), "Zero-OS runs Linux"),
    "a script": (b"#!/usr/bin/python3 -u\n", "needs /usr/bin/python3 -u"),
    "text": (b"hello\n", "a text file, and no program"),
    "empty": (b"", "an empty file"),
    "cut": (elf()[:40], "no program"),
    "cut in its table": (elf()[:100], "truncated: it has 100 of 120 bytes"),
    "cut later": (elf()[:120], "truncated: it has 120 of 121 bytes"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_program_that_cannot_run_alone_fails_before_anything_runs(
    name: str, tmp_path: Path
) -> None:
    data, said = BAD[name]
    file = tmp_path / "app"
    file.write_bytes(data)
    assert said in inspection.inspect("binary", file).wrong


@pytest.mark.parametrize("name", BAD)
def test_the_step_rejects_a_bad_program_too(name: str, tmp_path: Path) -> None:
    file = tmp_path / "app"
    file.write_bytes(BAD[name][0])
    if name != "an object file":  # which only fails when it is started
        assert "not a complete static binary for x86-64" in take(file, tmp_path)


def test_a_real_dynamic_program_names_its_loader_and_its_libraries() -> None:
    wrong = inspection.inspect("binary", Path("/bin/ls")).wrong
    assert "it needs /lib64/ld-linux-x86-64.so.2" in wrong
    assert "libc.so.6" in wrong


def test_what_is_not_there_or_no_file(tmp_path: Path) -> None:
    assert "No such file" in inspection.inspect("binary", tmp_path / "none").wrong
    assert "a directory" in inspection.inspect("binary", tmp_path).wrong


def test_a_changed_file_is_inspected_again(tmp_path: Path) -> None:
    file = tmp_path / "app"
    file.write_bytes(b"not yet")
    assert inspection.inspect("binary", file).wrong
    file.write_bytes(elf())
    assert not inspection.inspect("binary", file).wrong


def take(file: Path, root: Path, sha256: str = "", path: str = "/opt/its place/busybox") -> str:
    """Put it into the tree ``root``; what is said if that fails, else ""."""
    action = InstallBinary(str(file), sha256, path)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"{render.functions(action)}\n{action.shell()}"],
        env={"PATH": os.environ["PATH"], "ROOT": str(root / "tree"), "DOWNLOADS": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if done.returncode == 0 else done.stderr.splitlines()[-1]


@pytest.mark.slow
@needs_busybox
def test_a_static_program_lands_in_its_place_and_can_be_run(tmp_path: Path) -> None:
    program = tmp_path / "not executable"
    shutil.copyfile(BUSYBOX, program)
    assert "a static program" in inspection.inspect("binary", program).summary
    assert take(program, tmp_path) == ""
    made = tmp_path / "tree/opt/its place/busybox"
    done = subprocess.run([made, "echo", "hello"], capture_output=True, text=True, check=True)
    assert done.stdout == "hello\n"


@needs_busybox
def test_a_file_with_another_checksum_is_refused(tmp_path: Path) -> None:
    assert "does not have the SHA-256" in take(Path(BUSYBOX), tmp_path, "0" * 64)
    assert not (tmp_path / "tree").exists()


# --- the note -----------------------------------------------------------------------------------


def test_the_note_says_what_the_flist_does_not_carry() -> None:
    made = make(
        binary(
            args=["--name", "a b|c"], env={"LEVEL": "info", "DB_PASSWORD": ""}, mounts=["/data"]
        )
    )
    assert "- Entrypoint: `/app --name 'a b|c'`\n" in made.note
    assert "`LEVEL=info`" in made.note
    assert "`DB_PASSWORD`, without a value in the recipe" in made.note
    assert "- Disk, mounted at `/data`\n" in made.note


def test_what_only_the_note_says_changes_no_layer() -> None:
    one, two = make(binary()), make(binary(args=["-v"], env={"A": "b"}, mounts=["/data"]))
    assert one.fingerprints() == two.fingerprints()
    assert one.note != two.note


def test_the_note_of_a_vm_names_the_init_that_the_forms_ask_for() -> None:
    assert "- Entrypoint: `/sbin/init`\n" in make(Recipe()).note


def test_the_script_writes_the_same_note(tmp_path: Path) -> None:
    made = make(binary(env={"A": "it's $HOME `x`"}))
    script = render.script(made)
    line = script[script.index("printf %s '# Deploying") : script.index('echo "made')]
    subprocess.run(["bash", "-euc", line], env={"OUT": f"{tmp_path}/web.tar.gz"}, check=True)
    assert (tmp_path / "web.deploy.md").read_text() == made.note


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not here")
def test_shellcheck_finds_nothing_in_the_scripts() -> None:
    settings = {"start": "#!/bin/sh\nexec nginx\n"}
    source = {"kind": "oci", "location": "image.tar"}
    oci = Recipe.from_dict({"target": "container", "source": source, "container": settings})
    for recipe in (binary(), oci, distro(locale="nl_BE.UTF-8")):
        script = render.script(make(recipe))
        argv = ["shellcheck", "--exclude=SC1091,SC2016", "-"]
        done = subprocess.run(argv, input=script, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, "")


def test_the_entrypoint_is_one_line_that_a_shell_reads_back() -> None:
    line = deployment.entrypoint(binary(entrypoint="/bin/web", args=["-c", "it's", ""]))
    assert line is not None
    assert shlex.split(line) == ["/bin/web", "-c", "it's", ""]
    assert deployment.entrypoint(Recipe()) is None


# --- a distribution -----------------------------------------------------------------------------


def distro(**system: object) -> Recipe:
    settings = {"entrypoint": "/usr/sbin/nginx"}
    return Recipe.from_dict({"target": "container", "container": settings, "system": system})


def test_a_distribution_has_neither_kernel_nor_init_nor_cloud_init() -> None:
    text = render.text(make(distro()))
    for word in ("linux-image", "cloud-init clean", "update-initramfs", "openssh", "systemctl"):
        assert word not in text


def test_a_time_zone_and_a_locale_bring_what_they_are_made_of() -> None:
    plain, special = make(distro()), make(distro(timezone="Asia/Tokyo", locale="nl_BE.UTF-8"))
    assert [step.name for step in plain.steps] == ["bootstrap", "settings", "clean", "pack"]
    assert "tzdata locales" in render.text(special)
    assert "`LANG=nl_BE.UTF-8`" in special.note
    assert "LANG" not in plain.note
