"""The bug report: what is needed is in it, what is private is not, whatever stands in the logs."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.support.builds import begin, fail, new_build
from zwizard.engine import bug_report
from zwizard.engine.builds import Build
from zwizard.recipe.fields import Source, System
from zwizard.recipe.model import Recipe

CANARY = 'c4n4ry"S3cr3t'
COMMAND = f"printf 'root:%s' $PASSWORD; PASSWORD='{CANARY}'"


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    """A build that failed, and whose every text names the user, the machine and the secret."""
    monkeypatch.setattr(socket, "gethostname", lambda: "analytical.example")
    monkeypatch.setenv("LOGNAME", "lovelace")
    monkeypatch.setenv("HOME", "/srv/people/lovelace")
    monkeypatch.setenv("http_proxy", "http://lovelace:pr0xycanary@proxy.example:3128")
    recipe = Recipe(
        source=Source(mirror="http://m.example/debian"),
        system=System(run=("curl -H 'Authorization: Bearer c4n4rytoken' https://x", COMMAND)),
    )
    made = new_build("web", tmp_path, recipe)
    begin(made)
    log = made.step_log(1, "bootstrap")
    log.write_text(
        "on analytical.example by lovelace in /srv/people/lovelace/x\n"
        "Err http://u:m1rrorcanary@m.example/debian; via pr0xycanary\n"
        "echoed: c4n4rytoken\x1b[31m \xff\n"
    )
    fail(made, "bootstrap", command=COMMAND, error=f"bootstrap: exit status 2: {COMMAND}")
    made.log.write_text("")
    return made


def contents(path: Path) -> dict[str, str]:
    with tarfile.open(path) as archive:
        return {
            member.name.partition("/")[2]: file.read().decode()
            for member in archive.getmembers()
            if (file := archive.extractfile(member))
        }


def test_nothing_private_is_in_it(build: Build, tmp_path: Path) -> None:
    made = bug_report.make(build, tmp_path)
    everything = "".join(f"{name}\n{text}\n" for name, text in contents(made.path).items())
    assert "m.example/debian" in everything
    assert "echoed: [redacted]" in everything
    for private in ("c4n4ry", "S3cr3t", "m1rrorcanary", "pr0xycanary", "lovelace", "analytical"):
        assert private not in everything
    assert made.path.stat().st_mode & 0o077 == 0
    with tarfile.open(made.path) as archive:
        assert {(m.uid, m.uname) for m in archive.getmembers()} == {(0, "")}


def test_what_a_report_needs_is_in_it_and_it_says_so(build: Build, tmp_path: Path) -> None:
    made = bug_report.make(build, tmp_path)
    held = contents(made.path)
    assert {name for name, _ in made.files} == held.keys()
    assert {"recipe.toml", "journal.jsonl", "logs/01-bootstrap.log", "doctor.json"} <= held.keys()
    assert "textual" in held["versions.txt"]
    assert json.loads(held["status.json"])["state"] == "failed"
    events = [json.loads(line)["event"] for line in held["journal.jsonl"].splitlines()]
    assert events[-1] == "build-failed"
    text = bug_report.describe(made)
    assert f"saved to {made.path}" in text
    for name in held:
        assert name in text
        assert name in held["README.txt"] or name == "README.txt"


@pytest.mark.slow
def test_two_in_a_second_are_two_files(build: Build, tmp_path: Path) -> None:
    made = [bug_report.make(build, tmp_path).path for _ in range(3)]
    assert len(set(made)) == 3
    assert all(path.exists() for path in made)


@pytest.mark.slow
def test_of_an_endless_log_the_ends_are_kept(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bug_report, "_MOST", 2**18)
    log = build.step_log(1, "bootstrap")
    log.write_bytes(b"first\n" + b"x" * 5 * 2**20 + b"\nlast\n")
    text = contents(bug_report.make(build, tmp_path).path)["logs/01-bootstrap.log"]
    assert text.startswith("first\n")
    assert text.endswith("\nlast\n")
    assert "bytes left out" in text
    assert len(text) < 2**18 + 1000


def test_where_it_cannot_be_written_it_goes_among_the_builds(build: Build, tmp_path: Path) -> None:
    made = bug_report.make(build, tmp_path / "not there")
    assert made.path.parent == build.directory.parent
    assert made.path.exists()


def command(*arguments: str, place: Path) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "zwizard", *arguments]
    return subprocess.run(
        line, cwd=place, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_the_command_saves_it_where_one_is_and_says_so(build: Build, tmp_path: Path) -> None:
    done = command("bundle", "web", place=tmp_path)
    (made,) = tmp_path.glob("web-report-*.tar.gz")
    assert done.returncode == 0, done.stderr
    assert f"saved to {made}" in done.stdout
    assert command("bundle", "no-such", place=tmp_path).returncode == 2


def test_it_is_not_written_through_a_link(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.strftime", lambda *_: "now")
    (tmp_path / "web-report-now.tar.gz").symlink_to("nowhere")
    made = bug_report.make(build, tmp_path)
    assert made.path == tmp_path / "web-report-now-2.tar.gz"
    assert made.path.stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "nowhere").exists()
