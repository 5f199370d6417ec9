"""The shell in a step's tree, by the right that a build would have."""

from __future__ import annotations

import pytest

from tests.real.conftest import Built
from tests.real.workplace import Workplace

pytestmark = pytest.mark.real


def test_a_shell_shows_the_tree_before_the_step_and_changes_nothing(vm: Built) -> None:
    line = 'in_tree sh -c "dpkg --audit; ls /boot; touch /boot/litter; ls /boot/litter"'
    for _ in range(2):
        done = vm.place.run("shell", vm.name, "kernel", "-c", line)
        assert done.code == 0, done.errors
        assert "initrd.img-" in done.output  # the step before made it
        assert done.output.count("litter") == 1
    assert vm.place.traces() == []


def test_names_resolve_in_the_tree_of_a_step_that_downloads(vm: Built) -> None:
    line = "in_tree apt-get update"
    done = vm.place.run("shell", vm.name, "packages", "-c", line)
    assert done.code == 0, done.output + done.errors


def test_an_ordinary_user_opens_a_shell_without_root(ordinary_place: Workplace) -> None:
    recipe = ordinary_place.recipe("wrong", '[source]\nmirror = "file:///nowhere"')
    assert ordinary_place.run("build", recipe).code == 1
    line = 'id -u; touch "$ROOT/litter"; chown 1:1 "$ROOT/litter"; ls "$ROOT"'
    for _ in range(2):
        done = ordinary_place.run("shell", "wrong", "bootstrap", "-c", line)
        assert (done.code, done.output) == (0, "0\nlitter\n"), done.errors
    assert ordinary_place.traces() == []
