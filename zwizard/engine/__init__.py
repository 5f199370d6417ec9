"""Carry a plan out: builds, their worker and sandbox, layers; knows no interface."""
