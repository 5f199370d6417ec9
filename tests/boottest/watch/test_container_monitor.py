"""Containers booted: what their observer reports, and a program started as by Zero-OS."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from zwizard.boottest import records
from zwizard.boottest.machine.seed import Seed
from zwizard.boottest.stages import StageResult, stages
from zwizard.boottest.status import Status
from zwizard.boottest.watch.container_monitor import (
    diagnose_exit,
    entrypoint_output,
    judge,
)
from zwizard.boottest.watch.guest_probe import GuestFacts
from zwizard.boottest.watch.monitor import MonitorSettings
from zwizard.checks import Mode
from zwizard.host import tools
from zwizard.host.privileges import find_privilege
from zwizard.jobs.events import BootTestPreparing, BootTestStarted

BUSYBOX = shutil.which("busybox") or ""
ZWIZARD = Path(sys.executable).with_name("zwizard")


def encoded(*strings: str) -> str:
    return base64.encodebytes("".join(f"{s}\0" for s in strings).encode()).decode()


def facts_of(
    cmdline: list[str], environ: list[str], *, later: list[str] | None = None
) -> GuestFacts:
    answers = f"== cmdline\n{encoded(*cmdline)}== environ\n{encoded(*environ)}== looked\n"
    return GuestFacts.read(answers + (f"== running\n{encoded(*later)}== over\n" if later else ""))


def found(facts: GuestFacts, settings: MonitorSettings) -> dict[str, StageResult]:
    return {finding.name: finding for finding in judge(facts, settings)}


class TestReportsOfTheObserver:
    GIVEN = MonitorSettings(
        Path(), Path(), "host", Mode.CONTAINER, 1.0,
        entrypoint="/app -x 'a b'", environment={"A": "b == c", "TOKEN": "canary"},
    )  # fmt: skip

    def test_everything_as_expected(self) -> None:
        facts = facts_of(
            ["/app", "-x", "a b"], ["A=b == c", "TOKEN=canary", "HOME=/"], later=["/app"]
        )
        come = found(facts, self.GIVEN)
        assert {stage: finding.outcome for stage, finding in come.items()} == {
            "entrypoint": "pass", "environment": "pass", "stays": "pass",
        }  # fmt: skip
        assert come["entrypoint"].evidence == "/app -x 'a b'"
        assert "canary" not in str(come)

    def test_other_arguments_and_another_environment(self) -> None:
        come = found(facts_of(["/app", "-y"], ["A=b"]), self.GIVEN)
        assert come["entrypoint"].outcome == come["environment"].outcome == "fail"
        assert "expected /app -x 'a b'" in come["entrypoint"].evidence
        assert come["environment"].evidence == "missing or different: A, TOKEN"

    def test_a_script_and_what_it_becomes(self) -> None:
        come = found(facts_of(["/bin/sh", "/app", "-x", "a b"], []), self.GIVEN)
        assert come["entrypoint"].outcome == "pass"
        come = found(facts_of(["nginx"], []), self.GIVEN)
        assert come["entrypoint"].evidence == "/app has become nginx"

    def test_a_partial_fact_is_ignored(self) -> None:
        half = GuestFacts.read(
            "== root\nvroot /new_root virtiofs rw 0 0\n== seed\n/dev/vda\n== cmd"
        )
        assert found(half, self.GIVEN) == {"root": StageResult("root", "pass", "vroot, virtiofs")}


def test_the_exit_status_is_read_from_the_kernels_last_line() -> None:
    line = "Kernel panic - not syncing: Attempted to kill init! exitcode=0x%08x"
    status, signal = diagnose_exit(line % 0x0700), diagnose_exit(line % 11)
    assert status is not None
    assert signal is not None
    assert "with status 7" in status[0].message
    assert "by signal 11 (SIGSEGV)" in signal[0].message
    assert diagnose_exit("nothing of the kind") is None


def test_the_entrypoints_output_is_shown_without_kernel_messages() -> None:
    console = (
        "before\nzwizard-init: entrypoint output follows\r\n"
        "[    5.123456] eth0: link becomes ready\r\n"
        "hello[    5.200000] eth0: again\r\n\r\n[1] of 2\r\n"
    )
    assert entrypoint_output(console) == "hello\n[1] of 2"
    assert entrypoint_output("[    0.0] Linux version 6.1") == ""


def test_the_seed_quotes_for_a_shell() -> None:
    environment = {"A": "it's", "B": "$HOME `x`\\", "SPACE": " "}
    seed = Seed("id", "host", "key", "/app 'a b' ''", environment)
    script = f'{seed.files()["zosrc"]}\nprintf "%s|" "$init" "$@" "$A" "$B" "$SPACE"'
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "/app|a b||it's|$HOME `x`\\| |"


def test_stages_of_a_container_are_shown_while_its_kernel_is_built() -> None:
    started = Status().after(BootTestStarted(at=1.0, artefact="web.tar.gz"))
    status = started.after(BootTestPreparing(at=2.0, mode="container"))
    assert [stage.name for stage in status.stages] == [s.name for s in stages("container")]
    assert status.next == "start"


# --- real ones ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Booted:
    code: int
    events: list[dict[str, Any]]
    report: str

    def outcome(self, stage: str) -> str:
        return next((e["outcome"] for e in self._stages if e["stage"] == stage), "")

    def evidence(self, stage: str) -> str:
        return next(str(e["evidence"]) for e in self._stages if e["stage"] == stage)

    @property
    def last(self) -> dict[str, Any]:
        assert self.events[-1]["event"] == "boot-test-finished", self.events
        return self.events[-1]

    @property
    def _stages(self) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == "boot-test-stage"]


@pytest.mark.skipif(not BUSYBOX, reason="busybox-static is not here")
def test_the_observer_reads_again_while_another_program_starts(tmp_path: Path) -> None:
    text = resources.files("zwizard.boottest").joinpath("scripts/watch.sh").read_text("utf-8")
    function = text[text.index("read_first()") : text.index("report cmdline")]
    here = function.replace("/proc/1/", f"{tmp_path}/").replace("/busybox", BUSYBOX)
    environ = tmp_path / "environ"
    environ.touch()
    command = [BUSYBOX, "sh", "-c", f"{here}\necho ready; read_first environ"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as observer:
        assert observer.stdout is not None
        assert observer.stdout.readline() == "ready\n"
        time.sleep(0.1)  # it reads, and finds nothing
        environ.write_bytes(b"A=1\0")
        assert base64.b64decode(observer.stdout.read()) == b"A=1\0"


SCRIPT = """#!/bin/sh
echo "$0 was given $# with A=$A, at home in $(cat /proc/sys/kernel/hostname)"
exec /bin/httpd -f "$@"
"""
STARTED = {
    "good": "/bin/serve -p 8080",
    "missing": "/bin/none",
    "not executable": "/etc/hosts",
    "no loader": "/bin/dynamic",
    "ends": "/bin/sh -c 'echo out of luck; exit 7'",
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("container") / "tree"
    for name in ("bin", "dev", "etc", "proc", "run", "sys", "tmp"):
        (root / name).mkdir(parents=True)
    shutil.copy(BUSYBOX, root / "bin/busybox")
    for name in ("sh", "httpd", "cat"):
        (root / "bin" / name).symlink_to("busybox")
    shutil.copy("/bin/ls", root / "bin/dynamic")
    (root / "etc/hosts").write_text("")
    (root / "bin/serve").write_text(SCRIPT)
    (root / "bin/serve").chmod(0o755)
    return root


@pytest.fixture(scope="module")
def boots(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Booted]]:
    """All of them, two at a time, once the first has made the kernel."""
    place = tmp_path_factory.mktemp("place")
    environment = {
        **os.environ, "XDG_CACHE_HOME": f"{place}/cache", "XDG_STATE_HOME": f"{place}/state",
    }  # fmt: skip

    def boot(name: str) -> Booted:
        own = shutil.copytree(tree, place / name, symlinks=True)  # one boot test is kept of each
        options = ("--entrypoint", STARTED[name], "--env", "A=b c")
        done = subprocess.run(
            [ZWIZARD, "boot", own, "--json", *options],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
        )
        events = [json.loads(line) for line in done.stdout.splitlines()]
        report = Path(events[-1]["report"]).read_text("utf-8")
        return Booted(done.returncode, events, report)

    first, *others = STARTED
    booted = {first: boot(first)}
    with ThreadPoolExecutor(2) as beside:
        booted |= zip(others, beside.map(boot, others), strict=True)
    assert {records.digest(place / name) for name in STARTED} == {records.digest(tree)}
    yield booted
    shutil.rmtree(place)


@pytest.mark.real
@pytest.mark.skipif(
    not BUSYBOX
    or bool(tools.missing(("qemu-system-x86_64", "virtiofsd", "mmdebstrap", "mkfs.vfat", "mcopy")))
    or find_privilege().mode not in {"root", "userns"},
    reason="QEMU, virtiofsd, mmdebstrap, busybox-static or the right to mount are not here",
)
class TestARealContainer:
    def test_starts_its_entrypoint_with_arguments_and_environment(
        self, boots: dict[str, Booted]
    ) -> None:
        good = boots["good"]
        assert good.code == 0, good.events
        asserted = [stage.name for stage in stages("container")]
        assert {name: good.outcome(name) for name in asserted} == dict.fromkeys(asserted, "pass")
        assert good.evidence("network") == "10.1.3.77, default route by 10.1.3.1"
        assert "/bin/httpd -f -p 8080" in good.evidence("stays")

    def test_shows_the_entrypoints_output(self, boots: dict[str, Booted]) -> None:
        printed = boots["good"].last["printed"]
        host = boots["good"].evidence("hostname")
        assert printed == f"/bin/serve was given 2 with A=b c, at home in {host}"
        assert printed in boots["good"].report

    @pytest.mark.parametrize(
        ("name", "stage", "rule", "message"),
        [
            ("missing", "entrypoint", "entrypoint", "not in the image"),
            ("not executable", "entrypoint", "entrypoint", "not executable"),
            ("no loader", "entrypoint", "entrypoint-loader", "ELF loader"),
            ("ends", "stays", "", "exited with status 7"),
        ],
    )
    def test_a_failure_is_reported_with_its_rule(
        self, boots: dict[str, Booted], name: str, stage: str, rule: str, message: str
    ) -> None:
        failed = boots[name]
        assert failed.code == 1
        assert failed.outcome("root") == "pass"
        assert failed.outcome(stage) == "fail"
        assert failed.last["rule"] == rule
        assert message in failed.last["reason"]

    def test_the_last_output_before_the_end_is_shown(self, boots: dict[str, Booted]) -> None:
        assert boots["ends"].last["printed"] == "out of luck"
