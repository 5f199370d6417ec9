"""Ubuntu, where its mirror answers: built on a machine that has not got its keys."""

from __future__ import annotations

import urllib.request

import pytest

from tests.real.workplace import Workplace
from zwizard.distros import KNOWN

MIRROR = KNOWN["ubuntu"].mirror
MINIMAL = '[source]\ndistro = "ubuntu"\nsuite = "{}"\nvariant = "minimal"\n'


def unreachable() -> str:
    """Why the mirror cannot be built from, or ""."""
    try:
        with urllib.request.urlopen(f"{MIRROR}/dists/jammy/InRelease", timeout=10):
            return ""
    except OSError as error:
        return f"Ubuntu's mirror does not answer: {error}"


pytestmark = pytest.mark.real


@pytest.mark.parametrize(("suite", "target"), [("jammy", "vm"), ("noble", "image")])
def test_is_ready_by_the_checklist(place: Workplace, suite: str, target: str) -> None:
    if why := unreachable():
        pytest.skip(why)
    recipe = place.recipe(f"{suite}-{target}", MINIMAL.format(suite), target=target)
    result = place.run("build", recipe, "--json")
    assert result.code == 0, result.output + result.errors
    assert result.last("build-finished")["ready"] is True
    log = (place.build_directory(f"{suite}-{target}") / "logs/01-bootstrap.log").read_text()
    assert "trusted, by their fingerprints:" in log
    assert "Ubuntu Archive Automatic Signing Key" in log
