"""Helpers that know nothing of this program's subject."""
