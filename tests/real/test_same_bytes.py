"""The default VM and image made in other ways: each gives the same bytes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.real.conftest import Built
from tests.real.workplace import Workplace, is_root
from tests.support import disks
from zwizard.engine.layers import LOCKS, WORKSPACES
from zwizard.plan import targets
from zwizard.recipe.model import Recipe

pytestmark = pytest.mark.real


class TestTheScript:
    @pytest.mark.skipif(not is_root(), reason="the script runs as root")
    @pytest.mark.parametrize("kind", ["vm", "image"])
    def test_makes_the_same_archive(
        self, kind: str, request: pytest.FixtureRequest, tmp_path: Path
    ) -> None:
        built: Built = request.getfixturevalue(kind)
        script = tmp_path / "build.sh"
        plan = built.place.run("plan", built.place.directory / f"{built.name}.toml", "--script")
        script.write_text(plan.output, encoding="utf-8")
        tree, archive = tmp_path / "tree", tmp_path / "by-hand.tar.gz"
        done = subprocess.run(
            ["bash", script, tree, archive],
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert archive.read_bytes() == built.archive.read_bytes()


class TestAnOrdinaryUser:
    def test_builds_the_same_bytes_without_root(
        self, vm: Built, image: Built, ordinary_place: Workplace
    ) -> None:
        for built, target in ((vm, "vm"), (image, "image")):
            recipe = ordinary_place.recipe(built.name, target=target)
            result = ordinary_place.run("build", recipe, "--json")
            assert result.code == 0, result.output + result.errors
            assert result.last("build-finished")["sha256"] == built.sha256
        assert ordinary_place.traces() == []
        cleaned = ordinary_place.run("clean", "--all")
        assert cleaned.code == 0, cleaned.errors
        kept = list(ordinary_place.layers.glob("**/*"))
        assert {path.name for path in kept} <= {WORKSPACES, LOCKS}  # for whoever builds next


class TestWithoutOverlayfs:
    @pytest.mark.skipif(not is_root(), reason="mounts a file system to build on")
    def test_layers_are_copies_and_the_archive_is_the_same(
        self, vm: Built, tmp_path: Path
    ) -> None:
        """On a cache that is itself an overlay, overlayfs refuses to be mounted."""
        other = Workplace(tmp_path)
        recipe = other.recipe("debian-vm")
        for name in ("lower/zwizard/layers/root", "upper", "work", "cache"):
            (tmp_path / name).mkdir(parents=True)
        base = targets.make(Recipe.load(recipe)).fingerprints()[0]  # a whole tree in any case
        disks.run("cp", "-a", vm.place.layers / base, tmp_path / "lower/zwizard/layers/root")
        mount = (
            f"mount -t overlay overlay {tmp_path}/cache"
            f" -o lowerdir={tmp_path}/lower,upperdir={tmp_path}/upper,workdir={tmp_path}/work"
        )
        script = f'{mount} && exec "$@"'
        command = [
            "unshare",
            "--mount",
            "bash",
            "-c",
            script,
            "-",
            *other.command("build", recipe),
        ]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert vm.sha256 in done.stdout
