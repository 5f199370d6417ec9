"""A Debian VM from the real archive: built, built again, changed, broken, killed, resumed."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.real.conftest import Built
from tests.real.workplace import Workplace
from tests.support.executables import starts
from zwizard.jobs import events
from zwizard.util.hashing import sha256_of

pytestmark = pytest.mark.real


def members(archive: Path) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(archive) as tar:
        return {member.name.removeprefix("./"): member for member in tar}


@pytest.fixture(scope="module")
def packed(vm: Built) -> dict[str, tarfile.TarInfo]:
    """The members of its archive."""
    return members(vm.archive)


class TestTheFirstBuild:
    def test_ends_ready_with_the_archive_where_the_recipe_says(self, vm: Built) -> None:
        finished = vm.result.last("build-finished")
        assert finished["ready"] is True
        assert finished["artefact"] == str(vm.archive)
        assert finished["sha256"] == hashlib.sha256(vm.archive.read_bytes()).hexdigest()
        assert "`/sbin/init`" in Path(finished["note"]).read_text("utf-8")

    def test_passes_the_check_of_its_own_archive(self, vm: Built) -> None:
        checked = vm.place.run("check", vm.archive, "--mode", "vm")
        assert checked.code == 0, checked.output

    def test_has_the_kernel_as_elf_behind_relative_links_in_boot(
        self, vm: Built, packed: dict[str, tarfile.TarInfo]
    ) -> None:
        target = packed["boot/vmlinuz"].linkname
        assert target.startswith("vmlinuz-6.1.")
        assert packed["boot/initrd.img"].linkname == target.replace("vmlinuz", "initrd.img")
        with tarfile.open(vm.archive) as tar:
            file = tar.extractfile(f"./boot/{target}")
            assert file is not None
            assert starts(file.read())

    def test_holds_nothing_of_the_build_or_of_one_machine(
        self, packed: dict[str, tarfile.TarInfo]
    ) -> None:
        assert [name for name in packed if name.startswith(("dev/", "run/", "tmp/"))] == []
        assert not any(name.startswith("etc/ssh/ssh_host_") for name in packed)
        assert not any(name.endswith(".deb") for name in packed)
        assert "usr/sbin/policy-rc.d" not in packed
        assert "etc/hostname" not in packed
        assert "var/lib/dbus/machine-id" not in packed
        assert packed["etc/machine-id"].size == 0

    def test_stores_owners_as_numbers(self, packed: dict[str, tarfile.TarInfo]) -> None:
        assert {(m.uname, m.gname) for m in packed.values()} == {("", "")}

    def test_leaves_nothing_behind(self, vm: Built) -> None:
        assert vm.place.traces() == []


class TestBuildingAgain:
    def test_runs_nothing_and_gives_the_same_archive(self, vm: Built) -> None:
        again = vm.place.run("build", vm.place.directory / "debian-vm.toml", "--json")
        assert again.steps("step-started") == []
        assert again.last("build-finished")["sha256"] == vm.sha256

    def test_delivers_over_a_changed_archive_only_with_a_yes(self, vm: Built) -> None:
        whole, recipe = vm.archive.read_bytes(), vm.place.directory / "debian-vm.toml"
        with vm.archive.open("r+b") as file:
            file.write(b"damage")
        refused = vm.place.run("build", recipe)
        assert refused.code == 2
        assert str(vm.archive) in refused.errors
        again = vm.place.run("build", recipe, "--replace", "--json")
        assert again.steps("step-started") == []
        assert vm.archive.read_bytes() == whole

    def test_packs_again_when_the_cached_archive_was_damaged(self, vm: Built) -> None:
        whole = vm.archive.read_bytes()
        cached = vm.place.layers.glob("*/archive.tar.gz")
        (packed,) = (file for file in cached if sha256_of(file) == vm.sha256)
        assert (packed.stat().st_nlink, vm.archive.stat().st_nlink) == (1, 1)
        with packed.open("r+b") as file:
            file.write(b"damage")
        assert vm.archive.read_bytes() == whole
        again = vm.place.run("build", vm.place.directory / "debian-vm.toml", "--json")
        assert again.steps("step-started") == ["pack"]
        assert vm.archive.read_bytes() == whole

    def test_a_changed_late_answer_runs_only_later_steps(self, vm: Built) -> None:
        recipe = vm.place.recipe("late", '[system]\ntimezone = "Europe/Brussels"\n')
        late = vm.place.run("build", recipe, "--json")
        assert late.code == 0, late.output
        assert late.steps("step-started") == ["system", "clean", "pack"]
        archive = vm.place.directory / "late.tar.gz"
        assert members(archive)["etc/localtime"].linkname.endswith("Europe/Brussels")


class TestTrixie:
    def test_minimal_with_every_late_answer_is_ready(self, place: Workplace) -> None:
        recipe = place.recipe(
            "trixie",
            """
            [source]
            suite = "trixie"
            variant = "minimal"
            packages = ["htop"]
            [system]
            timezone = "Europe/Brussels"
            locale = "nl_BE.UTF-8"
            services = ["fstrim.timer"]
            run = ["echo welcome > /etc/motd"]
            """,
        )
        result = place.run("build", recipe, "--json")
        assert result.code == 0, result.output
        found = members(place.directory / "trixie.tar.gz")
        assert "usr/bin/htop" in found
        assert found["etc/motd"].size == len("welcome\n")
        assert "etc/systemd/system/timers.target.wants/fstrim.timer" in found


class TestFailures:
    """Each ends in a clear message, keeps what is finished, and leaves nothing behind."""

    @pytest.mark.parametrize(
        ("tables", "step", "cause"),
        [
            ('[source]\npackages = ["no-such-package"]', "more-packages", "no-such-package"),
            ('[system]\ntimezone = "Europe/Atlantis"', "system", "Europe/Atlantis"),
            ('[system]\nlocale = "xx_XX.UTF-8"', "system", "xx_XX.UTF-8"),
            ('[system]\nservices = ["nothing-like-it"]', "system", "nothing-like-it"),
        ],
    )
    def test_an_answer_unknown_to_the_suite(
        self, vm: Built, tables: str, step: str, cause: str
    ) -> None:
        result = vm.place.run("build", vm.place.recipe("wrong", tables), "--json")
        assert result.code == 1
        failed = result.last("build-failed")
        assert failed["error"].startswith(f"{step}: ")
        assert cause in failed["cause"]
        assert result.steps("step-cached")[:2] == ["bootstrap", "packages"]
        assert vm.place.traces() == []

    def test_a_command_of_the_user_that_fails(self, vm: Built) -> None:
        tables = '[system]\nrun = ["echo before", "printf \'it hurts\\\\n\'; exit 7"]'
        result = vm.place.run("build", vm.place.recipe("wrong", tables))
        assert result.code == 1
        assert "exit status 7" in result.output
        assert "it hurts" in result.output
        assert vm.place.traces() == []

    @pytest.mark.parametrize("tool", ["mmdebstrap", "debootstrap"])
    def test_a_mirror_that_does_not_answer(self, vm: Built, tool: str) -> None:
        tables = f'[source]\nmirror = "http://127.0.0.1:9/debian"\nbootstrap = "{tool}"'
        result = vm.place.run("build", vm.place.recipe("wrong", tables), "--json")
        assert result.code == 1
        assert "127.0.0.1" in result.last("build-failed")["cause"]
        assert vm.place.traces() == []

    def test_a_directory_that_cannot_be_written_to(self, place: Workplace) -> None:
        recipe = place.recipe("nowhere", '[output]\ndirectory = "/proc/nowhere"')
        result = place.run("build", recipe)
        assert result.code == 1
        assert "/proc/nowhere" in result.output

    def test_a_corrected_answer_resumes_at_the_failed_step(self, vm: Built) -> None:
        vm.place.run("build", vm.place.recipe("mended", '[system]\nrun = ["false"]'))
        result = vm.place.run(
            "build", vm.place.recipe("mended", '[system]\nrun = ["true"]'), "--json"
        )
        assert result.code == 0
        assert result.steps("step-started") == ["commands", "clean", "pack"]


class TestBeingStopped:
    """A build that hangs in the user's command, on top of layers that are there."""

    HANGS = '[system]\nrun = ["trap : TERM; (setsid sleep 1234 &) ; sleep 4321"]'

    def hanging(self, vm: Built, name: str) -> subprocess.Popen[str]:
        process = vm.place.start("build", vm.place.recipe(name, self.HANGS))
        vm.place.wait_for_step(name, "commands")
        log = vm.place.build_directory(name) / "logs/06-commands.log"
        vm.place.wait_for(lambda: log.exists() and b"sleep 4321" in log.read_bytes(), "no log")
        kinds = {trace.split()[0] for trace in vm.place.traces_now()}
        assert kinds == {"mount", "process", "file"}  # else none could be missing later
        return process

    def resumed(self, vm: Built, name: str) -> None:
        """It goes on where it was, once its command has been mended."""
        recipe = vm.place.recipe(name, f'[system]\nrun = ["echo {name}"]')
        result = vm.place.run("build", recipe, "--json")
        assert result.code == 0, result.output
        assert result.steps("step-started") == ["commands", "clean", "pack"]

    def test_cancelling_stops_it_and_keeps_what_is_finished(self, vm: Built) -> None:
        process = self.hanging(vm, "cancelled")
        assert vm.place.run("cancel", "cancelled").code == 0
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "stopped" in output
        assert vm.place.traces() == []
        self.resumed(vm, "cancelled")

    def test_ctrl_c_in_the_foreground_stops_it(self, vm: Built) -> None:
        process = self.hanging(vm, "interrupted")
        os.kill(_zwizard_of(process), signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == 130
        assert vm.place.traces() == []

    def test_killing_the_foreground_leaves_it_running_to_be_followed_again(
        self, vm: Built
    ) -> None:
        process = self.hanging(vm, "detached")
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        assert '"state": "running"' in vm.place.run("show", "detached", "--json").output
        attached = vm.place.start("resume", "detached")
        assert attached.stdout is not None
        # Attached first, else it would rightly start the stopped build once more.
        assert any("● commands" in line for line in attached.stdout)
        assert vm.place.run("cancel", "detached").output == "detached is stopping\n"
        attached.communicate(timeout=60)
        assert attached.returncode == 130

    def test_a_killed_worker_is_reported_and_cleaned_up(self, vm: Built) -> None:
        process = self.hanging(vm, "killed")
        # A child of it has its command line until it runs its own.
        worker = min(_processes("zwizard.jobs.worker", "builds/killed", "python"))
        os.kill(worker, signal.SIGKILL)
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 1
        assert events.BuildInterrupted().error in output
        assert events.BuildInterrupted().hint in output
        assert vm.place.traces() == []
        self.resumed(vm, "killed")

    def test_a_killed_supervisor_leaves_nothing_running(self, vm: Built) -> None:
        process = self.hanging(vm, "felled")
        for runner in _processes("zwizard.jobs.", "builds/felled"):
            os.kill(runner, signal.SIGKILL)
        process.communicate(timeout=60)
        assert process.returncode == 1
        vm.place.wait_for(lambda: _running(vm.place) == [], "something runs on", 20)
        assert '"state": "stopped"' in vm.place.run("show", "felled", "--json").output
        self.resumed(vm, "felled")
        assert vm.place.traces() == []

    def test_a_second_run_of_the_same_build_is_refused(self, vm: Built) -> None:
        process = self.hanging(vm, "twice")
        vm.place.recipe("twice", '[system]\nrun = ["true"]')
        second = vm.place.run("build", vm.place.directory / "twice.toml")
        assert second.code == 2
        assert "is being built" in second.errors
        assert vm.place.run("rm", "twice", "--yes").code == 2
        vm.place.run("cancel", "twice")
        process.communicate(timeout=60)


def _running(place: Workplace) -> list[str]:
    return [trace for trace in place.traces_now() if not trace.startswith("file ")]


def _zwizard_of(process: subprocess.Popen[str]) -> int:
    """`env` and `setpriv` become what they run, so the process is zwizard itself."""
    return process.pid


def _processes(*words: str) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().decode().replace("\0", " ")
        except OSError:
            continue
        if all(word in command for word in words) and not command.startswith("unshare"):
            found.append(int(entry.name))
    return found
