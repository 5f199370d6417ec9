"""The mutations of the tests for as long as one likes: `make fuzz`, or `… MINUTES [READER …]`."""

from __future__ import annotations

import faulthandler
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings

from tests.support import fuzz_targets
from tests.support.fuzz_targets import Edit

ROUND = 200  # examples of one reader before the next has its turn
_QUIET = settings(
    max_examples=ROUND,
    deadline=None,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)


def one_round(name: str, place: Path) -> bool:
    """Some hundred inputs for one reader; whether it took them all. Prints the smallest if not."""
    target = fuzz_targets.target(name)

    @_QUIET
    @given(changes=fuzz_targets.edits)
    def takes(changes: list[Edit]) -> None:
        faulthandler.dump_traceback_later(120, exit=True)  # where not even a signal gets through
        target.run(place, changes)

    try:
        takes()
    except Exception:  # noqa: BLE001 - anything at all is what is looked for
        tell(f"\n=== {name}\n{traceback.format_exc()}")
        return False
    finally:
        faulthandler.cancel_dump_traceback_later()
    return True


def tell(text: str) -> None:
    """Say it at once."""
    sys.stdout.write(text)
    sys.stdout.flush()


def main() -> None:
    """Every reader in turn until the minutes are over; the status tells whether all was well."""
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 20.0
    end = time.monotonic() + 60 * minutes
    names = sys.argv[2:] or list(fuzz_targets.NAMES)
    done: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="zwizard-fuzz-") as place:
        try:
            while time.monotonic() < end:
                for name in names:
                    done[name] += ROUND
                    failed[name] += not one_round(name, Path(place))
                    if time.monotonic() > end:
                        break
        finally:
            fuzz_targets.forget()
    bad = {name: count for name, count in failed.items() if count}
    tell(f"{sum(done.values())} inputs, {len(done)} readers; failed: {bad or 'none'}\n")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
