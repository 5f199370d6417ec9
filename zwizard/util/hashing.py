"""SHA-256 of files."""

import hashlib
from pathlib import Path


def sha256_of(file: Path) -> str:
    """64 hexadecimal digits; raises OSError."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
