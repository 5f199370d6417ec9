"""What the answers of a page come to, drawn."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.oci import Layout, Members
from zwizard.sources.inspection import report
from zwizard.wizard.previews import preview

IMAGE = {"target": "image"}


@pytest.mark.parametrize("width", [20, 47, 60])
def test_the_disk_is_drawn_to_scale(width: int) -> None:
    bar, esp, root, free = preview("disk", {**IMAGE, "disk.size": "3GiB"}, width)
    assert len(bar) == width
    assert bar == "".join(sorted(bar, key="█▓░".index))
    assert abs(bar.count("▓") / width - 2.9 / 5) < 0.1
    assert bar.count("█") == 1  # 100 MiB of 5 GiB: little, and never nothing
    assert esp == "█ EFI system partition 100.0 MiB, FAT32, /boot/efi"
    assert root == "▓ root 2.9 GiB, ext4, cloud-root"
    assert free.startswith("░ 2.0 GiB more on a rented disk of 5.0 GiB")


def test_where_nothing_is_drawn_the_words_are_the_same() -> None:
    drawn = preview("disk", IMAGE, 40)
    assert preview("disk", IMAGE, 0) == tuple(line[2:] for line in drawn[1:])


def test_a_disk_that_is_rented_whole_leaves_nothing() -> None:
    bar = preview("disk", {**IMAGE, "disk.size": "5GiB"}, 40)[0]
    assert "░" not in bar
    assert len(bar) == 40


def test_nothing_is_drawn_while_an_answer_is_wrong() -> None:
    assert preview("disk", {**IMAGE, "disk.size": "huge"}, 40) == ()
    assert preview("disk", {**IMAGE, "disk.size": "9GiB"}, 40) == ()
    assert preview("source", IMAGE, 40) == ()


def test_the_boot_loaders_settings_are_those_that_are_written() -> None:
    lines = preview("grub", {**IMAGE, "grub.cmdline": 'console=ttyS0 a="b $c"'}, 40)
    assert lines[0] == "/etc/default/grub:"
    assert '  GRUB_CMDLINE_LINUX_DEFAULT="console=ttyS0 a=\\"b \\$c\\""' in lines
    assert "  GRUB_TIMEOUT=0" in lines


SHELL: Members = [("bin", None), ("bin/sh", (0o755, 0, 0, b"#!a shell\n"))]


def test_the_start_of_a_container_image_is_shown_once_it_is_inspected(tmp_path: Path) -> None:
    image = Layout(tmp_path / "image").image(
        SHELL, Entrypoint=["/app"], Cmd=["-v"], Env=["LEVEL=a b"], WorkingDir="/srv"
    )
    answers = {"target": "container", "source.kind": "oci", "source.location": str(image.write())}
    assert preview("container", answers, 40) == ()
    report(answers)
    lines = preview("container", answers, 40)
    assert lines[0] == "/zos-start starts what the image does:"
    assert lines[-1] == '  exec /app "$@"'
    assert "  cd /srv || exit" in lines
    assert any("LEVEL='a b'" in line for line in lines)
    other = preview("container", {**answers, "container.entrypoint": "/other"}, 40)
    assert other[-1] == '  exec /other "$@"'


def test_without_a_shell_the_deployment_has_the_settings(tmp_path: Path) -> None:
    image = Layout(tmp_path / "image").image(
        [("app", (0o755, 0, 0, b"x"))], Entrypoint=["/app", "two words"], Cmd=[], Env=["A=b"]
    )
    answers = {"target": "container", "source.kind": "oci", "source.location": str(image.write())}
    report(answers)
    assert preview("container", answers, 40)[1:] == ("  /app 'two words'", "  A=b")
    assert preview("container", {"target": "container"}, 40) == ()
