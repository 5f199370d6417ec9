"""Readers of disk images, partition tables and file systems."""
