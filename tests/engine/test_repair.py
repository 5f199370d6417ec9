"""A repair says what it changes, and which programs of the image it runs for that."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.trees import vm_tree
from zwizard.checks import check
from zwizard.console.repair import describe
from zwizard.engine.repair import remedy


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A VM's tree, without faults."""
    root = tmp_path / "image"
    vm_tree(root)
    return root


def test_programs_of_the_image_are_named_before_they_run(image: Path) -> None:
    (image / "etc/cloud/cloud-init.disabled").touch()
    found = remedy(check(image, mode="vm"), image)
    assert found.programs == ("sh",)
    assert "Programs of the image run for this, in a sandbox: sh" in describe(found)


def test_a_fix_that_runs_nothing_names_no_program(image: Path) -> None:
    (image / "etc/hostname").write_text("mine\n")
    found = remedy(check(image, mode="vm"), image)
    assert [finding.slug for finding, _ in found.fixed] == ["hostname"]
    assert found.programs == ()
    assert "sandbox" not in describe(found)


def test_the_new_archive_gets_a_name_that_not_even_a_link_has(image: Path) -> None:
    (image / "etc/hostname").write_text("mine\n")
    (image.parent / "image-repaired.tar.gz").symlink_to("nowhere")
    found = remedy(check(image, mode="vm"), image)
    assert found.archive == image.parent / "image-repaired-2.tar.gz"
