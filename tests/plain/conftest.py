"""A keyboard, a terminal and a directory for the line-by-line wizard."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.key_binding.defaults import load_key_bindings
from prompt_toolkit.output import DummyOutput
from prompt_toolkit.output.vt100 import Vt100_Output

from zwizard.util.errors import ZwizardError
from zwizard.wizard import package_index
from zwizard.wizard.suggestions import PackageCatalogue


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of the wizard, without a network."""
    place = tmp_path / "here"
    place.mkdir()
    monkeypatch.chdir(place)
    monkeypatch.setattr(package_index, "fetch_apart", offline)
    return place


_BINDINGS = load_key_bindings()


@pytest.fixture(autouse=True)
def bindings_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Making prompt_toolkit's own key bindings takes most of a prompt's time."""
    name = "prompt_toolkit.application.application.load_key_bindings"
    monkeypatch.setattr(name, lambda: _BINDINGS)


def offline(mirror: str, suite: str, components: object = ()) -> PackageCatalogue:
    """Stands for a package index that cannot be reached."""
    raise ZwizardError("this machine is offline")


@pytest.fixture
def keyboard() -> Iterator[PipeInput]:
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        yield pipe


@pytest.fixture
def screen() -> Iterator[tuple[PipeInput, io.StringIO]]:
    """A keyboard, and what the terminal is sent."""
    sent = io.StringIO()
    output = Vt100_Output(sent, lambda: Size(rows=24, columns=80), term="dumb", enable_cpr=False)
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=output):
        yield pipe, sent
