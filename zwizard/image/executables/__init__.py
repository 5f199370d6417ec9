"""Readers of programs, kernels and initramfs images."""
