"""The state of this host as data: tools and privilege."""

from __future__ import annotations

from typing import Any

from zwizard.host import tools
from zwizard.host.privileges import find_privilege


def report() -> dict[str, Any]:
    """Where each tool is, which are missing and how to install them; how builds run."""
    privilege = find_privilege()
    missing = sorted(tools.missing(tools.TOOLS))
    return {
        "privilege": privilege.mode,
        "description": privilege.description,
        "remedy": privilege.remedy,
        "tools": {name: tools.find(name) for name in tools.TOOLS},
        "missing": missing,
        "install": list(tools.install_argv(missing)) if missing else [],
    }
