"""Containers built for real: one program, an image of layers, a small distribution; and booted."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.real.test_build import members
from tests.real.workplace import Result, Workplace
from tests.support.oci import Layout, Members, packed
from zwizard.host import tools
from zwizard.plan.targets import make
from zwizard.recipe.model import Recipe

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        bool(tools.missing(("busybox", "umoci"))),
        reason="busybox-static or umoci are not here",
    ),
]


def build(place: Workplace, name: str, text: str) -> Result:
    """Build a container called ``name``; ``text`` are the recipe's tables."""
    recipe = place.directory / f"{name}.toml"
    recipe.write_text(f'name = "{name}"\ntarget = "container"\n{text}', "utf-8")
    return place.run("build", recipe, "--json")


PROGRAM = """
[source]
kind = "binary"
location = "program"
[container]
args = ["httpd", "-f"]
env = {LEVEL = "info", DB_PASSWORD = ""}
"""


@pytest.fixture(scope="module")
def busybox() -> Path:
    return Path(shutil.which("busybox") or "")


class TestOneProgram:
    def test_is_a_ready_archive_with_a_note_beside_it(
        self, place: Workplace, busybox: Path
    ) -> None:
        shutil.copy(busybox, place.directory / "program")
        result = build(place, "web", PROGRAM)
        assert result.code == 0, result.output + result.errors
        finished = result.last("build-finished")
        assert finished["ready"] is True
        note = Path(finished["note"])
        assert note == place.directory / "web.deploy.md"
        assert "`/app httpd -f`" in note.read_text("utf-8")
        assert str(note) in place.run("show", "web").output
        found = members(place.directory / "web.tar.gz")
        assert found["app"].mode == 0o755
        assert set(found) == {".", "app", "dev", "etc", "proc", "root", "run", "sys", "tmp"}
        assert place.traces() == []

    def test_its_check_uses_the_entrypoint_of_the_build(self, place: Workplace) -> None:
        checked = place.run("check", place.directory / "web.tar.gz")
        assert checked.code == 0, checked.output
        assert "web.deploy.md" in checked.output

    def test_a_program_that_needs_libraries_is_refused_before_the_build(
        self, place: Workplace
    ) -> None:
        shutil.copy("/bin/ls", place.directory / "program")
        result = build(place, "ls", PROGRAM)
        assert (result.code, result.output) == (2, "")
        assert "it needs /lib64/ld-linux-x86-64.so.2" in result.errors

    def test_a_changed_program_is_packed_again(self, place: Workplace, busybox: Path) -> None:
        (place.directory / "program").write_bytes(busybox.read_bytes() + b"\0")
        result = build(place, "web", PROGRAM)
        assert result.steps("step-started") == ["program", "pack"]

    def test_is_never_called_ready_without_its_program(self, place: Workplace) -> None:
        recipe = Recipe.load(place.build_directory("web") / "recipe.toml")
        for fingerprint in make(recipe).fingerprints():  # as a fault of the disk might do
            (place.layers / fingerprint / "tree/app").unlink(missing_ok=True)
            (place.layers / fingerprint / "archive.tar.gz").unlink(missing_ok=True)
        result = build(place, "web", PROGRAM)
        whole = "app" in members(place.directory / "web.tar.gz")
        assert result.code == (0 if whole else 3)

    def test_is_not_ready_once_the_archive_is_gone_or_another(self, place: Workplace) -> None:
        archive = place.directory / "web.tar.gz"
        assert place.run("build", place.directory / "web.toml", "--rebuild-all").code == 0
        archive.unlink()
        assert "! missing" in place.run("list").output
        assert place.run("resume", "web").code == 0
        archive.write_text("mine")
        assert "! changed" in place.run("list").output
        assert place.run("resume", "web").code == 2
        assert archive.read_text() == "mine"
        assert place.run("resume", "web", "--replace").code == 0
        assert "✓ ready" in place.run("list").output

    def test_changed_deployment_settings_rebuild_nothing(self, place: Workplace) -> None:
        result = build(place, "web", PROGRAM.replace("info", "debug"))
        assert result.steps("step-started") == []
        assert "LEVEL=debug" in (place.directory / "web.deploy.md").read_text("utf-8")


def image(place: Path, busybox: Path) -> Path:
    """A container image in a tar: a static shell, and on top a server that is started by it."""
    base: Members = [
        ("bin", None),
        ("bin/busybox", (0o755, 0, 0, busybox.read_bytes())),
        *((f"bin/{name}", (0o777, 0, 0, "busybox")) for name in ("sh", "httpd")),
        ("srv", None),
        ("srv/app", (0o750, 33, 33, None)),
        ("srv/app/gone", b"old"),
    ]
    top: Members = [
        ("srv/app/.wh.gone", b""),
        ("srv/app/serve", (0o755, 33, 33, b'#!/bin/sh\necho "$PWD $LEVEL $*"\nexec httpd -f\n')),
    ]
    config: dict[str, Any] = {
        "Entrypoint": ["./serve"], "Cmd": ["--all"], "WorkingDir": "/srv/app",
        "Env": ["PATH=/bin", "LEVEL=info"],
    }  # fmt: skip
    layout = Layout(place / "layout").image(base, top, **config)
    return packed(layout.write(), place / "image.tar")


IMAGE = """
[source]
kind = "oci"
location = "image.tar"
[container]
env = {LEVEL = "debug"}
"""


class TestAnImage:
    @pytest.fixture
    def tar(self, tmp_path: Path, busybox: Path) -> Path:
        return image(tmp_path, busybox)

    def test_an_ordinary_user_builds_the_same_bytes_and_boots_the_images_own_entrypoint(
        self, place: Workplace, ordinary_place: Workplace, tar: Path
    ) -> None:
        sums = []
        for where in (place, ordinary_place):
            shutil.copy(tar, where.directory / "image.tar")
            result = build(where, "image", IMAGE)
            assert result.code == 0, result.output + result.errors
            sums.append(result.last("build-finished")["sha256"])
            assert where.traces() == []
        assert sums[0] == sums[1]
        found = members(place.directory / "image.tar.gz")
        assert (found["srv/app/serve"].uid, found["srv/app/serve"].gid) == (33, 33)
        assert "srv/app/gone" not in found
        booted = ordinary_place.run("boot", ordinary_place.directory / "image.tar.gz", "--json")
        assert booted.code == 0, booted.output + booted.errors
        assert booted.last("boot-test-finished")["printed"] == "/srv/app debug --all"
        assert "◆ tested" in ordinary_place.run("list").output


class TestADistribution:
    def test_is_small_and_ready_without_kernel_and_init(self, place: Workplace) -> None:
        result = build(
            place,
            "small",
            """
            [source]
            variant = "minimal"
            packages = ["busybox-static"]
            [system]
            timezone = "Europe/Brussels"
            locale = "nl_BE.UTF-8"
            run = ["echo welcome > /srv/index.html"]
            [container]
            entrypoint = "/usr/bin/busybox"
            args = ["httpd", "-f", "-h", "/srv"]
            """,
        )
        assert result.code == 0, result.output + result.errors
        assert result.last("build-finished")["ready"] is True
        found = members(place.directory / "small.tar.gz")
        assert found["srv/index.html"].size == len("welcome\n")
        assert found["etc/localtime"].linkname.endswith("Europe/Brussels")
        assert found["etc/machine-id"].size == 0
        assert not any(name.startswith(("boot/", "lib/modules")) for name in found)
        assert "LANG=nl_BE.UTF-8" in (place.directory / "small.deploy.md").read_text("utf-8")
        assert place.traces() == []
