"""The report, and that "tested" is said of exactly the bytes that were booted."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.builds import end, new_build
from zwizard.boottest import records, report
from zwizard.boottest.request import BootTest, BootTestRequest
from zwizard.boottest.results import NotUpError, Results
from zwizard.boottest.stages import StageResult, stages
from zwizard.boottest.watch.boot_causes import BootFailureCause
from zwizard.checks import Mode
from zwizard.console import tables
from zwizard.jobs.events import BootTestMachine
from zwizard.util.hashing import sha256_of

ALL = {
    stage.name: StageResult(stage.name, "pass", f"seen {stage.name}", 12.5)
    for stage in stages(Mode.VM)
}


MACHINE = BootTestMachine(
    mode="vm", accelerator="tcg", why="no KVM", differs=["QEMU"], command=["q"]
)


def made(
    artefact: Path,
    run: BootTest,
    sha256: str = "",
    results: dict[str, StageResult] = ALL,
    failure: NotUpError | None = None,
) -> dict[str, Any]:
    run.console.touch()
    decided = Results(run.journal)
    decided.by_stage = results
    return report.make(
        run, artefact, sha256 or records.digest(artefact), decided, MACHINE, failure
    )


def keep(artefact: Path, **changed: Any) -> BootTest:
    """A boot test of ``artefact`` as it is, kept where its boot tests are."""
    home = records.home(artefact)
    run = BootTest(home / f"run-{len(list(home.iterdir())) if home.is_dir() else 0}")
    run.directory.mkdir(parents=True)
    run.request.write_text(BootTestRequest(artefact).to_json())
    report.write(made(artefact, run, **changed), run)
    return run


@pytest.fixture
def artefact(tmp_path: Path) -> Path:
    path = tmp_path / "web.tar.gz"
    path.write_bytes(b"the archive")
    return path


def test_everything_held_passes_and_the_text_tells_stage_by_stage(artefact: Path) -> None:
    data = made(artefact, BootTest(artefact.parent))
    assert data["passed"] is True
    assert [stage["stage"] for stage in data["stages"]] == [s.name for s in stages(Mode.VM)]
    text = report.text(data)
    assert "web.tar.gz: boot test passed" in text
    assert "✓ kernel        12.5 s  the kernel starts" in text
    assert "seen cloud-init" in text
    assert "no KVM" in text


@pytest.mark.parametrize("outcome", ["fail", "unknown"])
def test_one_stage_that_did_not_hold_is_enough(artefact: Path, outcome: str) -> None:
    results = ALL | {"hostname": StageResult("hostname", outcome, "debian")}  # type: ignore[arg-type]
    data = made(artefact, BootTest(artefact.parent), results=results)
    assert data["passed"] is False
    assert data["rule"] == "cloud-init-enabled"
    assert "boot test failed" in report.text(data)


def test_what_was_not_reached_is_called_so_and_the_cause_comes_with_its_rule(
    artefact: Path,
) -> None:
    results = {"kernel": ALL["kernel"], "root": StageResult("root", "fail", "No such device")}
    cause = BootFailureCause("root", "No virtiofs.", "initrd-virtiofs")
    failure = NotUpError(cause, tail="one\ntwo")
    data = made(artefact, BootTest(artefact.parent), results=results, failure=failure)
    outcomes = {stage["stage"]: stage["outcome"] for stage in data["stages"]}
    assert (outcomes["root"], outcomes["login"]) == ("fail", "unreached")
    assert data["reason"] == "No virtiofs."
    assert "update-initramfs" in data["remedy"]
    text = report.text(data)
    assert "rule     initrd-virtiofs" in text
    assert "The console's last lines:\none\ntwo" in text


def test_nothing_in_a_report_acts_on_a_terminal(artefact: Path) -> None:
    hostile = {"kernel": StageResult("kernel", "pass", "\x1b]0;owned\x07\x1b[2Jx")}
    failure = NotUpError(BootFailureCause("root", "\x1b[1m"), tail="\x1b[31mt")
    data = made(artefact, BootTest(artefact.parent), results=hostile, failure=failure)
    assert "\x1b" not in report.text(data)


class TestTested:
    def test_a_test_result_belongs_to_exactly_those_bytes(self, artefact: Path) -> None:
        keep(artefact)
        sum_ = records.digest(artefact)
        assert records.tested_digests() == {sum_}
        found = records.last_test_of_file(artefact)
        assert found is not None
        assert found.passed
        artefact.write_bytes(b"the archivE")  # as long as before
        assert records.last_test_of_file(artefact) is None
        artefact.write_bytes(b"more than that")
        assert records.last_test_of_file(artefact) is None

    def test_is_taken_back_by_a_later_test_that_fails(self, artefact: Path) -> None:
        first = keep(artefact)
        _date(first, 1000.0)
        results = {"kernel": StageResult("kernel", "fail", "x")}
        keep(artefact, results=results)
        assert records.tested_digests() == frozenset()
        found = records.last_test_of_file(artefact)
        assert found is not None
        assert not found.passed

    def test_is_not_said_by_a_report_that_is_torn_or_something_else(self, artefact: Path) -> None:
        run = keep(artefact)
        for text in ("", "{", "[]", json.dumps({"passed": True})):
            run.report.write_text(text)
            assert records.all_records() == []

    def test_an_older_test_of_the_same_artefact_is_forgotten(
        self, artefact: Path, tmp_path: Path
    ) -> None:
        other = tmp_path / "other.tar.gz"
        other.write_bytes(b"other")
        old, foreign, new = keep(artefact), keep(other), keep(artefact)
        records.remove_others(new, artefact)
        assert not old.directory.exists()
        assert foreign.directory.exists()
        assert new.directory.exists()

    def test_of_a_build_lies_beside_it_and_shows_in_the_list(self, tmp_path: Path) -> None:
        build = new_build("web", tmp_path)
        archive = end(build)
        assert records.home(archive) == build.directory / "boot-tests"
        run = keep(archive, sha256=sha256_of(archive))
        assert "◆ tested " in tables.everything(as_json=False)
        assert json.loads(tables.everything(as_json=True))["builds"][0]["tested"] is True
        assert f"boot test  passed now: {run.directory}/report.txt" in tables.one(
            build, as_json=False
        )

    def test_is_not_said_of_a_build_that_was_only_checked(self, tmp_path: Path) -> None:
        end(new_build("web", tmp_path))
        assert "✓ ready " in tables.everything(as_json=False)
        assert json.loads(tables.everything(as_json=True))["builds"][0]["tested"] is False


class TestDigest:
    @pytest.fixture
    def tree(self, tmp_path: Path) -> Path:
        root = tmp_path / "tree"
        (root / "etc").mkdir(parents=True)
        (root / "etc/passwd").write_text("root")
        (root / "link").symlink_to("etc")
        (root / os.fsdecode(b"\xff")).write_text("bytes")
        return root

    def test_of_a_directory_is_the_same_as_long_as_it_is(self, tree: Path) -> None:
        before = records.digest(tree)
        os.utime(tree / "etc/passwd", (1, 1))  # times are not what is booted
        assert records.digest(tree) == before

    @pytest.mark.parametrize("change", ["content", "mode", "name", "target", "more"])
    def test_of_a_directory_changes_with_anything_in_it(self, tree: Path, change: str) -> None:
        before = records.digest(tree)
        match change:
            case "content":
                (tree / "etc/passwd").write_text("Root")
            case "mode":
                (tree / "etc/passwd").chmod(0o600)
            case "name":
                (tree / "etc/passwd").rename(tree / "etc/Passwd")
            case "target":
                (tree / "link").unlink()
                (tree / "link").symlink_to("usr")
            case _:
                (tree / "empty").mkdir()
        assert records.digest(tree) != before

    def test_a_directory_is_known_again_only_by_its_own_path(
        self, tree: Path, tmp_path: Path
    ) -> None:
        keep(tree)
        assert records.last_test_of_file(tree) is not None
        assert records.last_test_of_file(tmp_path) is None


def _date(run: BootTest, at: float) -> None:
    data = json.loads(run.report.read_text())
    run.report.write_text(json.dumps(data | {"at": at}))
