"""The state of this host as data: tools and privilege."""

from __future__ import annotations

from typing import Any

from zwizard.host import tools
from zwizard.host.privileges import privilege


def report() -> dict[str, Any]:
    """Where each tool is, which are missing and how to install them; how builds run."""
    right = privilege()
    missing = sorted(tools.missing(tools.TOOLS))
    return {
        "privilege": right.mode,
        "description": right.description,
        "remedy": right.remedy,
        "tools": {name: tools.find(name) for name in tools.TOOLS},
        "missing": missing,
        "install": list(tools.install_argv(missing)) if missing else [],
    }
