"""Milestones and causes in the console output of real machines."""

from __future__ import annotations

from pathlib import Path

import pytest

from zwizard.boottest.watch import boot_causes
from zwizard.boottest.watch.console import Console, Milestone

CONSOLES = Path(__file__).with_name("consoles")


def shown(name: str) -> bytes:
    """A real console, shortened at "[...]"; its last line may have no end."""
    data = (CONSOLES / f"{name}.txt").read_bytes()
    return data.removesuffix(b"\n") if data.endswith((b": \n", b"# \n")) else data


def sights(data: bytes, chunk: int = 0) -> list[Milestone]:
    console = Console()
    step = chunk or len(data)
    pieces = (data[i : i + step] for i in range(0, len(data), step))
    return [sight for piece in pieces for sight in console.feed(piece)]


@pytest.mark.parametrize("chunk", [0, 1, 7, 4096])
def test_a_good_boot_passes_every_milestone_in_chunks_of_any_size(chunk: int) -> None:
    found = sights(shown("good"), chunk)
    assert [sight.kind for sight in found] == [
        "kernel", "root", "init", "cloud-init", "network", "prompt", "cloud-init-over",
    ]  # fmt: skip
    lines = {milestone.kind: milestone.line for milestone in found}
    assert lines["init"] == "Welcome to Debian GNU/Linux 12 (bookworm)!"  # without its colours
    assert lines["prompt"].startswith("proof-xn0ss3 login:")
    assert "DataSourceNoCloud" in lines["cloud-init-over"]


@pytest.mark.parametrize(
    ("name", "last", "stage", "rule", "line"),
    [
        (
            "initrd-without-virtiofs",
            "end",
            "root",
            "initrd-virtiofs",
            "mount: mounting vroot on /root failed: No such device",
        ),
        (
            "initrd-without-virtio-pci",
            "end",
            "root",
            "initrd-virtio-pci",
            "virtio-fs: tag <vroot> not found",
        ),
        (
            "no-initrd",
            "end",
            "root",
            "initrd-resolves",
            'VFS: Cannot open root device "vroot"',
        ),
        (
            "no-init",
            "end",
            "init",
            "init-present",
            "run-init: can't execute '/sbin/init': No such file or directory",
        ),
    ],
)
def test_a_failed_boot_ends_with_its_cause(
    name: str, last: str, stage: str, rule: str, line: str
) -> None:
    data = shown(name)
    assert sights(data, 64)[-1].kind == last
    console = Console()
    console.feed(data)
    diagnosis = boot_causes.diagnose(console.text)
    assert diagnosis is not None
    cause, showing = diagnosis
    assert (cause.stage, cause.rule) == (stage, rule)
    assert line in showing


def test_without_cloud_init_only_the_network_and_the_prompt_are_reached() -> None:
    kinds = [sight.kind for sight in sights(shown("cloud-init-disabled"))]
    assert kinds == ["kernel", "init", "network", "prompt"]


def test_a_good_machine_shows_no_cause() -> None:
    console = Console()
    console.feed(shown("good"))
    assert boot_causes.diagnose(console.text) is None


@pytest.mark.parametrize(
    ("data", "kinds"),
    [
        (b"debian login: ", ["prompt"]),  # it waits, without a newline
        (b"Last login: today\n", []),
        (b"\x1b[2JWelcome to GRUB!\r\n", []),
        (b"(initramfs) ", ["end"]),
        (b"\r\ngrub rescue> ", ["end"]),
        (b"[    1.0] Run /init as init process\r\n", []),
        (b"[    1.0] Run /sbin/init as init process\r\n", ["root"]),
        (b"Welcome to \x1b[1mdracut-059-22.fc40 (Initramfs)\x1b[0m!\r\n", []),
        (b"[    2.0] Kernel panic - not syncing: VFS: Unable to mount root fs\r\n", ["end"]),
        (b"BdsDxe: No bootable option or device was found.\r\n", ["end"]),
        (b"\xff\xfe\x00 Linux version 6.1.0\r\n", ["kernel"]),
    ],
)
def test_single_lines(data: bytes, kinds: list[str]) -> None:
    assert [sight.kind for sight in sights(data)] == kinds


def test_lines_are_safe_to_show_and_overwritten_text_is_dropped() -> None:
    console = Console()
    console.feed(b"50 %\r100 %\r\n\x1b]0;owned\x07\x1b[2Jtail\r\nno end")
    assert list(console.lines) == ["100 %", "tail"]
    assert console.tail(2) == "tail\nno end"


@pytest.mark.parametrize(
    ("data", "silent"),
    [(b"", True), (b"\r\n \x1b[2J\r\n", True), (b"L", False), (b"L\n\n", False)],
)
def test_a_console_is_silent_until_it_prints_something(data: bytes, silent: bool) -> None:
    console = Console()
    console.feed(data)
    console.feed(b"\n")
    assert console.silent is silent


@pytest.mark.slow
def test_the_end_of_an_endless_console_is_kept() -> None:
    console = Console()
    for number in range(30):
        console.feed(b"".join(b"line %d\n" % (number * 1000 + n) for n in range(1000)))
    assert len(console.lines) == 20_000
    assert console.tail(1) == "line 29999"


@pytest.mark.slow
def test_a_line_without_end_is_bounded() -> None:
    console = Console()
    for _ in range(100):
        console.feed(b"x" * 1000)
    assert len(console.text) < 10_000


def test_every_cause_names_a_stage_and_a_rule_that_exist() -> None:
    from zwizard.boottest.stages import STAGES
    from zwizard.checks import find_rule

    stages = {stage.name for stage in STAGES}
    causes = [cause for _, cause in boot_causes._CAUSES]
    causes += [
        boot_causes.NO_CONSOLE,
        boot_causes.NO_CLOUD_INIT,
        boot_causes.NO_NETWORK,
        boot_causes.NO_LOGIN,
    ]
    for cause in causes:
        assert cause.stage in stages
        assert cause.message.endswith(".")
        if cause.rule:
            assert find_rule(cause.rule).slug == cause.rule
