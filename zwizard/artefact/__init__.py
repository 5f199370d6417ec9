"""Read-only views of what is checked, booted and uploaded; no root, no mounts."""
