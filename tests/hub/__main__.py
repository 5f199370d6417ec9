"""Start the hub of the tests by hand: ``python -m tests.hub``."""

from __future__ import annotations

import argparse
import signal
import tempfile
from dataclasses import replace
from pathlib import Path

from tests.hub.faults import BY_NAME, Fault
from tests.hub.hub import Hub
from tests.hub.server import running


def main() -> None:
    """Serve until Ctrl+C; the directory goes with it unless it was named."""
    parser = argparse.ArgumentParser(prog="python -m tests.hub", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--directory", type=Path, help="keep the flists here")
    parser.add_argument("--user", default="alice.3bot")
    parser.add_argument("--token-file", type=Path, help="where to write a valid token")
    parser.add_argument("--slow-unpack", type=float, default=0, metavar="SECONDS")
    parser.add_argument("--slow-read", type=float, default=0, metavar="MIB", help="a second")
    parser.add_argument("--readonly", action="store_true", help="a hub that is a mirror")
    parser.add_argument("--fault", action="append", default=[], type=_fault, metavar="NAME",
                        help="see --list-faults; may be repeated")  # fmt: skip
    parser.add_argument("--times", type=int, default=1, help="how often each fault happens")
    parser.add_argument("--list-faults", action="store_true")
    options = parser.parse_args()
    if options.list_faults:
        print("\n".join(BY_NAME))
        return
    ends = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)  # of every thread
    with tempfile.TemporaryDirectory(prefix="hub-") as temporary:
        directory = options.directory or Path(temporary)
        hub = Hub(directory, options.user)
        hub.unpack_seconds, hub.readonly = options.slow_unpack, options.readonly
        hub.read_speed = options.slow_read * (1 << 20)
        hub.faults = [replace(fault, times=options.times) for fault in options.fault]
        token = options.token_file or directory / "token"
        with running(hub, options.port):
            token.write_text(hub.token + "\n")
            print(f"hub:   {hub.url}\nuser:  {hub.user}\ntoken: {token}", flush=True)
            signal.sigwait(ends)


def _fault(name: str) -> Fault:
    if name not in BY_NAME:
        raise argparse.ArgumentTypeError(f"there is no fault {name!r}: see --list-faults")
    return BY_NAME[name]


if __name__ == "__main__":
    main()
