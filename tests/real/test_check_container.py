"""The checklist on a container of one real program: good, and broken in each rule's way."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.checks.rules.test_first_boot import special
from tests.support import disks
from tests.support.faults import (
    ARCHIVES,
    FLIST,
    NAMES,
    Fault,
    both,
    cut,
    directory,
    emptied,
    executable,
    link,
    mode,
    move,
    remove,
    wrapped,
    write,
)
from tests.support.trees import packed
from zwizard.checks import Mode, Outcome, Severity, all_rules, check

pytestmark = pytest.mark.real

ENTRYPOINT = "/bin/httpd -f"
LOADER = "ld-linux-x86-64.so.2"
PROGRAMS = ("ls", "sshd", "fuse.ko", LOADER)


@pytest.fixture(scope="module")
def whole(more_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A web server: Debian's static busybox under its names, and nothing else."""
    place = tmp_path_factory.mktemp("container")
    disks.run("tar", "-xzf", more_archive, "-C", place, "--wildcards", "./usr/bin/busybox",
              "./usr/sbin/sshd", "./usr/bin/ls", "./usr/lib/modules/*/fuse/fuse.ko",
              f"./usr/lib/x86_64-linux-gnu/{LOADER}")  # fmt: skip
    root = place / "root"
    for name in ("bin", "dev", "etc", "proc", "run", "sys", "tmp"):
        (root / name).mkdir(parents=True)
    shutil.copy(place / "usr/bin/busybox", root / "bin/busybox")
    for name in ("httpd", "sh"):
        (root / "bin" / name).symlink_to("busybox")
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n")
    return root


@pytest.fixture
def root(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "image", symlinks=True))


def test_the_program_runs_with_nothing_around_it(whole: Path) -> None:
    done = subprocess.run([whole / "bin/sh", "-c", "echo it runs"], capture_output=True, env={},
                          text=True, check=True)  # fmt: skip
    assert done.stdout == "it runs\n"


def test_a_good_container_is_ready_as_directory_and_as_tarball(root: Path, tmp_path: Path) -> None:
    one = check(root, entrypoint=ENTRYPOINT)
    two = check(packed(root, tmp_path / "image.tar.gz"), entrypoint=ENTRYPOINT)
    for report in (one, two):
        assert report.mode is Mode.CONTAINER
        assert report.ready
        assert [finding for finding in report.findings if finding.wrong] == []
    for a, b in zip(one.findings, two.findings, strict=True):
        assert a.outcome is b.outcome
        if not a.slug.startswith("archive-"):
            assert a.evidence == b.evidence


def another(name: str, at: str = "bin/busybox") -> Fault:
    """In the place of busybox, or ``at`` another, one more of Debian's programs."""

    def breaks(root: Path) -> None:
        (root / at).parent.mkdir(exist_ok=True)
        shutil.copy(root.parent / "programs" / name, root / at)

    return breaks


def bytes_at(offset: int, data: bytes) -> Fault:
    def breaks(root: Path) -> None:
        path = root / "bin/busybox"
        with path.open("r+b") as file:
            file.seek(offset)
            file.write(data)

    return breaks


MUTANTS: list[tuple[str, str, Fault]] = [
    ("archive-root", "everything is inside /ubuntu/", wrapped),
    ("archive-root", "the archive is empty", emptied),
    ("mode", "/boot/vmlinuz exists",
     both(directory("boot"), write("boot/vmlinuz", b"\x7fELF"))),
    ("mode", "/image.raw exists", write("image.raw", b"x")),
    ("mode-single", "both /image.raw and /boot/vmlinuz exist",
     both(write("boot/vmlinuz", b"x"), write("image.raw", b"x"))),
    ("entrypoint", "/bin/busybox, which does not exist", remove("bin/busybox")),
    ("entrypoint", "not executable (mode 644)", mode("bin/busybox", 0o644)),
    ("entrypoint-link", "/bin/httpd -> /bin/busybox", link("bin/httpd", "/bin/busybox")),
    ("entrypoint-link", "on the path /bin/httpd: /bin -> /programs",
     both(move("bin", "programs"), link("bin", "/programs"))),
    ("entrypoint-loader", "/bin/httpd needs /lib64/ld-linux-x86-64.so.2 does not exist",
     another("ls")),
    ("entrypoint-loader", "/bin/httpd needs /bin/bash does not exist",
     both(remove("bin/httpd"), executable("bin/httpd", "#!/bin/bash\nexec busybox httpd\n"))),
    ("entrypoint-starts", "busybox needs libselinux.so.1, which is not where its loader searches",
     both(another("ls"), another(LOADER, f"lib64/{LOADER}"))),
    ("entrypoint-starts", "/bin/httpd is truncated", lambda root: cut(0.5)(root / "bin/busybox")),
    ("userland-arch", "ELF64, ARM64", bytes_at(18, b"\xb7\x00")),
    ("userland-arch", "ELF32", bytes_at(4, b"\x01")),
    ("resolv-conf", "leads to /run/systemd/resolve/stub-resolv.conf, which does not exist",
     link("etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf")),
    ("resolv-conf", "is a loop of links", link("etc/resolv.conf", "resolv.conf")),
    ("build-leftovers", "/proc/1 exists", directory("proc/1")),
    ("build-leftovers", "prevents services from starting",
     executable("usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n")),
    ("container-kernel-modules", "fuse.ko exists",
     lambda root: write("lib/modules/6/fuse.ko",
                        (root.parent / "programs/fuse.ko").read_bytes())(root)),
    ("container-single-process", "parts of a whole system: /usr/sbin/sshd",
     lambda root: both(write("usr/sbin/sshd", (root.parent / "programs/sshd").read_bytes()),
                       mode("usr/sbin/sshd", 0o755))(root)),
    ("no-secrets", "/root/.ssh/authorized_keys",
     write("root/.ssh/authorized_keys", b"ssh-ed25519 AAAA builder@host\n")),
    ("package-cache", "/var/cache/apk/own.apk", write("var/cache/apk/own.apk", b"x")),
    ("tree-mountpoints", "/tmp does not exist", remove("tmp")),
    ("dev-empty", "1: /dev/null", write("dev/null", b"")),
    ("special-files", "/etc/pipe (fifo)", special("etc/pipe")),
    ("setuid-files", "/bin/busybox (4755)", mode("bin/busybox", 0o4755)),
    *FLIST,
]  # fmt: skip


@pytest.mark.parametrize(
    ("slug", "evidence", "breaks"), MUTANTS,
    ids=[f"{n}-{slug}" for n, (slug, _, _) in enumerate(MUTANTS)],
)  # fmt: skip
def test_a_broken_container_fails_the_rule_that_covers_it(
    whole: Path, root: Path, slug: str, evidence: str, breaks: Fault
) -> None:
    programs = root.parent / "programs"
    programs.mkdir()
    for name in PROGRAMS:
        (path,) = (whole.parent / "usr").rglob(name)
        shutil.copy(path, programs)
    breaks(root)
    report = check(root, mode="container", entrypoint=ENTRYPOINT)
    finding = report.finding(slug)
    assert finding.outcome is Outcome.FAIL, finding.evidence
    assert evidence in finding.evidence
    assert finding.blocks is (finding.severity is Severity.MUST)
    assert not (finding.blocks and report.ready)


@pytest.mark.parametrize(("slug", "evidence", "breaks"), ARCHIVES)
def test_a_broken_archive_fails_the_rule_that_covers_it(
    root: Path, tmp_path: Path, slug: str, evidence: str, breaks: Fault
) -> None:
    path = packed(root, tmp_path / "image.tar.gz")
    breaks(path)
    report = check(path, mode="container", entrypoint=ENTRYPOINT)
    finding = report.finding(slug)
    assert finding.outcome is (
        Outcome.NOT_APPLICABLE if report.mode not in finding.rule.modes else Outcome.FAIL
    )
    assert evidence in finding.evidence
    assert not (finding.blocks and report.ready)


@pytest.mark.parametrize(("slug", "name"), NAMES)
def test_a_wrong_name_fails_its_rule(root: Path, slug: str, name: str) -> None:
    report = check(root, entrypoint=ENTRYPOINT, planned_name=name)
    assert report.finding(slug).outcome is Outcome.FAIL


def test_the_entrypoint_of_a_converted_image_is_not_relied_upon(root: Path) -> None:
    write(".startup.toml", b'[startup.entry.args]\nname = "/bin/httpd"\n')(root)
    assert check(root, mode="container").finding("entrypoint-startup-toml").outcome is Outcome.FAIL
    given = check(root, entrypoint=ENTRYPOINT).finding("entrypoint-startup-toml")
    assert given.outcome is Outcome.PASS


def test_every_container_rule_is_broken_and_every_must_twice() -> None:
    told = [slug for slug, _, _ in (*MUTANTS, *ARCHIVES)] + [slug for slug, _ in NAMES]
    for rule in all_rules():
        if Mode.CONTAINER in rule.modes and rule.slug != "entrypoint-startup-toml":
            wanted = 2 if rule.severity_in(Mode.CONTAINER) is Severity.MUST else 1
            assert told.count(rule.slug) >= wanted, rule.slug
