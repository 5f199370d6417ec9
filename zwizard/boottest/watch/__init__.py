"""Watching a guest while it runs."""
