"""Flists: what the hub makes of an archive, read without its contents."""
