"""An ordinary user's sandbox keeps programs of a tree away from the user's own files too."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.real.workplace import Workplace
from tests.support.machine import machine
from zwizard.host.privileges import Privilege

pytestmark = pytest.mark.real

TUN = 'mknod -m 0666 "$1" c 10 200 && mount --bind "$1" /dev/net/tun && rm "$1" && exec "${@:2}"'


@pytest.fixture
def launch(ordinary_place: Workplace) -> tuple[str, ...]:
    """What runs a command as an ordinary user, in namespaces."""
    return ("runuser", "-u", ordinary_place.user, "--", *Privilege("userns", "").isolate())


def test_a_program_of_the_tree_gets_out_by_no_way(launch: tuple[str, ...]) -> None:
    with machine(launch) as made:
        assert made.escapes("in_tree python3 /escapes.py") == {}
        assert made.escapes(f"on_tree python3 {made.tree}/escapes.py") == {}


def test_with_the_internet_it_has_no_loopback_of_the_machine(
    launch: tuple[str, ...], tmp_path: Path
) -> None:
    tun = ("unshare", "--mount", "bash", "-c", TUN, "tun", str(tmp_path / "tun"))
    with machine((*tun, *launch)) as made:
        assert made.escapes("in_tree python3 /escapes.py", "internet") == {}


def test_where_networks_cannot_be_joined_it_is_said(launch: tuple[str, ...]) -> None:
    with machine(("unshare", "--mount", "bash", "-c", HIDE, "hide", *launch)) as made:
        done = made.run("in_tree sh -c true", "internet")
        reason = "/dev/net/tun cannot be opened"
        assert done.stdout == f"the network of this machine is shared: {reason}\n"
        worked = made.escapes("in_tree python3 /escapes.py", "internet")
        assert set(worked) <= {
            *("reach_a_service_on_the_loopback", "reach_it_over_ipv6", "reach_an_abstract_socket"),
        }


HIDE = 'mount -t tmpfs tmpfs /dev/net && exec "$@"'
