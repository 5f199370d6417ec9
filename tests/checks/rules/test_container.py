"""The rules about containers: a single program and a small system, each with one fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.executables import dynamic, program
from tests.support.faults import Fault, both, directory, executable, link, mode, write
from tests.support.trees import packed
from zwizard.checks import Mode, Outcome, Severity, all_rules, check
from zwizard.image.executables.start_script import render_start_script

LOADER = "lib64/ld-linux-x86-64.so.2"
BUSYBOX = both(write("bin/busybox", program()), mode("bin/busybox", 0o755))

GLIBC = both(write(LOADER, dynamic()), mode(LOADER, 0o755))


def app(data: bytes, bits: int = 0o755) -> Fault:
    return both(write("app", data), mode("app", bits))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "image"
    root.mkdir()
    app(program())(root)
    for name in ("dev", "etc", "proc", "run", "sys", "tmp"):
        directory(name)(root)
    return root


def test_a_good_container_is_ready_as_directory_and_as_tarball(root: Path, tmp_path: Path) -> None:
    for path in (root, packed(root, tmp_path / "image.tar.gz")):
        report = check(path, entrypoint="/app")
        assert report.mode is Mode.CONTAINER
        assert report.ready
        assert [finding for finding in report.findings if finding.wrong] == []


BROKEN: list[tuple[str, str, Fault]] = [
    ("entrypoint", "/app does not exist", lambda root: (root / "app").unlink()),
    ("entrypoint", "/app is a directory",
     both(lambda root: (root / "app").unlink(), directory("app"))),
    ("entrypoint", "not executable (mode 644)", mode("app", 0o644)),
    ("entrypoint", "/app is empty", app(b"")),
    ("entrypoint-link", "on the path /app: /app -> /real",
     both(write("real", program()), mode("real", 0o755), link("app", "/real"))),
    ("entrypoint-link", "on the path /app: /app -> /etc/alternatives/app",
     both(write("real", program()), mode("real", 0o755), directory("etc/alternatives"),
          link("etc/alternatives/app", "/real"), link("app", "/etc/alternatives/app"))),
    ("entrypoint-loader", f"/app needs /{LOADER} does not exist", app(program(interpreter=f"/{LOADER}"))),  # noqa: E501
    ("entrypoint-loader", "/app needs /bin/sh does not exist", app(b"#!/bin/sh\n")),
    ("entrypoint-loader", "/app needs node by env, which is not in the image",
     both(BUSYBOX, write("usr/bin/env", program()), mode("usr/bin/env", 0o755),
          app(b"#!/usr/bin/env -S node\n"))),
    ("entrypoint-starts", "/app needs libx.so, which is not where its loader searches",
     both(GLIBC, app(dynamic("libx.so", interpreter=f"/{LOADER}")))),
    ("entrypoint-starts", "/app is truncated", app(dynamic()[:200])),
    ("entrypoint-loader", "/app is a text file, not a program", app(b"hello\n")),
    ("entrypoint-loader", "too many scripts start each other", app(b"#!/app\n")),
    ("container-kernel-modules", "/etc/modules names loop", write("etc/modules", b"loop\n")),
    ("container-kernel-modules", "/lib/modules/6.1/loop.ko.xz exists",
     write("lib/modules/6.1/loop.ko.xz", b"x")),
    ("container-single-process", "parts of a whole system: /usr/sbin/sshd",
     executable("usr/sbin/sshd", "x")),
    ("resolv-conf", "leads to /run/nowhere", link("etc/resolv.conf", "/run/nowhere")),
    ("resolv-conf", "is a loop of links", link("etc/resolv.conf", "resolv.conf")),
    ("userland-arch", "/app: ELF64, ARM64", app(program(machine=183))),
    ("userland-arch", "/app: ELF32", app(program().replace(b"\x7fELF\x02", b"\x7fELF\x01"))),
    ("mode", "rejects it: /image.raw is a directory", directory("image.raw")),
    ("tree-mountpoints", "/tmp does not exist", lambda root: (root / "tmp").rmdir()),
]  # fmt: skip


@pytest.mark.parametrize(("slug", "evidence", "breaks"), BROKEN)
def test_a_broken_container_fails_in_its_rule_as_directory_and_as_tarball(
    root: Path, tmp_path: Path, slug: str, evidence: str, breaks: Fault
) -> None:
    breaks(root)
    one = check(root, mode="container", entrypoint="/app")
    two = check(packed(root, tmp_path / "a.tar.gz"), mode="container", entrypoint="/app")
    finding = one.finding(slug)
    assert finding.outcome is Outcome.FAIL
    assert evidence in finding.evidence
    assert finding.fix
    assert finding.blocks is (finding.severity is Severity.MUST)
    assert not (finding.blocks and one.ready)
    assert [(f.slug, f.outcome) for f in one.findings] == [
        (f.slug, f.outcome) for f in two.findings
    ]


def test_an_absolute_link_to_busybox_is_a_warning(root: Path) -> None:
    both(BUSYBOX, link("app", "/bin/busybox"))(root)
    finding = check(root, mode="container", entrypoint="/app").finding("entrypoint-link")
    assert (finding.outcome, finding.severity) == (Outcome.FAIL, Severity.SHOULD)


def test_every_rule_on_containers_alone_is_broken_and_every_must_twice() -> None:
    broken_rules = [slug for slug, _, _ in BROKEN]
    for rule in all_rules():
        if rule.modes == {Mode.CONTAINER} and rule.slug != "entrypoint-startup-toml":
            assert broken_rules.count(rule.slug) >= (2 if rule.severity is Severity.MUST else 1)


@pytest.mark.parametrize(
    ("entrypoint", "breaks"),
    [
        ("/app", both(app(program(interpreter=f"/{LOADER}")), GLIBC)),
        ("/app", both(BUSYBOX, link("bin/sh", "busybox"), app(b"#! /bin/sh -e\n"))),
        ("/app", both(BUSYBOX, link("bin/env", "busybox"), app(b"#!/bin/env busybox\n"))),
        ("/run/app", both(link("run/app", "../app"))),
        ("/app", both(GLIBC, write("opt/libx.so", dynamic()),
                      app(dynamic("libx.so", interpreter=f"/{LOADER}")),
                      write(".startup.toml", b"[startup.entry.args.env]\n"
                            b"LD_LIBRARY_PATH = '/opt'\n"))),
        ("/app --port 80", both()),
        (None, both(directory("sbin"), link("sbin/init", "../app"))),
        (None, both(directory("sbin"), link("sbin/init", "../app"),
                    write(".startup.toml", b"[startup.entry]\nname = 'core.system'\n"))),
    ],
)  # fmt: skip
def test_correct_variants_pass(root: Path, entrypoint: str | None, breaks: Fault) -> None:
    breaks(root)
    report = check(root, mode="container", entrypoint=entrypoint)
    assert [f.evidence for f in report.findings if f.wrong] == []


def test_an_entrypoint_without_an_absolute_path_is_an_error(root: Path) -> None:
    report = check(root, entrypoint="app")
    assert report.finding("entrypoint").evidence == "app is not an absolute path"
    assert not report.ready


def test_without_an_entrypoint_the_init_is_started(root: Path) -> None:
    report = check(root)
    assert report.finding("entrypoint").evidence == (
        "/sbin/init does not exist, and no entrypoint is given"
    )
    assert report.finding("userland-arch").outcome is Outcome.NOT_APPLICABLE
    assert not report.ready


def starting(*entrypoint: str, command: tuple[str, ...] = (), path: str = "/opt:/bin") -> Fault:
    """The script that starts what a container image says."""
    expected = render_start_script(entrypoint, command, (("PATH", path),), "/etc", "")
    return both(write("zos-start", expected.encode()), mode("zos-start", 0o755))


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        (starting("/gone", "-v"), "/zos-start starts /gone: /gone does not exist"),
        (
            starting("busybox", path="/opt"),
            "/zos-start starts busybox: /opt/busybox does not exist",
        ),
        (starting("./app"), "/zos-start starts ./app: /etc/app does not exist"),
        (starting(command=("gone",)), "/zos-start starts gone: /opt/gone does not exist"),
        (
            both(starting("/notes"), write("notes", b"hello\n")),
            "/zos-start starts /notes: /notes is a file, not executable (mode 644)",
        ),
    ],
)
def test_the_program_behind_a_start_script_is_checked(
    root: Path, tmp_path: Path, broken: Fault, expected: str
) -> None:
    both(BUSYBOX, link("bin/sh", "busybox"))(root)
    broken(root)
    for path in (root, packed(root, tmp_path / "image.tar.gz")):
        report = check(path, entrypoint="/zos-start --own")
        assert report.finding("entrypoint").evidence == expected
        assert not report.ready


def test_a_start_script_is_checked_against_the_image(root: Path) -> None:
    both(BUSYBOX, link("bin/sh", "busybox"))(root)
    for good in (starting("busybox"), starting("../app"), starting(command=("/app", "exec x"))):
        good(root)
        assert check(root, entrypoint="/zos-start").ready
    both(starting("/app"), app(program(interpreter=f"/{LOADER}")))(root)
    finding = check(root, entrypoint="/zos-start").finding("entrypoint-loader")
    assert (finding.outcome, LOADER in finding.evidence) == (Outcome.FAIL, True)


def test_another_script_at_the_start_scripts_path_is_checked_itself(root: Path) -> None:
    both(BUSYBOX, link("bin/sh", "busybox"))(root)
    both(write("zos-start", b"#!/bin/sh\nexec /gone\n"), mode("zos-start", 0o755))(root)
    assert check(root, entrypoint="/zos-start").ready


def test_the_entrypoint_in_startup_toml_is_a_warning(root: Path) -> None:
    write(".startup.toml", b'[startup.entry]\nname = "x"\n[startup.entry.args]\nname = "/app"\n')(
        root
    )
    finding = check(root).finding("entrypoint-startup-toml")
    assert (finding.outcome, finding.evidence) == (
        Outcome.FAIL,
        "/.startup.toml names /app, and no entrypoint is given",
    )
    given = check(root, entrypoint="/app").finding("entrypoint-startup-toml")
    assert given.outcome is Outcome.PASS
    write(".startup.toml", b"[[[")(root)
    assert check(root).finding("entrypoint-startup-toml").outcome is Outcome.UNKNOWN
