"""How apt is run in a tree: it fails where a list cannot be downloaded."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from zwizard.plan.targets import make
from zwizard.recipe.model import Recipe
from zwizard.steps.actions import InTree


@pytest.mark.skipif(not shutil.which("apt-get"), reason="apt is not here")
def test_a_mirror_that_does_not_answer_fails_the_step(tmp_path: Path) -> None:
    (update,) = (
        action.argv
        for step in make(Recipe()).steps
        if step.name == "packages"
        for action in step.actions
        if isinstance(action, InTree) and action.argv[:2] == ("apt-get", "update")
    )
    for directory in ("etc/apt/apt.conf.d", "state/lists/partial", "cache/archives/partial"):
        (tmp_path / directory).mkdir(parents=True)
    (tmp_path / "etc/apt/sources.list").write_text("deb http://127.0.0.1:1/ stable main\n")
    (tmp_path / "status").touch()
    places = {
        "Dir::Etc": tmp_path / "etc/apt",
        "Dir::State": tmp_path / "state",
        "Dir::State::status": tmp_path / "status",
        "Dir::Cache": tmp_path / "cache",
        "Acquire::Retries": 0,
        "Acquire::http::Proxy": "DIRECT",
        "APT::Sandbox::User": "",
    }
    options = [word for pair in places.items() for word in ("-o", "=".join(map(str, pair)))]
    done = subprocess.run([*update, *options], capture_output=True, text=True, check=False)
    assert "127.0.0.1" in done.stdout + done.stderr
    assert done.returncode == 100, done.stderr
