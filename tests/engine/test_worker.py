"""What the commands of a plan run with."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from zwizard.engine.worker import environment
from zwizard.plan.targets import make
from zwizard.recipe.model import Recipe
from zwizard.steps import render
from zwizard.steps.actions import Host
from zwizard.steps.step import Step

PROXIES = [
    *("http_proxy", "https_proxy", "ftp_proxy", "no_proxy"),
    *("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY"),
]


@pytest.mark.parametrize("name", PROXIES)
def test_a_proxy_of_the_user_reaches_the_commands(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for proxy in PROXIES:
        monkeypatch.delenv(proxy, raising=False)
    monkeypatch.setenv(name, "http://proxy.example:3128")
    plan = make(Recipe())
    expected = {name: "http://proxy.example:3128"} | dict(plan.environment)
    assert environment(plan) == expected


@pytest.mark.parametrize("name", PROXIES)
def test_a_proxy_of_the_user_reaches_the_commands_of_an_exported_script(
    name: str, tmp_path: Path
) -> None:
    plan = replace(make(Recipe()), steps=(Step("env", "Env", ("why",), (Host(("env",)),)),))
    for program, text in {
        "id": "echo 0",
        "unshare": 'while [ "$1" != bash ]; do shift; done\n"$@"',
    }.items():
        (tmp_path / program).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / program).chmod(0o755)
    script = tmp_path / "script"
    script.write_text(render.script(plan))
    variables = {
        "PATH": f"{tmp_path}:/usr/bin:/bin",
        name: "http://proxy.example:3128",
        "SECRET": "1",
    }
    done = subprocess.run(
        ["bash", script, tmp_path / "tree"],
        env=variables,
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"{name}=http://proxy.example:3128" in done.stdout.splitlines()
    assert "SECRET" not in done.stdout
