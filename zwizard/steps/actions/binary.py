"""Install the one program of a container."""

from dataclasses import dataclass

from zwizard.steps.actions.action import FunctionCall


@dataclass(frozen=True)
class InstallBinary(FunctionCall):
    """Put the static binary at ``location`` (a path or URL) to ``path`` in the tree.

    ``sha256``: of the file, or "".
    """

    location: str
    sha256: str
    path: str
    scripts = ("fetch.sh", "binary.sh")
    function = "install_binary"
