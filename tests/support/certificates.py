"""A certificate that nobody has signed."""

from __future__ import annotations

import subprocess
from pathlib import Path


def self_signed(directory: Path) -> Path:
    """A file with a key and its certificate, for a server of the tests."""
    path = directory / "certificate.pem"
    make = "openssl req -x509 -nodes -subj /CN=x -newkey ec -pkeyopt ec_paramgen_curve:prime256v1"
    done = subprocess.run([*make.split(), "-keyout", path], check=True, capture_output=True)
    with path.open("ab") as file:
        file.write(done.stdout)
    return path
