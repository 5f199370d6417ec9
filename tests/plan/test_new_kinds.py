"""A new distribution, package manager or action is one new file: nothing else has to change."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from zwizard import distros, families
from zwizard.engine import executor
from zwizard.plan.targets import make
from zwizard.recipe.fields import FIELDS
from zwizard.recipe.model import Recipe
from zwizard.recipe.values import OneOf
from zwizard.steps import actions, render
from zwizard.steps.actions import Action
from zwizard.wizard.questions import all_questions

FEDORA = '''
"""Fedora."""

from zwizard.distros.base import Distro, KernelPackage, Suite

FEDORA = Distro(
    name="fedora",
    title="Fedora Linux",
    means="A distribution of a test.",
    family="newdnf",
    suites=(Suite("f42", "42", epoch=1_744_675_200),),
    kernels=(KernelPackage("kernel-core", "small"),),
    bootstraps=("dnf",),
    vm_packages=("cloud-init", "openssh-server"),
    minimal_packages=(),
    image_packages=("grub2-efi",),
    image_services=("sshd",),
    esp_mount="/boot/efi",
)
'''

DNF = '''
"""Fedora's family, by dnf."""

from zwizard.families.none import (
    LOCALE_FILE, ZONE_FILE, clean, commands, complete, kernel
)
from zwizard.steps.actions import ROOT, InTree, Host
from zwizard.steps.step import Step


def bootstrap(recipe, distro, suite):
    dnf = ("dnf", "--installroot", ROOT, f"--releasever={suite.name}", "install", "basesystem")
    return Step("bootstrap", "Install", ("why",), (Host(dnf),), network=True)


def packages(recipe, distro, suite):
    names = (*distro.vm_packages, *recipe.kernel.packages(distro))
    return Step("packages", "Install", ("why",), install(recipe, distro, names), network=True)


def initramfs(modules, *, image):
    return (InTree(("dracut", "--force")),)


def install(recipe, distro, names):
    return (InTree(("dnf", "install", "--assumeyes", *names)),)
'''

TOUCH = '''
"""Touch a file."""

from dataclasses import dataclass

from zwizard.steps.actions.action import ROOT, Action, line


@dataclass(frozen=True)
class Touch(Action):
    """Touch ``path``."""

    path: str
    programs = ("touch",)

    def shell(self) -> str:
        """One line of bash."""
        return line(("touch", f"{ROOT}{self.path}"))
'''

Add = Callable[[ModuleType, str, str], ModuleType]


@pytest.fixture
def add(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Add]:
    """Adds a file to a package, as if it lay in its folder."""
    added: list[str] = []

    def to(package: ModuleType, name: str, text: str) -> ModuleType:
        folder = tmp_path / package.__name__
        folder.mkdir()
        (folder / f"{name}.py").write_text(text)
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
        added.append(f"{package.__name__}.{name}")
        return importlib.import_module(added[-1])

    yield to
    for name in added:
        del sys.modules[name]


def test_a_distribution_and_a_package_manager_are_one_file_each(
    add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(families, "newdnf", DNF)
    add(distros, "fedora", FEDORA)
    assert list(distros.records()) == [*distros.KNOWN, "fedora"]
    monkeypatch.setattr(distros, "KNOWN", distros.records())
    field = replace(FIELDS["source.distro"], check=OneOf(*distros.KNOWN))  # as at the next import
    monkeypatch.setitem(FIELDS, "source.distro", field)
    question = next(question for question in all_questions() if question.key == "source.distro")
    assert "fedora" in {choice.value for choice in question.choices({})}
    plan = make(Recipe.from_dict({"source": {"distro": "fedora", "packages": ["vim"]}}))
    lines = "\n".join(action.shell() for step in plan.steps for action in step.actions)
    assert 'dnf --installroot "$ROOT" --releasever=f42 install basesystem' in lines
    assert "dnf install --assumeyes cloud-init openssh-server kernel-core" in lines
    assert "dnf install --assumeyes vim" in lines
    assert "dnf" in plan.tools()


def test_an_action_is_one_file(add: Add, tmp_path: Path) -> None:
    touch: Action = add(actions, "touch", TOUCH).Touch("/etc/new")
    plan = make(Recipe())
    *before, last = plan.steps
    plan = replace(plan, steps=(*before, replace(last, actions=(touch, *last.actions))))
    assert "touch" in plan.tools()
    assert plan.fingerprints()[:-1] == make(Recipe()).fingerprints()[:-1]
    assert plan.fingerprints()[-1] != make(Recipe()).fingerprints()[-1]
    assert '\ntouch "$ROOT"/etc/new\n' in render.script(plan)
    assert '      touch "$ROOT"/etc/new\n' in render.text(plan)
    assert touch.canonical() == {"action": "touch", "path": "/etc/new"}
    (tmp_path / "etc").mkdir()
    line = f"{executor.functions(touch)}\n{touch.shell()}"
    subprocess.run(["bash", "-euc", line], check=True, env={"ROOT": str(tmp_path), "PATH": "/bin"})
    assert (tmp_path / "etc/new").exists()
