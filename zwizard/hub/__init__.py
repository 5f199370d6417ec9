"""The hub: downloading what is on it."""
