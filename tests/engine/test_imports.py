"""The engine knows no face: it runs where nobody looks on."""

from __future__ import annotations

import subprocess
import sys

FACES = (
    "textual",
    "rich",
    "questionary",
    "prompt_toolkit",
    "click",
    "zwizard.tui",
    "zwizard.plain",
)


def test_the_runner_loads_no_face() -> None:
    code = (
        "import sys\n"
        "from zwizard.console import tables\n"
        "from zwizard.engine import gc, worker\n"
        "from zwizard.jobs import supervisor\n"
        "print([name for name in sys.argv[1:] if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *FACES], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
