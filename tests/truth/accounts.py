"""What PAM makes of root's line in /etc/shadow when root logs in with a key.

Measured with libpam-modules 1.5.2 (Debian 12): `unix_chkpwd root chkexpiry` with each line.
``real`` is what it answers: 0 lets root in, 12 wants a new password, 13 and 27 are an expired
account and password.
"""

from __future__ import annotations

import time

from tests.support.faults import write
from tests.truth.row import Row

TODAY = int(time.time()) // (24 * 60 * 60)


def row(name: str, real: str, dates: str) -> Row:
    """A locked root whose fields of shadow(5) from the last change on are ``dates``."""
    breaks = write("etc/shadow", f"root:*:{dates}:\n".encode())
    return Row(name, breaks, real, "ssh-key-login", "" if real == "0" else "should")


ROWS = (
    row("no-limit", "0", "19518:0:99999:7::"),
    row("no-fields", "0", "19518:0::::"),
    row("minus-one", "0", "19518:0:-1:7::-1"),
    row("ends-later", "0", "19518:0:99999:7::99999"),
    row("young-password", "0", f"{TODAY - 80}:0:90:7::"),
    row("changed-in-the-future", "0", f"{TODAY + 5}:0:0:7::"),
    row("to-be-changed", "12", "0:0:99999:7::"),
    row("password-of-yesterday", "12", f"{TODAY - 91}:0:90:7::"),
    row("old-password", "12", "19518:0:90:7::"),
    row("no-day-allowed", "12", "19518:0:0:7::"),
    row("old-password-inactive", "27", "19518:0:90:7:5:"),
    row("ended", "13", "19518:0:99999:7::1"),
    row("ended-on-day-0", "13", "19518:0:99999:7::0"),
    row("ends-today", "13", f"19518:0:99999:7::{TODAY}"),
)
